//! What statements have collected and not handed on yet. One may run within another, and what one that failed had is
//! nobody's.

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
    pub fn add(&mut self, item: T, size: usize) -> (usize, usize) {
        self.0.last_mut().map_or((0, 0), |queue| {
            queue.items.push(item);
            queue.size += size;
            (queue.items.len(), queue.size)
        })
    }

    /// What the statement has collected, which is handed on.
    pub fn take(&mut self) -> Vec<T> {
        self.0.last_mut().map_or_else(Vec::new, |queue| {
            queue.size = 0;
            std::mem::take(&mut queue.items)
        })
    }

    /// The statement is over.
    pub fn close(&mut self) -> Vec<T> {
        let rest = self.take();
        self.0.pop();
        rest
    }

    /// The transaction is over.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// A subtransaction is rolled back, and with it all that began later and within it.
    pub fn roll_back(&mut self, subtransaction: u32) {
        self.0.retain(|queue| queue.subtransaction < subtransaction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_gets_what_it_has_collected() {
        let mut queues = Queues::new();
        queues.open(1);
        assert_eq!(queues.add('a', 10), (1, 10));
        assert_eq!(queues.add('b', 5), (2, 15));
        assert_eq!(queues.take(), ['a', 'b']);
        assert_eq!(queues.add('c', 1), (1, 1));
        assert_eq!(queues.close(), ['c']);
        assert!(queues.take().is_empty());
    }

    #[test]
    fn one_within_another_has_its_own() {
        let mut queues = Queues::new();
        queues.open(1);
        queues.add('a', 1);
        queues.open(1);
        queues.add('x', 1);
        assert_eq!(queues.close(), ['x']);
        queues.add('b', 1);
        assert_eq!(queues.close(), ['a', 'b']);
    }

    #[test]
    fn what_a_failed_one_had_is_nobodys() {
        let mut queues = Queues::new();
        queues.open(1);
        queues.add('a', 1);
        for failed in 2..1_000 {
            queues.open(failed);
            queues.add('x', 1);
            // One within it, of a subtransaction that has been committed.
            queues.open(failed + 1_000);
            queues.add('y', 1);
            queues.roll_back(failed);
            assert_eq!(queues.0.len(), 1, "it keeps no memory");
        }
        queues.add('b', 1);
        assert_eq!(queues.close(), ['a', 'b']);
        assert!(queues.take().is_empty());
    }
}
