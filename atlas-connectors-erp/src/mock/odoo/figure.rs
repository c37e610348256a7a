//! Decimal figures, exact and small: what the mock needs to round and to add up.

use std::cmp::Ordering;

/// A decimal number: `units` of ten to the minus `scale`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure {
    units: i128,
    scale: u32,
}

impl Figure {
    pub(super) const ZERO: Self = Self { units: 0, scale: 0 };

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let mut units: i128 = digits.parse().ok()?;
        let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        while scale < 0 {
            units = units.checked_mul(10)?;
            scale = scale.checked_add(1)?;
        }
        Some(Self {
            units,
            scale: u32::try_from(scale).ok()?,
        })
    }

    /// Rounded half up to so many digits.
    pub(super) fn rounded(self, digits: u32) -> Self {
        let Some(surplus) = self.scale.checked_sub(digits).filter(|surplus| *surplus > 0) else {
            return self;
        };
        let Some(divisor) = 10_i128.checked_pow(surplus) else {
            return Self::ZERO;
        };
        let half = divisor / 2;
        let shifted = if self.units < 0 {
            self.units.saturating_sub(half)
        } else {
            self.units.saturating_add(half)
        };
        Self {
            units: shifted / divisor,
            scale: digits,
        }
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self {
            units: self.units.saturating_mul(other.units),
            scale: self.scale.saturating_add(other.scale),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let (left, right, scale) = aligned(self, other);
        Self {
            units: left.saturating_add(right),
            scale,
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(Self {
            units: other.units.saturating_neg(),
            ..other
        })
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        let (left, right, _) = aligned(self, other);
        left.cmp(&right)
    }

    /// As the server writes a float: at least one digit after the point.
    pub(super) fn text(self) -> String {
        let negative = self.units < 0;
        let digits = self.units.unsigned_abs().to_string();
        let scale = usize::try_from(self.scale).unwrap_or(0);
        let padded = format!("{digits:0>width$}", width = scale.saturating_add(1));
        let (whole, fraction) = padded.split_at(padded.len().saturating_sub(scale));
        let fraction = fraction.trim_end_matches('0');
        let fraction = if fraction.is_empty() { "0" } else { fraction };
        format!("{}{whole}.{fraction}", if negative { "-" } else { "" })
    }
}

fn aligned(left: Figure, right: Figure) -> (i128, i128, u32) {
    let scale = left.scale.max(right.scale);
    let widen = |figure: Figure| {
        let factor = 10_i128.saturating_pow(scale.saturating_sub(figure.scale));
        figure.units.saturating_mul(factor)
    };
    (widen(left), widen(right), scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_round_and_print_as_the_server_does() {
        for (text, digits, printed) in [
            ("1.23456", 2, "1.23"),
            ("0.335", 2, "0.34"),
            ("3.3333", 2, "3.33"),
            ("12", 2, "12.0"),
            ("-0.005", 2, "-0.01"),
            ("1e2", 2, "100.0"),
            ("1234567890123456789012345.678", 6, "1234567890123456789012345.678"),
        ] {
            assert_eq!(Figure::parse(text).unwrap().rounded(digits).text(), printed, "{text}");
        }
    }
}
