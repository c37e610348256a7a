//! The app's registration at a provider, and the provider's addresses.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::error::{EgressRule, Error, Result};

/// An OAuth client id. Public, unlike the secret that goes with it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// A client id as the provider shows it.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self(id.into())
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({})", self.0)
    }
}

/// The app as it is registered at the provider.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// The client id.
    pub id: ClientId,
    /// The client secret; `None` for a public client. A desktop app's is not confidential, yet Google asks for it
    /// (`gmail.md`, section 1).
    pub secret: Option<SecretString>,
}

impl OAuthClient {
    /// A confidential client.
    pub fn new(id: impl Into<Box<str>>, secret: SecretString) -> Self {
        Self {
            id: ClientId::new(id),
            secret: Some(secret),
        }
    }

    /// A client without a secret.
    pub fn public(id: impl Into<Box<str>>) -> Self {
        Self {
            id: ClientId::new(id),
            secret: None,
        }
    }
}

/// A provider's addresses. All are settings: emulators and sovereign clouds use others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// The issuer, compared by exact string with `iss` of the redirect (RFC 9207) and of the id token.
    pub issuer: String,
    /// The authorization page.
    pub authorize: Url,
    /// The token endpoint.
    pub token: Url,
    /// The revocation endpoint (RFC 7009), where there is one.
    pub revoke: Option<Url>,
    /// The key set that signs id tokens, where there are id tokens.
    pub jwks: Option<Url>,
    /// The device authorization endpoint (RFC 8628), where there is one.
    pub device: Option<Url>,
    /// The page on which an administrator approves the app for an organization, where there is one.
    pub admin_consent: Option<Url>,
}

impl Endpoints {
    /// The two addresses every provider has.
    pub fn new(issuer: impl Into<String>, authorize: Url, token: Url) -> Self {
        Self {
            issuer: issuer.into(),
            authorize,
            token,
            revoke: None,
            jwks: None,
            device: None,
            admin_consent: None,
        }
    }

    /// Sets the revocation endpoint.
    #[must_use]
    pub fn with_revoke(mut self, url: Url) -> Self {
        self.revoke = Some(url);
        self
    }

    /// Sets the address of the key set.
    #[must_use]
    pub fn with_jwks(mut self, url: Url) -> Self {
        self.jwks = Some(url);
        self
    }

    /// Sets the device authorization endpoint.
    #[must_use]
    pub fn with_device(mut self, url: Url) -> Self {
        self.device = Some(url);
        self
    }

    /// Sets the page for administrators.
    #[must_use]
    pub fn with_admin_consent(mut self, url: Url) -> Self {
        self.admin_consent = Some(url);
        self
    }

    /// Checks that secrets would only travel over TLS, or to this machine itself as mocks need it.
    ///
    /// # Errors
    /// [`EgressRule::Scheme`] for plain http to anywhere but a loopback address; [`EgressRule::Url`] for user info or a fragment.
    pub fn check(&self) -> Result<()> {
        let all = [Some(&self.authorize), Some(&self.token)].into_iter().chain([
            self.revoke.as_ref(),
            self.jwks.as_ref(),
            self.device.as_ref(),
            self.admin_consent.as_ref(),
        ]);
        for url in all.flatten() {
            if !(url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))) {
                return Err(Error::new(EgressRule::Scheme, "oauth.endpoints"));
            }
            if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
                return Err(Error::new(EgressRule::Url, "oauth.endpoints"));
            }
        }
        Ok(())
    }
}

/// Whether the address is this machine: a loopback literal, or the name that is reserved for it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
