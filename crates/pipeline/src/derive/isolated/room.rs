//! How much room an image gets in its process: at first what its header promises, then, where that was too little,
//! several times as much.
//!
//! All of it is admitted to the run's memory beforehand, so what processes may take together never passes the budget
//! by more than each one's slack, which is reserved ([`Limits`]). A header that promises little and a decoder that
//! takes much meet the second limit, and there the image ends.

use crate::derive::Inspected;
use crate::error::{Error, Kind};
use crate::limits::Limits;

/// What a second try gets beside four times the need.
const WIDER: u64 = 256 << 20;
/// What an image is let in with before its header was read: most images of the web take less.
const GUESS: u64 = 16 << 20;

/// A source of more than this, or renditions that may come to more while they are made, are not shared in memory.
const ON_DISK: u64 = 32 << 20;
/// What a thread that packs tiles takes, most of it a stack that it does not use.
pub(super) const THREAD: u64 = 3 << 20;

/// What one image may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::derive) struct Room {
    /// Bytes that its process may allocate for it beside the source, which it maps.
    pub memory: u64,
    /// Bytes of its renditions, which lie in the file that it shares until they are fetched.
    pub output: u64,
    /// Bytes that it may lay aside in that file.
    pub scratch: u64,
    /// That file lies on disk, and not in memory.
    pub on_disk: bool,
    /// Bytes to admit, everything that the source takes of memory counted: shared, decoded, encoded.
    pub admitted: u64,
}

/// The bounds that rooms are made from.
#[derive(Debug, Clone, Copy)]
pub(in crate::derive) struct House {
    /// Bytes of all images at once.
    pub budget: u64,
    /// Bytes that a process may take unasked.
    pub slack: u64,
    /// Bytes of all renditions of one image, however much room there is.
    pub max_output: u64,
    /// Images that are made at once.
    pub threads: u64,
}

impl House {
    pub fn of(limits: &Limits) -> House {
        House {
            budget: limits.pixel_memory,
            slack: limits.process_slack,
            max_output: limits.max_output,
            threads: limits.threads as u64,
        }
    }

    /// The room for a source of `length` bytes of which nothing is known yet.
    pub fn guess(&self, length: u64) -> Room {
        // An image takes many times its file. Never so much that others would wait for it.
        let likely = GUESS.max(length.saturating_mul(24));
        self.room(likely.min(self.budget / (2 * self.threads.max(1))), 0, 0, length)
    }

    /// The room for a source of `length` bytes by what its header says that it takes, and for a second try, where there
    /// is more to be had.
    pub fn rooms(&self, header: &Inspected, length: u64) -> (Room, Option<Room>) {
        let Inspected { need, scratch, written, .. } = *header;
        let first = self.room(need, scratch, written, length);
        (first, self.wider(first, need, length))
    }

    fn room(&self, need: u64, scratch: u64, written: u64, length: u64) -> Room {
        let on_disk = scratch > 0 || written.max(length) > ON_DISK;
        let others = if on_disk { self.threads.saturating_sub(1) } else { 0 };
        let need = need.saturating_add(others * THREAD);
        // An estimate may be wrong by a little. Renditions are far smaller than what was decoded for them, except
        // where they are copied, and then they are no larger than their source; and those that are written while they
        // are made are counted.
        let memory = need.saturating_add(need / 8);
        let small = (need / 4).saturating_add(length);
        let output = small.saturating_add(written);
        let shared = if on_disk { need / 4 } else { output.saturating_add(length) };
        // What fits by its need fits; only the reserve is smaller then.
        let least = if on_disk { need } else { need.saturating_add(written).saturating_add(length) };
        Room {
            memory,
            output: output.saturating_add(self.slack).min(self.max_output),
            scratch,
            on_disk,
            admitted: memory.saturating_add(shared).min(self.budget).max(least),
        }
    }

    /// The same for reading a header, of which nothing of any size comes in most formats.
    pub fn header_rooms(&self, length: u64) -> (Room, Option<Room>) {
        let on_disk = length > ON_DISK;
        let admitted = if on_disk { 0 } else { length };
        let first = Room { memory: 0, output: 0, scratch: 0, on_disk, admitted };
        (first, self.wider(first, 0, length))
    }

