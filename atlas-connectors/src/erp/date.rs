//! Days and times of day without a zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;

/// Declares a civil time over jiff with text as its only form.
macro_rules! civil {
    ($(#[$meta:meta])* $name:ident, $inner:ty, $error:ident, $message:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        #[doc = concat!("The text is not of the form of a [`", stringify!($name), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[error($message)]
        pub struct $error;

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

civil! {
    /// A day of the calendar without time and zone, written `2026-11-22`.
    Date, jiff::civil::Date, ParseDateError, "not a day such as 2026-11-22"
}
civil! {
    /// A time of day without day and zone, written `09:30:00`.
    TimeOfDay, jiff::civil::Time, ParseTimeOfDayError, "not a time of day such as 09:30:00"
}

impl Date {
    /// A day from year, month (1 to 12) and day of the month; `None` if there is no such day.
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        jiff::civil::Date::new(year, month, day).ok().map(Self)
    }

    /// The day on which this moment falls in UTC.
    pub fn of(moment: Timestamp) -> Self {
        Self(moment.jiff().to_zoned(jiff::tz::TimeZone::UTC).date())
    }

    /// The moment at which it begins in UTC.
    pub fn midnight(self) -> Timestamp {
        let zoned = self.0.to_zoned(jiff::tz::TimeZone::UTC);
        Timestamp::from_unix_millis(zoned.map_or(0, |zoned| zoned.timestamp().as_millisecond()))
    }

    /// The day so many days later, or earlier for a negative number; stops at the ends of the calendar.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        let span = jiff::Span::new().try_days(days).unwrap_or_default();
        Self(self.0.saturating_add(span))
    }
}

impl FromStr for Date {
    type Err = ParseDateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [year, month, day] = numbers(text, '-').ok_or(ParseDateError)?;
        let fits = text.len() == 10;
        let parts = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
        match parts {
            (Ok(year), Ok(month), Ok(day)) if fits => Self::new(year, month, day).ok_or(ParseDateError),
            _ => Err(ParseDateError),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl TimeOfDay {
    /// A time from hour, minute and second; `None` if there is no such time.
    pub fn new(hour: i8, minute: i8, second: i8) -> Option<Self> {
        jiff::civil::Time::new(hour, minute, second, 0).ok().map(Self)
    }

    /// Hour, minute and second.
    pub fn parts(self) -> (i8, i8, i8) {
        (self.0.hour(), self.0.minute(), self.0.second())
    }
}

impl FromStr for TimeOfDay {
    type Err = ParseTimeOfDayError;

    /// Reads `09:30:00` and drops a fraction of a second.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|c| c.is_ascii_digit()) => whole,
            Some(_) => return Err(ParseTimeOfDayError),
            None => text,
        };
        let [hour, minute, second] = numbers(whole, ':').ok_or(ParseTimeOfDayError)?;
        match (i8::try_from(hour), i8::try_from(minute), i8::try_from(second)) {
            (Ok(hour), Ok(minute), Ok(second)) => Self::new(hour, minute, second).ok_or(ParseTimeOfDayError),
            _ => Err(ParseTimeOfDayError),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.parts();
        write!(f, "{hour:02}:{minute:02}:{second:02}")
    }
}

/// Three unsigned numbers with this between them and nothing else.
fn numbers(text: &str, between: char) -> Option<[u16; 3]> {
    let mut parts = text.split(between).map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_and_write_in_one_form() {
        for text in ["2026-11-22", "0001-01-01", "9999-12-31", "2024-02-29"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-1-2",
            "2026-02-30",
            "2026-11-22T00:00:00",
            "22.11.2026",
            "+026-11-22",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_has_its_moment_in_utc() {
        let day: Date = "2026-11-22".parse().unwrap();
        assert_eq!(day.midnight().to_string(), "2026-11-22T00:00:00Z");
        assert_eq!(Date::of("2026-11-22T23:59:59Z".parse().unwrap()), day);
        assert_eq!(day.plus_days(10).to_string(), "2026-12-02");
        assert_eq!(day.plus_days(-22).to_string(), "2026-10-31");
    }

    #[test]
    fn times_of_day_drop_fractions() {
        assert_eq!("23:59:59.1234567".parse::<TimeOfDay>().unwrap().to_string(), "23:59:59");
        for text in ["", "24:00:00", "1:2", "01:02:03Z", "01:02:03.x"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }
}
