//! Where Google lives: every address is a setting, because emulators, mocks and private proxies use others.

use atlas_connectors::error::ErrorKind;
use atlas_connectors::{Error, Result, oauth};
use serde::Deserialize;
use url::Url;

/// All addresses this crate talks to. Source: `gmail.md`, section 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// Root of the Gmail API; paths such as `gmail/v1/users/me/messages` and `upload/gmail/v1/…` are joined to it.
    pub api: Url,
    /// The batch endpoint.
    pub batch: Url,
    /// The addresses of sign-in: consent page, tokens, revocation, signing keys, issuer.
    pub oauth: oauth::Endpoints,
    /// The OpenID Connect userinfo endpoint.
    pub userinfo: Url,
}

/// The fields of an OpenID Connect discovery document that we read.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    revocation_endpoint: Url,
    userinfo_endpoint: Url,
    jwks_uri: Url,
}

impl Endpoints {
    /// Google's own addresses.
    ///
    /// # Errors
    /// None in practice: the addresses are constants that a test parses.
    pub fn google() -> Result<Self> {
        Ok(Self {
            api: address("https://gmail.googleapis.com/")?,
            batch: address("https://gmail.googleapis.com/batch/gmail/v1")?,
            oauth: oauth::Endpoints::new(
                "https://accounts.google.com",
                address("https://accounts.google.com/o/oauth2/v2/auth")?,
                address("https://oauth2.googleapis.com/token")?,
            )
            .with_revoke(address("https://oauth2.googleapis.com/revoke")?)
            .with_jwks(address("https://www.googleapis.com/oauth2/v3/certs")?),
            userinfo: address("https://openidconnect.googleapis.com/v1/userinfo")?,
        })
    }

    /// One server that answers for all of Google with Google's own paths, such as `mock::Google`. The issuer is the
    /// address without its last slash.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the address cannot have a path.
    pub fn at(base: &Url) -> Result<Self> {
        if base.cannot_be_a_base() {
            return Err(bad_address());
        }
        Ok(Self {
            api: under(base, "")?,
            batch: under(base, "batch/gmail/v1")?,
            oauth: oauth::Endpoints::new(
                base.as_str().trim_end_matches('/'),
                under(base, "o/oauth2/v2/auth")?,
                under(base, "token")?,
            )
            .with_revoke(under(base, "revoke")?)
            .with_jwks(under(base, "oauth2/v3/certs")?),
            userinfo: under(base, "v1/userinfo")?,
        })
    }

    /// Gmail at `api` and the OAuth addresses as an OpenID Connect discovery document names them: for emulators whose
    /// paths differ from Google's.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] when the document lacks an address, [`ErrorKind::Invalid`] when `api` cannot have
    /// a path.
    pub fn from_discovery(api: &Url, document: &[u8]) -> Result<Self> {
        let discovery: Discovery = serde_json::from_slice(document).map_err(|_| {
            Error::new(
                ErrorKind::SchemaMismatch {
                    path: "openid-configuration".to_owned(),
                    fault: atlas_connectors::error::SchemaFault::Missing,
                },
                "gmail.endpoints",
            )
        })?;
        Ok(Self {
            oauth: oauth::Endpoints::new(
                discovery.issuer,
                discovery.authorization_endpoint,
                discovery.token_endpoint,
            )
            .with_revoke(discovery.revocation_endpoint)
            .with_jwks(discovery.jwks_uri),
            userinfo: discovery.userinfo_endpoint,
            ..Self::at(api)?
        })
    }
}

fn under(base: &Url, path: &str) -> Result<Url> {
    let mut root = base.clone();
    if !root.path().ends_with('/') {
        let with_slash = format!("{}/", root.path());
        root.set_path(&with_slash);
    }
    root.join(path).map_err(|_| bad_address())
}

fn address(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|_| bad_address())
}

fn bad_address() -> Error {
    Error::new(
        ErrorKind::Invalid {
            what: "address",
            why: "not an absolute http address",
        },
        "gmail.endpoints",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn googles_addresses_parse() {
        let google = Endpoints::google().unwrap();
        assert_eq!(google.api.as_str(), "https://gmail.googleapis.com/");
        assert_eq!(google.oauth.token.as_str(), "https://oauth2.googleapis.com/token");
    }

    #[test]
    fn one_server_may_answer_for_all_also_under_a_path() {
        let all = Endpoints::at(&Url::parse("http://127.0.0.1:9/google").unwrap()).unwrap();
        assert_eq!(all.api.as_str(), "http://127.0.0.1:9/google/");
        assert_eq!(all.batch.as_str(), "http://127.0.0.1:9/google/batch/gmail/v1");
        assert_eq!(all.oauth.issuer, "http://127.0.0.1:9/google");
    }

    #[test]
    fn discovery_moves_the_oauth_addresses_only() {
        // Paths as the emulator names them (emulate 0.12.2, oidc-discovery).
        let document = br#"{"issuer":"http://127.0.0.1:14002",
            "authorization_endpoint":"http://127.0.0.1:14002/o/oauth2/v2/auth",
            "token_endpoint":"http://127.0.0.1:14002/oauth2/token",
            "userinfo_endpoint":"http://127.0.0.1:14002/oauth2/v2/userinfo",
            "revocation_endpoint":"http://127.0.0.1:14002/oauth2/revoke",
            "jwks_uri":"http://127.0.0.1:14002/oauth2/v3/certs"}"#;
        let base = Url::parse("http://127.0.0.1:14002").unwrap();
        let found = Endpoints::from_discovery(&base, document).unwrap();
        assert_eq!(found.oauth.token.path(), "/oauth2/token");
        assert_eq!(found.api.as_str(), "http://127.0.0.1:14002/");
        assert!(Endpoints::from_discovery(&base, b"{}").is_err());
        assert!(Endpoints::at(&Url::parse("mailto:a@b").unwrap()).is_err());
    }
}
