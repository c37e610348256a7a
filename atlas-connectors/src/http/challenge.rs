//! Claims challenges: what a provider asks for at the next sign-in, out of a header or a refusal.
//!
//! Source: OpenID Connect Core, section 5.5, for the parameter `claims`; Microsoft's pages on claims challenges for the header.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// A challenge travels in an address; what is longer does not come from a provider that means it. In bytes.
const MAX_CHALLENGE: usize = 4 * 1024;

/// The claims challenge of a 401: the `claims` (JSON in base64) of a Bearer challenge whose `error` is `insufficient_claims`.
///
/// The pipeline puts it on the error by itself; a provider's table may ask for it to tell this 401 from others.
///
/// ```
/// use atlas_connectors::http::claims_challenge;
/// use http::{HeaderMap, HeaderValue};
/// use secrecy::ExposeSecret as _;
///
/// let mut headers = HeaderMap::new();
/// let challenge = r#"Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==""#;
/// headers.insert("www-authenticate", HeaderValue::from_static(challenge));
/// assert_eq!(claims_challenge(&headers).unwrap().expose_secret(), r#"{"access_token":{}}"#);
///
/// headers.insert("www-authenticate", HeaderValue::from_static(r#"Bearer error="invalid_token""#));
/// assert!(claims_challenge(&headers).is_none());
/// ```
pub fn claims_challenge(headers: &HeaderMap) -> Option<SecretString> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|line| {
        let parameters = bearer_parameters(line.to_str().ok()?)?;
        let value = |name: &str| {
            parameters
                .iter()
                .find(|(found, _)| found.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        if value("error") != Some("insufficient_claims") {
            return None;
        }
        let claims = value("claims")?;
        let either = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let bytes = GeneralPurpose::new(&STANDARD, either)
            .decode(claims)
            .or_else(|_| GeneralPurpose::new(&URL_SAFE, either).decode(claims))
            .map(Zeroizing::new)
            .ok()?;
        of_text(&SecretString::from(std::str::from_utf8(&bytes).ok()?))
    })
}

/// The challenge as it may be carried on: a JSON object of a bearable length.
pub(crate) fn of_text(challenge: &SecretString) -> Option<SecretString> {
    let text = challenge.expose_secret();
    let fits = text.len() <= MAX_CHALLENGE && serde_json::from_str::<Map<String, Value>>(text).is_ok();
    fits.then(|| challenge.clone())
}

/// The parameters of the Bearer challenge in a `WWW-Authenticate` line (RFC 9110, section 11.6.1), which may hold several challenges.
fn bearer_parameters(line: &str) -> Option<Vec<(String, String)>> {
    let mut rest = line.trim_start();
    let mut found: Option<Vec<(String, String)>> = None;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(c))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return found;
        }
        match after.trim_start().strip_prefix('=') {
            // A token68, such as that of Negotiate, ends in padding and is no parameter of ours.
            Some(value) => {
                let (value, after) = parameter_value(value.trim_start())?;
                if let Some(found) = &mut found {
                    found.push((name.to_owned(), value));
                }
                rest = after.trim_start_matches([',', ' ', '\t', '=']);
            }
            // A scheme: the next challenge begins.
            None => {
                if found.is_some() {
                    return found;
                }
                if name.eq_ignore_ascii_case("bearer") {
                    found = Some(Vec::new());
                }
                rest = after.trim_start_matches([',', ' ', '\t']);
            }
        }
    }
    found
}

/// A token or a quoted text, and what follows.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;

    fn read(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
        }
        claims_challenge(&headers).map(|claims| claims.expose_secret().to_owned())
    }

    fn encoded(engine: GeneralPurpose) -> String {
        engine.encode(CLAIMS)
    }

    #[test]
    fn the_challenge_is_found_wherever_it_stands() {
        use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
        for claims in [encoded(STANDARD), encoded(STANDARD_NO_PAD), encoded(URL_SAFE_NO_PAD)] {
            let wanted = Some(CLAIMS.to_owned());
            let bearer = format!(
                r#"Bearer realm="", authorization_uri="https://login.example/a, b", error="insufficient_claims", claims="{claims}""#
            );
            assert_eq!(read(&[&bearer]), wanted);
            assert_eq!(read(&["Basic realm=\"x\"", &bearer]), wanted);
            assert_eq!(read(&[&format!("Negotiate YII==, {bearer}")]), wanted);
            assert_eq!(read(&[&format!("{bearer}, Digest nonce=\"n\"")]), wanted);
            let bare = format!("bearer error=insufficient_claims,claims={claims}");
            assert_eq!(read(&[&bare]), wanted, "{bare}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        use base64::engine::general_purpose::STANDARD;
        let claims = encoded(STANDARD);
        let list = STANDARD.encode("[1]");
        let huge = STANDARD.encode(format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_CHALLENGE)));
        for line in [
            format!(r#"Bearer error="invalid_token", claims="{claims}""#),
            format!(r#"Digest error="insufficient_claims", claims="{claims}""#),
            format!(r#"Bearer realm="r", Digest error="insufficient_claims", claims="{claims}""#),
            r#"Bearer error="insufficient_claims", claims="%%%""#.to_owned(),
            format!(r#"Bearer error="insufficient_claims", claims="{list}""#),
            format!(r#"Bearer error="insufficient_claims", claims="{huge}""#),
            format!(r#"Bearer error="insufficient_claims", claims="{claims}"#),
            r#"Bearer error="insufficient_claims""#.to_owned(),
            "=,=\"".to_owned(),
            String::new(),
        ] {
            assert_eq!(read(&[&line]), None, "{line}");
        }
    }
}
