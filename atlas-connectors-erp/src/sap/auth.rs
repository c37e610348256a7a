//! How requests prove who they are.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::credential::{Basic, TokenSource};
use atlas_connectors::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

/// What a connection signs in with (`sap-odata.md`, section 3). `Debug` shows no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SapAuth {
    /// User and password of a technical or communication user. Refused once, it is not sent again: repeated tries lock
    /// the user at the system.
    Basic(Basic),
    /// A bearer token: OAuth client credentials
    /// ([`client_credentials_refresher`](atlas_connectors::oauth::OAuthApp::client_credentials_refresher)) or a SAML
    /// assertion of the host ([`saml_bearer_refresher`](atlas_connectors::oauth::OAuthApp::saml_bearer_refresher)).
    Bearer(Arc<dyn TokenSource>),
    /// A client certificate, which the transport presents (the core's `TlsSettings`); requests carry nothing.
    Certificate,
    /// Headers that somebody else makes, such as those of a BTP destination.
    Headers(Arc<dyn ReadyHeaders>),
}

/// Gives the headers that authenticate one request: the host's way to a destination service or a key store.
///
/// ```
/// use atlas_connectors::Result;
/// use atlas_connectors_erp::sap::ReadyHeaders;
/// use http::HeaderName;
/// use http::header::AUTHORIZATION;
/// use secrecy::SecretString;
///
/// /// A destination that was resolved once.
/// #[derive(Debug)]
/// struct Destination;
///
/// #[async_trait::async_trait]
/// impl ReadyHeaders for Destination {
///     async fn headers(&self) -> Result<Vec<(HeaderName, SecretString)>> {
///         Ok(vec![(AUTHORIZATION, "Bearer made-elsewhere".to_owned().into())])
///     }
///     async fn refused(&self) {}
/// }
/// ```
#[async_trait]
pub trait ReadyHeaders: fmt::Debug + Send + Sync + 'static {
    /// The headers for the next request.
    ///
    /// # Errors
    /// Whatever keeps them from being made; the request is then not sent.
    async fn headers(&self) -> Result<Vec<(HeaderName, SecretString)>>;

    /// Says that the last headers were answered with 401, so that the next ones are made afresh.
    async fn refused(&self);
}

impl SapAuth {
    /// Whether a refused credential can be renewed.
    pub(super) fn renewable(&self) -> bool {
        matches!(self, Self::Bearer(_) | Self::Headers(_))
    }

    /// Puts the credential into a request, where it goes there.
    pub(super) async fn apply(&self, headers: &mut HeaderMap) -> Result<()> {
        match self {
            Self::Bearer(_) | Self::Certificate => {}
            Self::Basic(basic) => {
                let pair: SecretString = format!("{}:{}", basic.user, basic.password.expose_secret()).into();
                let line: SecretString = format!("Basic {}", STANDARD.encode(pair.expose_secret())).into();
                headers.insert(AUTHORIZATION, sensitive(&line)?);
            }
            Self::Headers(source) => {
                for (name, value) in source.headers().await? {
                    headers.insert(name, sensitive(&value)?);
                }
            }
        }
        Ok(())
    }
}

pub(super) fn sensitive(value: &SecretString) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
        let kind = ErrorKind::Invalid {
            what: "credential",
            why: "it holds characters that no header may hold",
        };
        Error::new(kind, "sap.auth")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
