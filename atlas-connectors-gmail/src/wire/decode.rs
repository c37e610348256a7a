//! From an answer's body to its type, keeping nothing of the body in an error.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use atlas_connectors::Result;
use atlas_connectors::error::{BadPayload, Effect, Error};
use atlas_connectors::http::{CallClass, Response};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::error::Category;

use crate::wire::Method;

/// Reads a JSON answer of this method; the type may borrow from it.
///
/// # Errors
/// [`BadPayload`]: ended early, not JSON (an HTML page), or a field of another type. The error holds the body's length,
/// never its text. For an effect it says that the effect happened: the provider answered with success.
pub fn json<'a, T: Deserialize<'a>>(method: Method, response: &'a Response) -> Result<T> {
    serde_json::from_slice(&response.body).map_err(|error| {
        let fault = match error.classify() {
            Category::Eof if !response.body.is_empty() => BadPayload::Truncated,
            Category::Data | Category::Io => BadPayload::Type,
            Category::Eof | Category::Syntax if starts_like_json(&response.body) => BadPayload::Syntax,
            Category::Eof | Category::Syntax => BadPayload::Type,
        };
        let error = Error::new(fault, method.name())
            .with_class(method.operation_class())
            .with_provider(crate::provider())
            .with_status(response.status.as_u16())
            .with_context("bytes", response.body.len());
        match method.class() {
            CallClass::Effect => error.with_effect(Effect::Happened),
            CallClass::Read => error,
        }
    })
}

fn starts_like_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

/// `deserialize_with` for a 64-bit number that is a JSON string (as documented) or a number (as seen).
pub(crate) fn number<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: FromStr + TryFrom<i64> + TryFrom<u64>,
{
    deserializer.deserialize_any(Number(PhantomData)).map(Some)
}

struct Number<N>(PhantomData<N>);

impl<N: FromStr + TryFrom<i64> + TryFrom<u64>> Visitor<'_> for Number<N> {
    type Value = N;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a string that holds one")
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<N, E> {
        N::try_from(value).map_err(|_| E::custom("number out of range"))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<N, E> {
        N::try_from(value).map_err(|_| E::custom("number out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<N, E> {
        value.parse().map_err(|_| E::custom("not a number"))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(default, deserialize_with = "number")]
        size: Option<u64>,
    }

    fn decode(body: &'static str) -> Result<Sample> {
        json(
            Method::MessagesGet,
            &Response::new(StatusCode::OK, HeaderMap::new(), Bytes::from_static(body.as_bytes())),
        )
    }

    #[test]
    fn numbers_come_as_text_or_as_numbers_or_not_at_all() {
        assert_eq!(decode(r#"{"size":"12"}"#).unwrap().size, Some(12));
        assert_eq!(decode(r#"{"size":12}"#).unwrap().size, Some(12));
        assert_eq!(decode("{}").unwrap().size, None);
        assert!(decode(r#"{"size":-1}"#).is_err());
    }

    #[test]
    fn a_bad_body_is_named_and_not_repeated() {
        let cases = [
            (r#"{"size":"secret-text"#, "bad_payload.truncated"),
            ("<html>secret-text</html>", "bad_payload.type"),
            ("", "bad_payload.type"),
            (r#"{"size":"secret-text"}"#, "bad_payload.type"),
            (r#"{"size":NaN}"#, "bad_payload.syntax"),
        ];
        for (body, code) in cases {
            let error = decode(body).unwrap_err();
            assert_eq!(error.code(), code, "{body}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{body}");
        }
    }
}
