//! Numbers with units, as people type them.

/// More at once than any machine or server is good for.
const MOST: usize = 10_000;

pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=MOST) => Ok(number),
        _ => Err(format!("expected a whole number from 1 to {MOST}")),
    }
}

pub fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let number: f64 = text.parse().map_err(|_| "expected seconds, such as 30 or 0.5".to_owned())?;
    match std::time::Duration::try_from_secs_f64(number) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("expected seconds, more than 0".to_owned()),
    }
}

/// A share as a number up to 1 or as a percentage.
pub fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    match number {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share of the rows, such as 0.5 or 50%".to_owned()),
    }
}

pub fn size(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    scaled(text, &units).ok_or_else(|| "expected bytes, such as 1000000, 64MiB or 2GB".to_owned())
}

pub fn count(text: &str) -> Result<u64, String> {
    let units = [("k", 1000), ("M", 1_000_000), ("G", 1_000_000_000)];
    scaled(text, &units).ok_or_else(|| "expected a number, such as 1000000 or 100M".to_owned())
}

/// A number above zero with one of `units` behind it, or none.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1));
    let number: u64 = digits.trim().parse().ok()?;
    number.checked_mul(factor).filter(|product| *product > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_units() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("10"), Ok(10));
        assert_eq!(count("100M"), Ok(100_000_000));
        for bad in ["", "0", "-1", "5 parsecs", "99999999999GiB"] {
            assert!(size(bad).is_err() && count(bad).is_err(), "{bad}");
        }
        assert!(seconds("0").is_err() && seconds("nan").is_err() && seconds("-3").is_err());
        assert_eq!(seconds("0.5"), Ok(std::time::Duration::from_millis(500)));
    }
}
