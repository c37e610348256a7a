//! What opens a connection: the kinds of credential.

use std::fmt;

use secrecy::SecretString;

use super::grant::OAuthGrant;

/// What opens a connection. Every kind is stored the same way: as one sealed envelope. `Debug` shows no secret.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credential {
    /// Tokens of an OAuth grant.
    OAuth(OAuthGrant),
    /// A key that the provider issued to a user or an integration.
    ApiKey(ApiKey),
    /// User name and password.
    Basic(Basic),
    /// An OAuth client that signs in as itself.
    ClientCredentials(ClientCredentials),
    /// A certificate with its private key.
    ClientCertificate(ClientCertificate),
}

impl Credential {
    /// Stable name of the kind, fit for [`CredentialKey::field`](super::CredentialKey::field).
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OAuth(_) => "oauth",
            Self::ApiKey(_) => "api_key",
            Self::Basic(_) => "basic",
            Self::ClientCredentials(_) => "client_credentials",
            Self::ClientCertificate(_) => "client_certificate",
        }
    }

    /// The OAuth grant, if it is one.
    pub const fn as_oauth(&self) -> Option<&OAuthGrant> {
        match self {
            Self::OAuth(grant) => Some(grant),
            _ => None,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OAuth(grant) => grant.fmt(f),
            Self::ApiKey(key) => key.fmt(f),
            Self::Basic(basic) => basic.fmt(f),
            Self::ClientCredentials(client) => client.fmt(f),
            Self::ClientCertificate(certificate) => certificate.fmt(f),
        }
    }
}

impl From<OAuthGrant> for Credential {
    fn from(grant: OAuthGrant) -> Self {
        Self::OAuth(grant)
    }
}

/// A key that the provider issued to a user or an integration.
#[derive(Clone)]
pub struct ApiKey {
    /// The user the key belongs to, where the provider asks for one beside it.
    pub user: Option<Box<str>>,
    /// The key.
    pub key: SecretString,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").finish_non_exhaustive()
    }
}

impl From<ApiKey> for Credential {
    fn from(key: ApiKey) -> Self {
        Self::ApiKey(key)
    }
}

/// User name and password.
#[derive(Clone)]
pub struct Basic {
    /// The user name.
    pub user: Box<str>,
    /// The password.
    pub password: SecretString,
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basic").finish_non_exhaustive()
    }
}

impl From<Basic> for Credential {
    fn from(basic: Basic) -> Self {
        Self::Basic(basic)
    }
}

/// An OAuth client that signs in as itself.
#[derive(Clone)]
pub struct ClientCredentials {
    /// The client id.
    pub client_id: Box<str>,
    /// The client secret.
    pub client_secret: SecretString,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl From<ClientCredentials> for Credential {
    fn from(client: ClientCredentials) -> Self {
        Self::ClientCredentials(client)
    }
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The certificate chain in PEM, the client's own certificate first.
    pub chain: Box<str>,
    /// The private key in PEM (PKCS#8).
    pub private_key: SecretString,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

impl From<ClientCertificate> for Credential {
    fn from(certificate: ClientCertificate) -> Self {
        Self::ClientCertificate(certificate)
    }
}
