//! Checks of single fields, before anything is written.

use crate::mail::{Address, BuildError, Field, Injection};

/// Longest address SMTP transports (RFC 5321, section 4.5.3.1, with the erratum on paths).
const MAX_ADDRESS: usize = 254;
/// Longest id that is kept; real ones are under 100 bytes.
const MAX_ID: usize = 500;

/// Refuses what could begin another header.
pub(super) fn header_text(field: Field, text: &str) -> Result<(), BuildError> {
    let what = text.chars().find_map(|c| match c {
        '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}' => Some(Injection::LineBreak),
        '\0' => Some(Injection::Nul),
        c if c.is_control() => Some(Injection::Control),
        _ => None,
    });
    match what {
        Some(what) => Err(BuildError::Injection { field, what }),
        None => Ok(()),
    }
}

/// Refuses what no text of a mail may hold: NUL, and control characters other than white space.
pub(super) fn body_text(field: Field, text: &str) -> Result<(), BuildError> {
    let what = text.chars().find_map(|c| match c {
        '\r' | '\n' | '\t' | '\u{c}' | '\u{85}' => None,
        '\0' => Some(Injection::Nul),
        c if c.is_control() => Some(Injection::Control),
        _ => None,
    });
    match what {
        Some(what) => Err(BuildError::Injection { field, what }),
        None => Ok(()),
    }
}

/// The address as it is written: name checked, domain in ASCII (RFC 5890), local part a dot-atom or quoted string.
pub(super) fn address(field: Field, address: &Address) -> Result<Address, BuildError> {
    if let Some(name) = &address.name {
        header_text(field, name)?;
    }
    header_text(field, &address.address)?;
    let invalid = || BuildError::InvalidAddress { field };
    let (local, domain) = address.address.trim().rsplit_once('@').ok_or_else(invalid)?;
    if !local.is_ascii() {
        return Err(BuildError::NonAsciiLocalPart { field });
    }
    if !is_dot_atom(local) && !is_quoted(local) {
        return Err(invalid());
    }
    let domain = domain_to_ascii(domain).ok_or_else(invalid)?;
    let written = format!("{local}@{domain}");
    if written.len() > MAX_ADDRESS || local.len() > 64 {
        return Err(invalid());
    }
    let name = address.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    Ok(Address {
        name: name.map(str::to_owned),
        address: written,
    })
}

/// A message id or content id without its angle brackets, if it is one.
pub(super) fn id(field: Field, id: &str) -> Result<String, BuildError> {
    let bare = id.trim();
    let bare = bare.strip_prefix('<').unwrap_or(bare);
    let bare = bare.strip_suffix('>').unwrap_or(bare);
    let fits = bare.len() <= MAX_ID
        && bare
            .split_once('@')
            .is_some_and(|(left, right)| !left.is_empty() && !right.is_empty())
        && bare.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>'));
    if fits {
        Ok(bare.to_owned())
    } else {
        Err(BuildError::InvalidId { field })
    }
}

/// `type/subtype` in lower case. Types that hold parts are refused: their content would be read as structure.
pub(super) fn content_type(text: &str) -> Result<String, BuildError> {
    header_text(Field::AttachmentType, text)?;
    let lower = text.trim().to_ascii_lowercase();
    let is_token = |word: &str| !word.is_empty() && word.len() <= 127 && word.bytes().all(is_token_byte);
    match lower.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) && kind != "multipart" => Ok(lower),
        _ => Err(BuildError::InvalidContentType),
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte)
}

fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    })
}

fn is_quoted(local: &str) -> bool {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    // Escapes and spaces are legal here but no provider gives such addresses out, and readers disagree on them.
    !inner.is_empty()
        && inner
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'))
}

fn domain_to_ascii(domain: &str) -> Option<String> {
    let ascii = if domain.is_ascii() {
        domain.to_owned()
    } else {
        idna::domain_to_ascii(domain).ok()?
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (ascii.len() <= 253 && ascii.split('.').all(is_label)).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let ok = [
            ("a@b.example", "a@b.example"),
            ("  a@b.example ", "a@b.example"),
            ("o'neil+tag@b.example", "o'neil+tag@b.example"),
            ("\"odd(local\"@b.example", "\"odd(local\"@b.example"),
            ("info@bücher.example", "info@xn--bcher-kva.example"),
            ("root@localhost", "root@localhost"),
        ];
        for (given, written) in ok {
            assert_eq!(address(Field::To, &Address::new(given)).unwrap().address, written);
        }
        let field = Field::To;
        let invalid = BuildError::InvalidAddress { field };
        let bad = [
            ("", invalid.clone()),
            ("nobody", invalid.clone()),
            ("@b.example", invalid.clone()),
            ("a@", invalid.clone()),
            ("a b@c.example", invalid.clone()),
            ("a..b@c.example", invalid.clone()),
            ("a@b..example", invalid.clone()),
            ("a@-b.example", invalid.clone()),
            ("a@b.example>, <c@d.example", invalid.clone()),
            ("a@b.example, c@d.example", invalid.clone()),
            ("<a@b.example>", invalid.clone()),
            ("a@[127.0.0.1]", invalid),
            ("grüße@b.example", BuildError::NonAsciiLocalPart { field }),
            (
                "a@b.example\r\nBcc: x@y.example",
                BuildError::Injection {
                    field,
                    what: Injection::LineBreak,
                },
            ),
            (
                "a\0@b.example",
                BuildError::Injection {
                    field,
                    what: Injection::Nul,
                },
            ),
        ];
        for (given, error) in bad {
            assert_eq!(address(field, &Address::new(given)), Err(error), "{given:?}");
        }
    }

    #[test]
    fn ids() {
        assert_eq!(id(Field::InReplyTo, "<a@b>").unwrap(), "a@b");
        assert_eq!(id(Field::InReplyTo, "a@b").unwrap(), "a@b");
        for bad in ["", "<>", "a", "a@", "@b", "a b@c", "a@b> <c@d", "ä@b", "a@b\r\nX: y"] {
            assert!(id(Field::InReplyTo, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn content_types() {
        assert_eq!(content_type("Application/PDF").unwrap(), "application/pdf");
        for bad in [
            "",
            "pdf",
            "a/b; name=x",
            "multipart/mixed",
            "a/b/c",
            "text/ plain",
            "a/\u{fc}",
        ] {
            assert!(content_type(bad).is_err(), "{bad:?}");
        }
    }
}
