//! What statements have collected and not handed on yet. One may run within another, and one that failed leaves what
//! it had behind, which nobody may take for their own.

/// A queue for each statement that is running, the innermost last.
pub struct Queues<T>(Vec<Queue<T>>);

struct Queue<T> {
    /// The subtransaction of the statement; the number is given once in a transaction.
    subtransaction: u32,
    items: Vec<T>,
    size: usize,
}

impl<T> Queues<T> {
    pub const fn new() -> Queues<T> {
        Queues(Vec::new())
    }

    /// A statement begins.
    pub fn open(&mut self, subtransaction: u32) {
        self.0.push(Queue {
            subtransaction,
            items: Vec::new(),
            size: 0,
        });
    }

    /// Adds an item to what the statement has, and says how many these are and how large they are together.
    pub fn add(&mut self, subtransaction: u32, item: T, size: usize) -> (usize, usize) {
        self.drop_abandoned(subtransaction);
        self.0.last_mut().map_or((0, 0), |queue| {
            queue.items.push(item);
            queue.size += size;
            (queue.items.len(), queue.size)
        })
    }

    /// What the statement has collected, which is handed on.
    pub fn take(&mut self, subtransaction: u32) -> Vec<T> {
        self.drop_abandoned(subtransaction);
        self.0.last_mut().map_or_else(Vec::new, |queue| {
            queue.size = 0;
            std::mem::take(&mut queue.items)
        })
    }

    /// The statement is over.
    pub fn close(&mut self, subtransaction: u32) -> Vec<T> {
        let rest = self.take(subtransaction);
        self.0.pop();
        rest
    }

    /// The transaction is over.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// A statement that failed has ended its subtransaction, so the one that runs now is another.
    fn drop_abandoned(&mut self, subtransaction: u32) {
        while self
            .0
            .last()
            .is_some_and(|queue| queue.subtransaction != subtransaction)
        {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_gets_what_it_has_collected() {
        let mut queues = Queues::new();
        queues.open(1);
        assert_eq!(queues.add(1, 'a', 10), (1, 10));
        assert_eq!(queues.add(1, 'b', 5), (2, 15));
        assert_eq!(queues.take(1), ['a', 'b']);
        assert_eq!(queues.add(1, 'c', 1), (1, 1));
        assert_eq!(queues.close(1), ['c']);
        assert!(queues.take(1).is_empty());
    }

    #[test]
    fn one_within_another_has_its_own() {
        let mut queues = Queues::new();
        queues.open(1);
        queues.add(1, 'a', 1);
        queues.open(1);
        queues.add(1, 'x', 1);
        assert_eq!(queues.close(1), ['x']);
        queues.add(1, 'b', 1);
        assert_eq!(queues.close(1), ['a', 'b']);
    }

    #[test]
    fn what_a_failed_one_leaves_behind_is_nobodys() {
        let mut queues = Queues::new();
        queues.open(1);
        queues.add(1, 'a', 1);
        // In a subtransaction that is rolled back.
        queues.open(2);
        queues.add(2, 'x', 1);
        queues.add(1, 'b', 1);
        queues.open(3);
        queues.add(3, 'y', 1);
        assert_eq!(queues.close(1), ['a', 'b']);
        // Also before one that runs within no other.
        queues.open(4);
        queues.add(4, 'z', 1);
        queues.open(1);
        assert!(queues.close(1).is_empty());
        assert!(queues.take(1).is_empty());
    }
}
