//! Non-negative decimal numbers as IIIF writes them: exact, so that a canonical request parses to itself.

use std::fmt;
use std::str::FromStr;

use super::RecipeError;

/// A number of 0 or more with at most ten decimal places (Image API 3.0 §4.7), held exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal {
    /// In units of 10⁻¹⁰.
    units: u64,
}

const PLACES: usize = 10;
const ONE: u64 = 10_000_000_000;

impl Decimal {
    /// Zero.
    pub const ZERO: Decimal = Decimal { units: 0 };

    /// A whole number.
    pub const fn whole(n: u32) -> Self {
        Self { units: n as u64 * ONE }
    }

    /// The nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        self.units as f64 / ONE as f64
    }

    /// This many hundredths of `n` pixels, rounded to the nearest whole pixel.
    pub(crate) fn percent_of(self, n: u32) -> u64 {
        let hundred = u128::from(ONE) * 100;
        let scaled = u128::from(self.units) * u128::from(n);
        u64::try_from((scaled + hundred / 2) / hundred).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.units / ONE, self.units % ONE);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let rest = format!("{rest:010}");
        write!(f, "{whole}.{}", rest.trim_end_matches('0'))
    }
}

impl FromStr for Decimal {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let bad =
            || RecipeError::bad("number", text, "digits with at most ten decimal places, as in 12 or 12.5");
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let no_digits = whole.is_empty() && rest.is_empty();
        let dangling = text.ends_with('.');
        if no_digits || dangling || whole.len() > 9 || rest.len() > PLACES || !digits(whole) || !digits(rest)
        {
            return Err(bad());
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
        let rest: u64 = format!("{rest:0<PLACES$}").parse().map_err(|_| bad())?;
        Ok(Self { units: whole * ONE + rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_canonical_form() {
        for (given, canonical) in
            [("0", "0"), ("007", "7"), ("1.50", "1.5"), (".5", "0.5"), ("22.5000000001", "22.5000000001")]
        {
            assert_eq!(given.parse::<Decimal>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn refuses_what_is_no_plain_decimal() {
        for bad in ["", ".", "1.", "-1", "+1", "1e3", "1.12345678901", "٣", " 1", "1234567890", "inf"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn percent_rounds_to_the_nearest_pixel() {
        let third: Decimal = "33.3333".parse().unwrap();
        assert_eq!(third.percent_of(300), 100);
        assert_eq!(Decimal::whole(50).percent_of(3), 2);
        assert_eq!(Decimal::whole(100).percent_of(u32::MAX), u64::from(u32::MAX));
    }
}
