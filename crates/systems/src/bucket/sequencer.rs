//! The order of a key's events: S3 numbers them, and delivers them in any order.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

/// No store's are longer.
const LONGEST: usize = 64;

/// When an event of a key happened among the others of that key. S3 says to compare the hexadecimal digits after the
/// shorter one got zeros at its end; two keys' sequencers say nothing of each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sequencer(String);

impl Sequencer {
    /// The sequencer of an event that has none, by its time: S3's own begin with the seconds since 1970.
    pub fn of_time(time: DateTime<Utc>) -> Self {
        let seconds = u32::try_from(time.timestamp()).unwrap_or_default();
        Sequencer(format!("00{seconds:08X}{:08X}", time.timestamp_subsec_nanos()))
    }

    /// The sequencer that an object's name begins with.
    pub fn of_name(name: &str) -> Option<Self> {
        let digits = name.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(name.len());
        name[..digits].parse().ok()
    }

    fn padded(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().chain(std::iter::repeat(b'0')).take(LONGEST)
    }
}

impl FromStr for Sequencer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits { Ok(Sequencer(text.to_ascii_uppercase())) } else { Err(()) }
    }
}

impl fmt::Display for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Sequencer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.padded().cmp(other.padded()).then(self.0.len().cmp(&other.0.len()))
    }
}

impl PartialOrd for Sequencer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequencer(text: &str) -> Sequencer {
        text.parse().unwrap()
    }

    #[test]
    fn shorter_ones_are_padded_at_their_end() {
        assert!(sequencer("0055AED6DCD90281E5") < sequencer("0055AED6DCD90281E6"));
        assert!(sequencer("0055AED6DC") < sequencer("0055AED6DCD90281E5"));
        assert!(sequencer("0056") > sequencer("0055AED6DCD90281E5"), "as numbers it would be the other way");
        assert!(sequencer("ab") > sequencer("AA"));
        assert!("".parse::<Sequencer>().is_err() && "00xy".parse::<Sequencer>().is_err());
        assert_eq!(Sequencer::of_name("0055AED6-9f.json"), Some(sequencer("0055AED6")));
    }

    #[test]
    fn a_time_takes_its_place_among_s3s_own() {
        // This sequencer and time are of one event in AWS's documentation of S3 events for EventBridge tools.
        let time: DateTime<Utc> = "2023-08-09T13:09:50Z".parse().unwrap();
        let before = Sequencer::of_time(time - chrono::Duration::hours(1));
        let after = Sequencer::of_time(time + chrono::Duration::hours(1));
        let theirs = sequencer("0064D3901D00059242");
        assert!(before < theirs && theirs < after, "{before} {theirs} {after}");
    }

    proptest::proptest! {
        #[test]
        fn the_order_is_total(a in "[0-9A-F]{1,20}", b in "[0-9A-F]{1,20}", c in "[0-9A-F]{1,20}") {
            let mut three = [sequencer(&a), sequencer(&b), sequencer(&c)];
            three.sort();
            proptest::prop_assert!(three[0] <= three[1] && three[1] <= three[2] && three[0] <= three[2]);
            proptest::prop_assert_eq!(sequencer(&a).cmp(&sequencer(&b)), sequencer(&b).cmp(&sequencer(&a)).reverse());
        }
    }
}
