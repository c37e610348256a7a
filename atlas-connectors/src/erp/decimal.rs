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
pub struct Decimal(Repr);

/// Nearly every number of a business fits a machine word; reading millions of them should not ask for memory each time.
#[derive(Clone)]
enum Repr {
    /// `mantissa` / 10^`scale`.
    Small { mantissa: i64, scale: u8 },
    /// Everything else. Its scale is never negative.
    Big(Box<BigDecimal>),
}

/// The text is not a decimal number, or has more than 200 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number such as -12.50")]
pub struct ParseDecimalError;

impl Decimal {
    /// Zero.
    pub const fn zero() -> Self {
        Self(Repr::Small { mantissa: 0, scale: 0 })
    }

    /// Number of digits after the point; 0 for whole numbers.
    pub fn scale(&self) -> u32 {
        match &self.0 {
            Repr::Small { scale, .. } => u32::from(*scale),
            Repr::Big(number) => u32::try_from(number.as_bigint_and_exponent().1.max(0)).unwrap_or(u32::MAX),
        }
    }

    /// Number of digits in all, without leading zeros.
    pub fn precision(&self) -> u64 {
        self.big().digits()
    }

    /// Rounded half up, away from zero, to so many digits after the point, as invoices are.
    #[must_use]
    pub fn round(&self, scale: u32) -> Self {
        Self::of(self.big().with_scale_round(i64::from(scale), RoundingMode::HalfUp))
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        match &self.0 {
            Repr::Small { mantissa, .. } => *mantissa == 0,
            Repr::Big(number) => number.is_zero(),
        }
    }

    /// The number as a whole one, if it is one that fits.
    pub fn to_i64(&self) -> Option<i64> {
        if let Repr::Small { mantissa, scale: 0 } = self.0 {
            return Some(mantissa);
        }
        let number = self.big();
        number.is_integer().then(|| number.to_i64()).flatten()
    }

    fn big(&self) -> BigDecimal {
        match &self.0 {
            Repr::Small { mantissa, scale } => BigDecimal::new((*mantissa).into(), i64::from(*scale)),
            Repr::Big(number) => (**number).clone(),
        }
    }

    fn of(number: BigDecimal) -> Self {
        let (integer, scale) = number.as_bigint_and_exponent();
        match (integer.to_i64(), u8::try_from(scale)) {
            (Some(mantissa), Ok(scale)) => Self(Repr::Small { mantissa, scale }),
            _ => Self(Repr::Big(Box::new(number))),
        }
    }

    /// Plain digits with at most one point and a sign, if all of them fit a machine word.
    fn small(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (mut mantissa, mut seen, mut scale, mut pointed) = (0_i64, 0_u8, 0_u8, false);
        for byte in digits {
            match byte {
                // One more may not fit.
                b'0'..=b'9' if seen == 18 => return None,
                b'0'..=b'9' => {
                    mantissa = mantissa * 10 + i64::from(byte - b'0');
                    seen += 1;
                    scale += u8::from(pointed);
                }
                b'.' if !pointed => pointed = true,
                _ => return None,
            }
        }
        let mantissa = if negative { -mantissa } else { mantissa };
        (seen > 0).then_some(Self(Repr::Small { mantissa, scale }))
    }
}

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    /// Reads `-12.50`, `.5`, `1e-7`: decimal text as ERPs and JSON write it. No spaces, no thousands separators.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(small) = Self::small(text) {
            return Ok(small);
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| ParseDecimalError)?),
            None => (text, 0),
        };
        let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let plain = digits.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        let has_digit = digits.bytes().any(|c| c.is_ascii_digit());
        let points = digits.bytes().filter(|c| *c == b'.').count();
        let bounds = -MOST_EXPONENT..=MOST_EXPONENT;
        if !plain || !has_digit || points > 1 || digits.len() > MOST_DIGITS || !bounds.contains(&exponent) {
            return Err(ParseDecimalError);
        }
        let number: BigDecimal = mantissa.parse().map_err(|_| ParseDecimalError)?;
        let (integer, scale) = number.into_bigint_and_exponent();
        let moved = BigDecimal::new(integer, scale - exponent);
        // A positive exponent means zeros before the point, not a coarser number.
        let (_, scale) = moved.as_bigint_and_exponent();
        Ok(Self::of(if scale < 0 { moved.with_scale(0) } else { moved }))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repr::Small { mantissa, scale } = &self.0 else {
            return f.pad_integral(true, "", &self.big().to_plain_string());
        };
        let scale = usize::from(*scale);
        let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if *mantissa < 0 { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        if f.width().is_some() {
            return f.pad_integral(true, "", &format!("{sign}{whole}{point}{fraction}"));
        }
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
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
        match (&self.0, &other.0) {
            (
                Repr::Small { mantissa: mine, scale },
                Repr::Small {
                    mantissa: theirs,
                    scale: other,
                },
            ) if scale == other => mine.cmp(theirs),
            _ => self.big().cmp(&other.big()),
        }
    }
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.big().normalized().hash(state);
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self(Repr::Small {
            mantissa: number,
            scale: 0,
        })
    }
}

impl Add for Decimal {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::of(self.big() + other.big())
    }
}

impl Sub for Decimal {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::of(self.big() - other.big())
    }
}

impl Mul for Decimal {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::of(self.big() * other.big())
    }
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self::of(-self.big())
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
                Ok(Decimal::of(BigDecimal::from(number)))
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
    fn both_forms_are_one_number() {
        // Around the eighteen digits at which the form changes, with and without sign, point and zeros.
        let digits = "1234567890123456789012345";
        for length in 1..=digits.len() {
            for point in 0..=length {
                for sign in ["", "-"] {
                    let (whole, fraction) = digits[..length].split_at(point);
                    let whole = if whole.is_empty() { "0" } else { whole };
                    let text = match fraction {
                        "" => format!("{sign}{whole}"),
                        fraction => format!("{sign}{whole}.{fraction}"),
                    };
                    let number = decimal(&text);
                    assert_eq!(number.to_string(), text);
                    assert_eq!(number.big().to_plain_string(), text);
                    assert_eq!(number, decimal(&format!("{text}e0")));
                    let wider = if fraction.is_empty() {
                        format!("{text}.000")
                    } else {
                        format!("{text}000")
                    };
                    assert_eq!(number, decimal(&wider));
                    assert!(number < number.clone() + decimal("0.0000000000000000000000001"));
                }
            }
        }
        assert_eq!((decimal("0.05") + decimal("0.950")).to_string(), "1.000");
        assert_eq!((-decimal("0.00")).to_string(), "0.00");
        assert_eq!(format!("{:>8}|", decimal("-1.5")), "    -1.5|");
        assert_eq!(decimal("-9223372036854775808").to_i64(), Some(i64::MIN));
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
