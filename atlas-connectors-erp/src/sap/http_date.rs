//! Moments as HTTP headers write them: `Thu, 26 Nov 2026 21:17:41 GMT` (RFC 9110, section 5.6.7).

use atlas_connectors::Timestamp;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The moment as a header value, whole seconds.
pub(crate) fn format(moment: Timestamp) -> String {
    let text = Timestamp::from_unix_seconds(moment.unix_seconds()).to_string();
    let number = |from: usize, to: usize| text.get(from..to).unwrap_or("00");
    let day = moment.unix_seconds().div_euclid(86_400).rem_euclid(7);
    let weekday = usize::try_from(day)
        .ok()
        .and_then(|day| DAYS.get(day))
        .unwrap_or(&"Thu");
    let month = number(5, 7)
        .parse::<usize>()
        .ok()
        .and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    format!(
        "{weekday}, {} {} {} {} GMT",
        number(8, 10),
        month.unwrap_or(&"Jan"),
        number(0, 4),
        number(11, 19)
    )
}

/// The moment of a header value in the one form that servers write today.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.trim().split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    (parts.next()? == "GMT").then_some(())?;
    format!("{year}-{month:02}-{day:0>2}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_go_there_and_back() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_795_727_861, "Thu, 26 Nov 2026 21:17:41 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        ] {
            let moment = Timestamp::from_unix_seconds(seconds);
            assert_eq!(format(moment), text);
            assert_eq!(parse(text), Some(moment));
        }
        for rubbish in ["", "yesterday", "Thu, 26 Nov 2026", "Thu, 26 Foo 2026 21:17:41 GMT"] {
            assert_eq!(parse(rubbish), None, "{rubbish}");
        }
    }
}
