//! The rest of Gmail's API through `google_gmail1`, limited to reading.
//!
//! Google's generated bindings know every method, this crate only those a product needs. The hub shares our tokens and
//! nothing else: no quota, no retries, no checks of size, and its errors may repeat whole answers, so keep them out of logs. Since
//! it also bypasses every approval, it is refused to a connection whose scopes allow more than reading.
//!
//! Its `raw` and `data` cannot read base64 without padding, which Gmail sends (Byron/google-apis-rs 496): take content
//! through [`crate::Gmail`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use atlas_connectors::Result;
use atlas_connectors::credential::TokenSource;
use atlas_connectors::error::{Error, ErrorKind, OperationClass, TlsFault};
use atlas_connectors::http::Origin;
use atlas_connectors::oauth::ScopeSet;
use google_gmail1::common::GetToken;
use google_gmail1::hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use google_gmail1::hyper_util::client::legacy::Client;
use google_gmail1::hyper_util::client::legacy::connect::HttpConnector;
use google_gmail1::hyper_util::rt::TokioExecutor;
use secrecy::ExposeSecret as _;

use crate::endpoints::Endpoints;
use crate::scopes;

/// Google's generated client over TLS by aws-lc.
pub type Hub = google_gmail1::Gmail<HttpsConnector<HttpConnector>>;

/// A hub that reads with the tokens of one connection.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when the granted scopes go beyond reading, [`ErrorKind::EgressDenied`] for an address a token
/// may not go to, and whatever keeps the tokens from being read.
pub async fn read_only(tokens: Arc<dyn TokenSource>, endpoints: &Endpoints) -> Result<Hub> {
    Origin::parse(endpoints.api.as_str())?;
    check(tokens.token().await?.scopes())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(|_| Error::new(TlsFault::Ca, OPERATION).with_provider(crate::provider()))?;
    // Plain http is for mocks on this machine; `Origin` has refused it for anything else.
    let connector = match endpoints.api.scheme() {
        "http" => connector.https_or_http(),
        _ => connector.https_only(),
    };
    let client = Client::builder(TokioExecutor::new()).build(connector.enable_http1().enable_http2().build());
    let mut hub = google_gmail1::Gmail::new(client, Tokens(tokens));
    hub.base_url(endpoints.api.as_str().to_owned());
    hub.root_url(endpoints.api.as_str().to_owned());
    Ok(hub)
}

const OPERATION: &str = "gmail.hub";

/// Our tokens, checked again for each request: a reconnect may have widened the scopes meanwhile.
#[derive(Clone, Debug)]
struct Tokens(Arc<dyn TokenSource>);

type TokenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Option<String>, Box<dyn std::error::Error + Send + Sync>>> + Send + 'a>>;

impl GetToken for Tokens {
    fn get_token<'a>(&'a self, _scopes: &'a [&str]) -> TokenFuture<'a> {
        Box::pin(async move {
            let token = self.0.token().await?;
            check(token.scopes())?;
            Ok(Some(token.secret().expose_secret().to_owned()))
        })
    }
}

fn check(granted: &ScopeSet) -> Result<()> {
    const READING: [&str; 7] = [
        scopes::READONLY,
        scopes::METADATA,
        scopes::OPENID,
        scopes::EMAIL,
        scopes::PROFILE,
        "email",
        "profile",
    ];
    if granted.iter().all(|scope| READING.contains(&scope.as_str())) {
        return Ok(());
    }
    let kind = ErrorKind::Unsupported {
        what: "a hub for scopes beyond reading",
    };
    Err(Error::new(kind, OPERATION)
        .with_class(OperationClass::Read)
        .with_provider(crate::provider()))
}
