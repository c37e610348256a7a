//! Values of single header fields, read by `mail-parser`.

use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, Address as ParsedAddress, HeaderValue};

use crate::clock::Timestamp;
use crate::mail::Address;

/// A value as the field parsers want it: ended by a line end.
fn line(value: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(value.len() + 1);
    line.extend_from_slice(value.as_bytes());
    line.push(b'\n');
    line
}

/// Unstructured text with RFC 2047 words decoded. May hold line breaks if a word held them.
pub(super) fn text(value: &str) -> String {
    let line = line(value);
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => String::new(),
    }
}

/// Addresses in order; groups are dissolved into their members.
pub(super) fn addresses(value: &str) -> Vec<Address> {
    let line = line(value);
    match MessageStream::new(&line).parse_address() {
        HeaderValue::Address(ParsedAddress::List(list)) => list.into_iter().filter_map(address).collect(),
        HeaderValue::Address(ParsedAddress::Group(groups)) => groups
            .into_iter()
            .flat_map(|group| group.addresses)
            .filter_map(address)
            .collect(),
        _ => Vec::new(),
    }
}

fn address(parsed: Addr<'_>) -> Option<Address> {
    let clean = |text: &str| -> String {
        let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        spaced.trim().to_owned()
    };
    let name = parsed.name.as_deref().map(clean).filter(|name| !name.is_empty());
    let address = parsed
        .address
        .as_deref()
        .map(clean)
        .filter(|address| !address.is_empty())?;
    Some(Address { name, address })
}

/// A date; `None` if it cannot be read.
pub(super) fn date(value: &str) -> Option<Timestamp> {
    let line = line(value);
    match MessageStream::new(&line).parse_date() {
        HeaderValue::DateTime(date) if date.is_valid() => Some(Timestamp::from_unix_seconds(date.to_timestamp())),
        _ => None,
    }
}

/// Message ids: what stands in angle brackets, or else every word with an `@`.
pub(super) fn ids(value: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((id, after)) = after.split_once('>') else {
            break;
        };
        // White space inside comes from folding.
        let id: String = id.chars().filter(|c| !c.is_whitespace()).collect();
        if !id.is_empty() {
            ids.push(id);
        }
        rest = after;
    }
    if ids.is_empty() {
        let words = value.split([' ', '\t', ',']).map(|word| word.trim_matches(['<', '>']));
        ids.extend(words.filter(|word| word.contains('@')).map(str::to_owned));
    }
    ids
}

/// A value with parameters: `Content-Type` or `Content-Disposition`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Structured {
    /// The value before the parameters, in lower case; for a content type what stands before the slash.
    pub(super) value: String,
    /// What stands after the slash, in lower case.
    pub(super) subtype: Option<String>,
    pub(super) parameters: Vec<(String, String)>,
}

impl Structured {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let line = line(value);
        let HeaderValue::ContentType(parsed) = MessageStream::new(&line).parse_content_type() else {
            return None;
        };
        let parameters = parsed
            .attributes
            .unwrap_or_default()
            .into_iter()
            .map(|attribute| (attribute.name.to_ascii_lowercase(), attribute.value.into_owned()))
            .collect();
        Some(Self {
            value: parsed.c_type.trim().to_ascii_lowercase(),
            subtype: parsed.c_subtype.map(|subtype| subtype.trim().to_ascii_lowercase()),
            parameters,
        })
    }

    /// The first parameter of this name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_and_out_of_brackets() {
        let cases: [(&str, &[&str]); 6] = [
            ("<a@b> <c@d>", &["a@b", "c@d"]),
            ("<a@b><c@d>", &["a@b", "c@d"]),
            ("a@b", &["a@b"]),
            ("Your message of Monday <a@b>", &["a@b"]),
            ("<a@\t b>", &["a@b"]),
            ("no id <", &[]),
        ];
        for (value, expected) in cases {
            assert_eq!(ids(value), expected, "{value:?}");
        }
    }

    #[test]
    fn parameters_continued_and_encoded() {
        let value = "attachment; filename*0*=UTF-8''%E6%97%A5; filename*1=x.pdf";
        let parsed = Structured::parse(value).unwrap();
        assert_eq!(
            (parsed.value.as_str(), parsed.parameter("filename")),
            ("attachment", Some("日x.pdf"))
        );
    }
}