    fn wider(&self, first: Room, need: u64, length: u64) -> Option<Room> {
        let wanted = need.saturating_mul(4).saturating_add(WIDER).saturating_add(length);
        let admitted = wanted.min(self.budget).max(first.admitted);
        let free = admitted.saturating_sub(length);
        let room = Room {
            memory: (free / 4 * 3).max(first.memory),
            output: (free / 4).min(self.max_output).max(first.output),
            admitted,
            ..first
        };
        (room != first).then_some(room)
    }
}

impl Room {
    /// Whether more room might have spared the image this error.
    pub fn may_be_too_small_for(&self, error: &Error) -> bool {
        // Where a C library found no memory, its error is one of the last two.
        matches!(error.kind(), Kind::Memory | Kind::TooLarge | Kind::TooManyPixels | Kind::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn header(need: u64, scratch: u64, written: u64) -> Inspected {
        Inspected { format: "JPEG".to_owned(), width: 1, height: 1, need, scratch, written }
    }

    #[test]
    fn a_small_image_gets_little_and_then_more() {
        let house = House { budget: 1024 * MIB, slack: 16 * MIB, max_output: 1024 * MIB, threads: 2 };
        let (first, second) = house.rooms(&header(8 * MIB, 0, 0), MIB);
        let second = second.unwrap();
        assert_eq!((first.memory, first.output, first.admitted), (9 * MIB, 19 * MIB, 13 * MIB));
        assert_eq!((second.memory, second.output, second.admitted), (216 * MIB, 72 * MIB, 289 * MIB));
        let (header, second) = house.header_rooms(MIB);
        assert_eq!((header.memory, header.admitted, second.unwrap().memory), (0, MIB, 192 * MIB));
        assert_eq!((house.guess(1).memory, house.guess(MIB).memory), (18 * MIB, 27 * MIB));
        let room = house.guess(100 * MIB);
        assert_eq!(
            room.memory,
            (256 + 3) * MIB * 9 / 8,
            "a quarter of the budget, another thread, its reserve"
        );
        assert!(room.on_disk, "so large a source is not shared in memory");
    }

    #[test]
    fn an_image_that_just_fits_is_not_refused_and_not_tried_twice() {
        let house = House { budget: 100 * MIB, slack: 16 * MIB, max_output: 10 * MIB, threads: 2 };
        let (first, second) = house.rooms(&header(99 * MIB, 0, 0), MIB);
        assert_eq!((first.admitted, second), (100 * MIB, None));
        assert!(
            house.rooms(&header(100 * MIB, 0, 0), MIB).0.admitted > house.budget,
            "this one does not fit"
        );
    }

    #[test]
    fn what_lies_on_disk_takes_no_memory() {
        let house = House { budget: 128 * MIB, slack: 16 * MIB, max_output: 1024 * MIB, threads: 3 };
        let (room, _) = house.rooms(&header(16 * MIB, 300 * MIB, 600 * MIB), 90 * MIB);
        assert!(room.on_disk && room.scratch == 300 * MIB && room.output > 690 * MIB);
        assert_eq!(room.memory, (16 + 6) * MIB * 9 / 8, "two more threads");
        assert!(room.admitted <= 128 * MIB);
        // A pyramid that is small stays in memory, and is counted there.
        let (room, _) = house.rooms(&header(8 * MIB, 0, 24 * MIB), MIB);
        assert!(!room.on_disk && room.output >= 24 * MIB && room.admitted > 33 * MIB);
    }

    proptest! {
        #[test]
        fn a_second_try_never_gets_less(need in 0..1u64 << 40, length in 0..1u64 << 40, budget in 0..1u64 << 40) {
            let house = House { budget, slack: 16 * MIB, max_output: 64 * MIB, threads: 2 };
            let (first, second) = house.rooms(&header(need, 0, 0), length);
            prop_assert!(first.memory >= need && first.output <= 64 * MIB);
            if let Some(second) = second {
                prop_assert!(second.memory >= first.memory && second.output >= first.output);
                prop_assert!(second.admitted >= first.admitted && second.admitted <= budget.max(first.admitted));
            }
        }
    }
}
