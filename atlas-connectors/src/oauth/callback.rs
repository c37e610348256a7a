//! What the browser brought back, taken apart without trusting it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use url::{Url, form_urlencoded};

use crate::error::{Error, FlowFault, OAuthError, Result};

const OPERATION: &str = "oauth.callback";
/// More than any provider sends, in bytes.
const MAX_QUERY: usize = 16 * 1024;
/// What never belongs into a redirect of this flow: a token in an address has leaked already.
const FORBIDDEN: [&str; 4] = ["access_token", "refresh_token", "id_token", "client_secret"];

/// The parameters of a callback. `Debug` shows none of them.
pub struct Callback {
    pub(crate) state: SecretString,
    pub(crate) issuer: Option<String>,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    Code(SecretString),
    Refused {
        error: String,
        description: Option<String>,
        suberror: Option<String>,
    },
}

impl Callback {
    /// Takes the address to which the browser was sent back.
    ///
    /// # Errors
    /// [`FlowFault::Malformed`] if it holds a parameter twice, both a code and an error, neither, no state, or a token.
    pub fn from_url(url: &Url) -> Result<Self> {
        Self::from_query(url.query().unwrap_or_default())
    }

    /// Takes the query of that address, as it came: it is decoded here, once.
    ///
    /// # Errors
    /// As [`Callback::from_url`].
    pub fn from_query(query: &str) -> Result<Self> {
        if query.len() > MAX_QUERY {
            return Err(malformed());
        }
        let mut parameters: BTreeMap<Cow<'_, str>, Cow<'_, str>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if FORBIDDEN.contains(&&*name) || parameters.insert(name, value).is_some() {
                return Err(malformed());
            }
        }
        // Others are ignored, as RFC 6749, section 4.1.2, demands: Google sends `scope`, `authuser`, `prompt`, `hd`.
        let mut take = |name: &str| {
            parameters
                .remove(name)
                .map(Cow::into_owned)
                .filter(|text| !text.is_empty())
        };
        let state = SecretString::from(take("state").ok_or_else(malformed)?);
        let issuer = take("iss");
        let outcome = match (take("code"), take("error")) {
            (Some(code), None) => Outcome::Code(SecretString::from(code)),
            (None, Some(error)) => Outcome::Refused {
                error,
                description: take("error_description"),
                suberror: take("error_subtype").or_else(|| take("error_subcode")),
            },
            (Some(_), Some(_)) | (None, None) => return Err(malformed()),
        };
        Ok(Self { state, issuer, outcome })
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

fn malformed() -> Error {
    let fault = FlowFault::Malformed;
    Error::new(OAuthError::FlowRejected { fault }, OPERATION)
}
