//! Exact numbers.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Add, Mul, Neg, Sub};
use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive as _, Zero as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most digits a number may have, before and after the point together.
const MOST_DIGITS: usize = 200;
/// Largest exponent in either direction.
const MOST_EXPONENT: i64 = 200;

/// An exact decimal number: an amount, a price, a quantity. Keeps every digit and the number of digits after the point, and
/// never passes through a binary float.
///
/// Equal by value: `1.50` equals `1.5`. Written and serialised as plain text (`"1.50"`), read from text and from JSON numbers.
///
/// ```
/// use atlas_connectors::erp::Decimal;
///
/// let price: Decimal = "1234567890123456789012.345678".parse()?;
/// let quantity = Decimal::from(2);
/// assert_eq!((price * quantity).to_string(), "2469135780246913578024.691356");
/// assert_eq!("0.10".parse::<Decimal>()?.scale(), 2);
/// # Ok::<(), atlas_connectors::erp::ParseDecimalError>(())
/// ```
#[derive(Clone)]
pub struct Decimal(BigDecimal);

/// The text is not a decimal number, or has more than 200 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number such as -12.50")]
pub struct ParseDecimalError;

impl Decimal {
    /// Zero.
    pub fn zero() -> Self {
        Self(BigDecimal::from(0))
    }

    /// Number of digits after the point; 0 for whole numbers.
    pub fn scale(&self) -> u32 {
        let (_, scale) = self.0.as_bigint_and_exponent();
        u32::try_from(scale.max(0)).unwrap_or(u32::MAX)
    }

    /// Number of digits in all, without leading zeros.
    pub fn precision(&self) -> u64 {
        self.0.digits()
    }

    /// Rounded half up, away from zero, to so many digits after the point, as invoices are.
    #[must_use]
    pub fn round(&self, scale: u32) -> Self {
        Self(self.0.with_scale_round(i64::from(scale), RoundingMode::HalfUp))
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// The number as a whole one, if it is one that fits.
    pub fn to_i64(&self) -> Option<i64> {
        self.0.is_integer().then(|| self.0.to_i64()).flatten()
    }
}

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    /// Reads `-12.50`, `.5`, `1e-7`: decimal text as ERPs and JSON write it. No spaces, no thousands separators.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| ParseDecimalError)?),
            None => (text, 0),
        };
        let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let plain = digits.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        let has_digit = digits.bytes().any(|c| c.is_ascii_digit());
        let points = digits.bytes().filter(|c| *c == b'.').count();
        if !plain || !has_digit || points > 1 || digits.len() > MOST_DIGITS || exponent.abs() > MOST_EXPONENT {
            return Err(ParseDecimalError);
        }
        let number: BigDecimal = mantissa.parse().map_err(|_| ParseDecimalError)?;
        if exponent == 0 {
            return Ok(Self(number));
        }
        let (integer, scale) = number.into_bigint_and_exponent();
        let moved = BigDecimal::new(integer, scale - exponent);
        // A positive exponent means zeros before the point, not a coarser number.
        let (_, scale) = moved.as_bigint_and_exponent();
        Ok(Self(if scale < 0 { moved.with_scale(0) } else { moved }))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(true, "", &self.0.to_plain_string())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({})", self.0.to_plain_string())
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.normalized().hash(state);
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self(BigDecimal::from(number))
    }
}

impl Add for Decimal {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Decimal {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul for Decimal {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl std::iter::Sum for Decimal {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::zero(), Add::add)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// Reads text and whole numbers. A JSON number with a point is refused: the parser would have made a float of it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number as text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Decimal, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Decimal, E> {
                Ok(Decimal::from(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Decimal, E> {
                Ok(Decimal(BigDecimal::from(number)))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn keeps_every_digit_and_the_scale() {
        for text in [
            "1234567890123456789012.345678",
            "10.00",
            "-0.001",
            "0",
            "9999999999999999999999999999",
        ] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("10.00").scale(), 2);
        assert_eq!(decimal("10.00"), decimal("10"));
    }

    #[test]
    fn reads_what_json_writes() {
        assert_eq!(decimal("1e-7").to_string(), "0.0000001");
        assert_eq!(decimal("1.5E3").to_string(), "1500");
        assert_eq!(decimal("+3").to_string(), "3");
        assert_eq!(decimal(".5").to_string(), "0.5");
    }

    #[test]
    fn refuses_what_is_no_number_and_what_would_take_the_memory() {
        let long = "9".repeat(201);
        for text in [
            "",
            "-",
            ".",
            "1.2.3",
            "1,5",
            " 1",
            "NaN",
            "inf",
            "0x1",
            "1e999999999",
            "1e",
            "--1",
            "1_000",
            &long,
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn equal_numbers_hash_alike() {
        let hash = |number: &Decimal| {
            let mut state = std::hash::DefaultHasher::new();
            number.hash(&mut state);
            state.finish()
        };
        assert_eq!(hash(&decimal("1.50")), hash(&decimal("1.5")));
        assert_eq!(hash(&decimal("0.00")), hash(&decimal("0")));
    }

    #[test]
    fn rounds_half_away_from_zero() {
        assert_eq!(decimal("0.335").round(2).to_string(), "0.34");
        assert_eq!(decimal("-0.335").round(2).to_string(), "-0.34");
        assert_eq!(decimal("1").round(2).to_string(), "1.00");
    }

    #[test]
    fn json_is_text() {
        let json = serde_json::to_string(&decimal("1.10")).unwrap();
        assert_eq!(json, "\"1.10\"");
        assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap().to_string(), "1.10");
        assert_eq!(serde_json::from_str::<Decimal>("7").unwrap().to_string(), "7");
        assert!(serde_json::from_str::<Decimal>("1.1").is_err());
    }
}
