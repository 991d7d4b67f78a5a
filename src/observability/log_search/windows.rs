//! What of observability.logs can be read in one go: from the bounds of one partition to those of the next, or what
//! lies between them, which is in DEFAULT; and the periods in which an organization has packed lines.

/// A piece of time, its start within it and its end not, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window<P> {
    pub start: i64,
    pub end: i64,
    pub partition: P,
    /// Whether it is all the time of its partition.
    pub is_whole: bool,
    pub is_packed: bool,
}

/// The time from `since` on and before `until`, cut at the bounds of partitions and packed periods, newest first.
/// What no partition holds is in `other`.
pub fn cut<P: Copy>(
    since: i64,
    until: i64,
    partitions: &[(P, i64, i64)],
    other: P,
    packed: &[(i64, i64)],
) -> Vec<Window<P>> {
    let mut bounds: Vec<i64> = partitions
        .iter()
        .flat_map(|(_, lower, upper)| [*lower, *upper])
        .chain(packed.iter().flat_map(|(start, end)| [*start, *end]))
        .filter(|bound| (since..until).contains(bound))
        .chain([since, until])
        .collect();
    bounds.sort_unstable();
    bounds.dedup();
    bounds
        .windows(2)
        .rev()
        .filter_map(|pair| match pair {
            [start, end] => Some((*start, *end)),
            _ => None,
        })
        .map(|(start, end)| {
            let holder = partitions
                .iter()
                .find(|(_, lower, upper)| *lower <= start && *upper > start);
            Window {
                start,
                end,
                partition: holder.map_or(other, |(partition, ..)| *partition),
                is_whole: holder.is_some_and(|(_, lower, upper)| (*lower, *upper) == (start, end)),
                is_packed: packed.iter().any(|(from, to)| *from < end && *to > start),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// In upper case when it is all of its partition.
    fn window(start: i64, end: i64, partition: char, is_packed: bool) -> Window<char> {
        Window {
            start,
            end,
            partition: partition.to_ascii_lowercase(),
            is_whole: partition.is_ascii_uppercase(),
            is_packed,
        }
    }

    #[test]
    fn time_is_cut_at_the_bounds_newest_first() {
        let days = [('a', 10, 20), ('b', 20, 30), ('c', 40, 50)];
        assert_eq!(
            cut(15, 60, &days, '-', &[]),
            [
                window(50, 60, '-', false),
                window(40, 50, 'C', false),
                window(30, 40, '-', false),
                window(20, 30, 'B', false),
                window(15, 20, 'a', false),
            ]
        );
        assert_eq!(
            cut(20, 30, &days, '-', &[]),
            [window(20, 30, 'B', false)],
            "a day is one window"
        );
        assert_eq!(cut(20, 20, &days, '-', &[]), []);
    }

    #[test]
    fn what_is_packed_is_a_window_of_its_own() {
        let days = [('b', 20, 30)];
        assert_eq!(
            cut(5, 30, &days, '-', &[(0, 10), (10, 20)]),
            [
                window(20, 30, 'B', false),
                window(10, 20, '-', true),
                window(5, 10, '-', true),
            ]
        );
    }

    #[test]
    fn infinities_are_bounds_like_others() {
        let days = [('a', i64::MIN, 0), ('b', 0, i64::MAX)];
        assert_eq!(
            cut(i64::MIN, i64::MAX, &days, '-', &[]),
            [
                window(0, i64::MAX, 'B', false),
                window(i64::MIN, 0, 'A', false)
            ]
        );
    }

    proptest! {
        /// Each moment is in one window, whose partition and periods are its own.
        #[test]
        fn windows_cover_the_time_once(
            since in 0_i64..100,
            length in 1_i64..100,
            edges in proptest::collection::btree_set(0_i64..150, 0..8),
            packed in proptest::collection::vec((0_i64..150, 1_i64..40), 0..4),
        ) {
            let until = since + length;
            let edges: Vec<i64> = edges.into_iter().collect();
            // Every other piece has a partition.
            let partitions: Vec<(i64, i64, i64)> = edges
                .windows(2)
                .step_by(2)
                .map(|pair| (pair[0], pair[0], pair[1]))
                .collect();
            let packed: Vec<(i64, i64)> = packed.iter().map(|(start, size)| (*start, start + size)).collect();
            let windows = cut(since, until, &partitions, -1, &packed);
            prop_assert_eq!(windows.first().map(|window| window.end), Some(until));
            prop_assert_eq!(windows.last().map(|window| window.start), Some(since));
            for pair in windows.windows(2) {
                prop_assert_eq!(pair[0].start, pair[1].end);
            }
            for window in &windows {
                prop_assert_eq!(
                    window.is_whole,
                    partitions.contains(&(window.partition, window.start, window.end))
                );
                for moment in window.start..window.end {
                    let holder = partitions
                        .iter()
                        .find(|(_, lower, upper)| (*lower..*upper).contains(&moment))
                        .map_or(-1, |(partition, ..)| *partition);
                    prop_assert_eq!(holder, window.partition);
                    prop_assert_eq!(
                        packed.iter().any(|(start, end)| (*start..*end).contains(&moment)),
                        window.is_packed
                    );
                }
            }
        }
    }
}
