//! The one parser for "come back later".

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::fmt::strtime;

use crate::clock::Timestamp;

/// The longest pause that is taken from a provider: 24 hours. Mail sending limits last hours; longer is a mistake.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The moment named by a `Retry-After` header (RFC 9110, section 10.2.3), in seconds or as a date, kept between now and
/// [`LONGEST_PAUSE`] from now. Negative numbers and junk count as no header.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    parse_retry_after(text, now)
}

/// As [`retry_after`], for a time that stands elsewhere: a body, a message. Takes RFC 3339 as well, which is how
/// Gmail writes it (`gmail.md`, section 7).
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let at = match seconds(text) {
        Some(pause) => now.after(pause),
        None => date(text)?,
    };
    Some(clamp_retry(at, now))
}

/// Keeps a moment between now and [`LONGEST_PAUSE`] from now.
pub fn clamp_retry(at: Timestamp, now: Timestamp) -> Timestamp {
    at.clamp(now, now.after(LONGEST_PAUSE))
}

/// Whole seconds, or with a fraction as some servers write them.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    // More digits than a number holds is a very long time, not junk.
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    let started = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    Some(Duration::from_secs(whole.saturating_add(started)).min(LONGEST_PAUSE))
}

/// The three date forms of RFC 9110, section 5.6.7, and RFC 3339.
fn date(text: &str) -> Option<Timestamp> {
    let utc = |format: &str| {
        let moment = strtime::parse(format, text).ok()?.to_datetime().ok()?;
        moment
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    let rfc2822 = || jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let moment = rfc2822()
        .or_else(|| text.parse().ok())
        .or_else(|| utc("%A, %d-%b-%y %H:%M:%S GMT"))
        .or_else(|| utc("%a %b %e %H:%M:%S %Y"))?;
    Some(Timestamp::from_unix_millis(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    #[test]
    fn seconds_dates_and_junk() {
        let now: Timestamp = NOW.parse().unwrap();
        let day = now.after(LONGEST_PAUSE).to_string();
        let table: &[(&str, Option<&str>)] = &[
            ("120", Some("2026-11-22T12:02:00Z")),
            (" 120 ", Some("2026-11-22T12:02:00Z")),
            ("0", Some(NOW)),
            ("1.5", Some("2026-11-22T12:00:02Z")),
            ("2.0", Some("2026-11-22T12:00:02Z")),
            ("Sun, 22 Nov 2026 12:00:30 GMT", Some("2026-11-22T12:00:30Z")),
            ("Sunday, 22-Nov-26 12:00:30 GMT", Some("2026-11-22T12:00:30Z")),
            ("Sun Nov 22 12:00:30 2026", Some("2026-11-22T12:00:30Z")),
            ("2026-11-22T12:00:30.000Z", Some("2026-11-22T12:00:30Z")),
            // Past dates mean now.
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(NOW)),
            // Huge ones are cut to a day.
            ("99999999", Some(&day)),
            ("99999999999999999999999999", Some(&day)),
            ("Fri, 22 Nov 2999 12:00:00 GMT", Some(&day)),
            // Junk counts as absent.
            ("-5", None),
            ("+5", None),
            ("", None),
            (".", None),
            ("soon", None),
            ("1e9", None),
            ("12 s", None),
            ("NaN", None),
        ];
        for (text, expected) in table {
            let at = parse_retry_after(text, now).map(|at| at.to_string());
            assert_eq!(at.as_deref(), *expected, "{text:?}");
        }
    }

    #[test]
    fn the_header_is_read_and_its_absence_is_none() {
        let now: Timestamp = NOW.parse().unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers, now), None);
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        assert_eq!(retry_after(&headers, now), Some(now.after(Duration::from_secs(7))));
        headers.insert(RETRY_AFTER, http::HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(retry_after(&headers, now), None);
    }
}
