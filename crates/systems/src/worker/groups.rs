//! The order of FIFO groups among messages that are here: of each group one is worked on, and the next when that is done.
//!
//! SQS gives several messages of a group at once. Were they worked on at once, the later could be done first; and were
//! the first to fail, the later ones must not be done before it comes again, so they are given back.

use std::collections::{HashMap, VecDeque};

/// What waits here: at once, or behind the one of its group.
#[derive(Debug)]
pub(super) struct Groups<T> {
    ready: VecDeque<T>,
    /// A group is in here while one of it is ready or worked on.
    behind: HashMap<String, VecDeque<T>>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Groups { ready: VecDeque::new(), behind: HashMap::new() }
    }
}

impl<T> Groups<T> {
    /// Takes one in, in the order that they came.
    pub fn admit(&mut self, group: Option<&str>, one: T) {
        match group.map(|group| (group, self.behind.get_mut(group))) {
            Some((_, Some(behind))) => behind.push_back(one),
            Some((group, None)) => {
                self.behind.insert(group.to_owned(), VecDeque::new());
                self.ready.push_back(one);
            }
            None => self.ready.push_back(one),
        }
    }

    /// The next one to work on.
    pub fn next(&mut self) -> Option<T> {
        self.ready.pop_front()
    }

    /// The one of this group is done: the next of it may begin.
    pub fn done(&mut self, group: Option<&str>) {
        let Some(group) = group else { return };
        match self.behind.get_mut(group).map(VecDeque::pop_front) {
            Some(Some(next)) => self.ready.push_back(next),
            Some(None) => drop(self.behind.remove(group)),
            None => {}
        }
    }

    /// The one of this group will come again: those behind it, which must not be done before it.
    pub fn gave_back(&mut self, group: Option<&str>) -> Vec<T> {
        group.and_then(|group| self.behind.remove(group)).map(Vec::from).unwrap_or_default()
    }

    /// Everything that waits, for good.
    pub fn clear(&mut self) -> Vec<T> {
        let behind = std::mem::take(&mut self.behind).into_values().flatten();
        std::mem::take(&mut self.ready).into_iter().chain(behind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_group_at_a_time() {
        let mut groups = Groups::default();
        for (group, one) in [(Some("a"), 1), (Some("a"), 2), (Some("b"), 3), (None, 4), (Some("a"), 5)] {
            groups.admit(group, one);
        }
        assert_eq!(
            [groups.next(), groups.next(), groups.next(), groups.next()],
            [Some(1), Some(3), Some(4), None]
        );
        groups.done(Some("a"));
        assert_eq!(groups.next(), Some(2));
        assert_eq!(groups.gave_back(Some("a")), [5], "it waits for 2 to come again");
        groups.admit(Some("a"), 2);
        assert_eq!(groups.next(), Some(2));
        groups.done(None);
        groups.done(Some("b"));
        assert!(groups.next().is_none() && groups.gave_back(Some("b")).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn every_group_keeps_its_order(of in proptest::collection::vec(0..4u8, 1..60)) {
            let mut groups = Groups::default();
            for (number, group) in of.iter().enumerate() {
                groups.admit(Some(&group.to_string()), (*group, number));
            }
            let mut done = Vec::new();
            while let Some((group, number)) = groups.next() {
                done.push((group, number));
                groups.done(Some(&group.to_string()));
            }
            proptest::prop_assert_eq!(done.len(), of.len());
            for group in 0..4 {
                let order: Vec<usize> = done.iter().filter(|(of, _)| *of == group).map(|(_, number)| *number).collect();
                proptest::prop_assert!(order.is_sorted());
            }
        }
    }
}
