//! What goes over the wire: authorization addresses and form requests. The `oauth2` crate is used here and nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, CsrfToken, PkceCodeChallenge, RedirectUrl};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::oauth::{ClientAuthentication, OAuthClient, ScopeSet};

/// The secrets of one flow, each of 256 random bits.
pub(crate) struct FlowSecrets {
    pub(crate) state: SecretString,
    pub(crate) nonce: SecretString,
    pub(crate) verifier: SecretString,
    challenge: PkceCodeChallenge,
}

impl FlowSecrets {
    pub(crate) fn random() -> Self {
        // 32 random bytes: a verifier of 43 characters (RFC 7636, section 4.1), challenge by S256.
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        Self {
            state: random_text(),
            nonce: random_text(),
            verifier: SecretString::from(verifier.into_secret()),
            challenge,
        }
    }
}

/// The address of the authorization page for this flow.
pub(crate) fn authorize_url(
    page: &Url,
    client: &OAuthClient,
    redirect: &Url,
    scopes: &ScopeSet,
    secrets: &FlowSecrets,
    extras: &[(&'static str, String)],
) -> Url {
    let state = secrets.state.expose_secret().to_owned();
    let client = BasicClient::new(oauth2::ClientId::new(client.id.as_str().to_owned()))
        .set_auth_uri(AuthUrl::from_url(page.clone()))
        .set_redirect_uri(RedirectUrl::from_url(redirect.clone()));
    let mut request = client
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(scopes.iter().map(|scope| oauth2::Scope::new(scope.to_string())))
        .set_pkce_challenge(secrets.challenge.clone())
        .add_extra_param("nonce", secrets.nonce.expose_secret());
    for (name, value) in extras {
        request = request.add_extra_param(*name, value);
    }
    request.url().0
}

/// A form-encoded POST, with the client's proof of itself where one is given.
pub(crate) fn form_request(
    endpoint: &Url,
    parameters: &[(&str, &str)],
    client: Option<(&OAuthClient, ClientAuthentication)>,
) -> Result<http::Request<Bytes>> {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(parameters);
    let mut basic = None;
    match client {
        Some((client, ClientAuthentication::Basic)) if client.secret.is_some() => {
            basic = Some(basic_header(client)?);
        }
        Some((client, _)) => {
            form.append_pair("client_id", client.id.as_str());
            if let Some(secret) = &client.secret {
                form.append_pair("client_secret", secret.expose_secret());
            }
        }
        None => {}
    }
    let mut request = http::Request::post(endpoint.as_str())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json");
    if let Some(basic) = basic {
        request = request.header(AUTHORIZATION, basic);
    }
    request
        .body(Bytes::from(form.finish()))
        .map_err(|_| invalid("endpoint", "not an address that can be asked"))
}

/// RFC 6749, section 2.3.1: both parts form-encoded, then Basic.
fn basic_header(client: &OAuthClient) -> Result<HeaderValue> {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let secret = client.secret.as_ref().map_or("", |secret| secret.expose_secret());
    let pair = Zeroizing::new(format!("{}:{}", encode(client.id.as_str()), encode(secret)));
    let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&header).map_err(|_| invalid("client", "id or secret cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn random_text() -> SecretString {
    let mut bytes = Zeroizing::new([0u8; 32]);
    crate::random::fill(&mut *bytes);
    SecretString::from(URL_SAFE_NO_PAD.encode(*bytes))
}

fn invalid(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, "oauth.request")
}
