//! Names of enum members as they travel: `In Review` is `In_x0020_Review`, a blank option is `_x0020_`.
//!
//! Source: `business-central.md`, section 3.

use std::fmt::Write as _;

/// The member as a person reads it. The blank option gives empty text; what is not an escape stays as it is.
///
/// ```
/// use atlas_connectors_erp::business_central::member;
///
/// assert_eq!(member::decode("In_x0020_Review"), "In Review");
/// assert_eq!(member::decode("_x0020_"), "");
/// assert_eq!(member::decode("Draft"), "Draft");
/// ```
pub fn decode(wire: &str) -> String {
    let mut text = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some(at) = rest.find("_x") {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        if let Some((character, length)) = escaped(escape) {
            text.push(character);
            rest = escape.get(length..).unwrap_or_default();
        } else {
            text.push('_');
            rest = escape.get(1..).unwrap_or_default();
        }
    }
    text.push_str(rest);
    if text.trim().is_empty() { String::new() } else { text }
}

/// The member as the service wants it, in bodies and in filters.
///
/// ```
/// use atlas_connectors_erp::business_central::member;
///
/// assert_eq!(member::encode("Non-Inventory"), "Non_x002D_Inventory");
/// assert_eq!(member::encode(""), "_x0020_");
/// ```
pub fn encode(text: &str) -> String {
    if text.is_empty() {
        return "_x0020_".to_owned();
    }
    let mut wire = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        // An underscore that looks like the beginning of an escape would be read as one.
        let looks_like_escape = character == '_' && text.get(at..).and_then(escaped).is_some();
        if (character.is_alphanumeric() || character == '_') && !looks_like_escape {
            wire.push(character);
        } else {
            let code = u32::from(character);
            // Writing to a String cannot fail.
            let _ = match code {
                0..=0xFFFF => write!(wire, "_x{code:04X}_"),
                _ => write!(wire, "_x{code:08X}_"),
            };
        }
    }
    wire
}

/// The character of an escape at the beginning of the text, and the escape's length.
fn escaped(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix("_x")?;
    [4, 8].into_iter().find_map(|count| {
        let code = digits.get(..count)?;
        let closes = digits.as_bytes().get(count) == Some(&b'_');
        let hexadecimal = code.bytes().all(|byte| byte.is_ascii_hexdigit());
        let character = u32::from_str_radix(code, 16).ok().and_then(char::from_u32)?;
        (closes && hexadecimal).then_some((character, count + 3))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_escapes_of_the_captured_metadata_are_read_and_written() {
        for (wire, text) in [
            ("In_x0020_Review", "In Review"),
            ("Non_x002D_Inventory", "Non-Inventory"),
            ("G_x002F_L_x0020_Account", "G/L Account"),
            ("Charge_x0020__x0028_Item_x0029_", "Charge (Item)"),
            ("a_x002E_b_x002B_c", "a.b+c"),
            ("Draft", "Draft"),
            ("snake_case", "snake_case"),
            ("_x0020_", ""),
        ] {
            assert_eq!(decode(wire), text, "{wire}");
            assert_eq!(encode(text), wire, "{text}");
        }
    }

    #[test]
    fn text_that_only_looks_like_an_escape_survives() {
        for text in ["_x", "a_x12", "a_xZZZZ_b", "_x0020", "äöü", "a_x0041_b", "x_y", "😀"] {
            assert_eq!(decode(&encode(text)), text, "{text}");
        }
        assert_eq!(decode("a_x0041_b"), "aAb");
        assert_eq!(decode("lower_x00e4_"), "lowerä");
        assert_eq!(decode("_xD800_"), "_xD800_", "half a surrogate is no character");
    }

    proptest::proptest! {
        #[test]
        fn every_text_comes_back(text in "\\PC{0,24}") {
            let back = decode(&encode(&text));
            proptest::prop_assert_eq!(back, if text.trim().is_empty() { String::new() } else { text });
        }
    }
}
