//! Whose mailbox a fresh token opens: a second opinion beside the id token.

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::Result;
use atlas_connectors::credential::AccessToken;
use atlas_connectors::error::{Error, ErrorKind};
use atlas_connectors::http::{Client, HttpTransport, Origin};
use atlas_connectors::oauth::AccountProfile;
use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret as _;

use crate::classify::GmailErrors;
use crate::endpoints::Endpoints;
use crate::quota::Tariff;
use crate::scopes;
use crate::wire::profile::{self, Profile};
use crate::wire::{Api, Method, json};

/// Asks `users.getProfile` whose mailbox a token opens, for [`atlas_connectors::oauth`]. With `gmail.send` alone Gmail does not
/// answer the question, and none is asked.
#[derive(Clone, Debug)]
pub struct GmailAccount {
    client: Client,
    api: Api,
    origin: Origin,
}

impl GmailAccount {
    /// Asks at these addresses.
    ///
    /// # Errors
    /// [`ErrorKind::EgressDenied`] for an address that a token may not go to.
    pub fn new(transport: Arc<dyn HttpTransport>, endpoints: &Endpoints) -> Result<Self> {
        Ok(Self {
            client: Client::builder(crate::PROVIDER, transport, Arc::new(GmailErrors)).build(),
            api: Api::new(endpoints.clone(), Tariff::default()),
            origin: Origin::parse(endpoints.api.as_str())?,
        })
    }
}

#[async_trait]
impl AccountProfile for GmailAccount {
    async fn address(&self, token: &AccessToken) -> Result<Option<String>> {
        let sufficient = scopes::required(Method::Profile);
        if !token.scopes().iter().any(|scope| sufficient.contains(scope)) {
            return Ok(None);
        }
        let mut call = profile::get(&self.api)?.without_auth();
        // The pipeline asks for scopes of a credential; here the request brings its own.
        call.any_scope = atlas_connectors::oauth::ScopeSet::new();
        if !self.origin.covers(call.request.uri()) {
            return Err(refused("address", "outside the origin of the token"));
        }
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.secret().expose_secret()))
            .map_err(|_| refused("token", "not fit for a header"))?;
        bearer.set_sensitive(true);
        call.request.headers_mut().insert(AUTHORIZATION, bearer);
        let answer = self.client.send(call).await?;
        let profile: Profile = json(Method::Profile, &answer)?;
        Ok(Some(profile.email_address))
    }
}

fn refused(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, Method::Profile.name()).with_provider(crate::provider())
}

#[cfg(test)]
mod tests {
    use atlas_connectors::oauth::ScopeSet;
    use atlas_connectors::testkit::ScriptedTransport;

    use super::*;

    fn token(scopes: &str) -> AccessToken {
        AccessToken::new("ya29.test-access".into(), ScopeSet::parse(scopes), 1)
    }

    #[tokio::test]
    async fn the_mailbox_is_named_where_the_scope_allows_the_question() {
        let transport =
            ScriptedTransport::new().with_json(200, r#"{"emailAddress":"ops@acme.example","historyId":"1"}"#);
        let account = GmailAccount::new(Arc::new(transport.clone()), &Endpoints::google().unwrap()).unwrap();
        let address = account.address(&token(scopes::READONLY)).await.unwrap();
        assert_eq!(address.as_deref(), Some("ops@acme.example"));
        assert_eq!(transport.requests()[0].bearer(), Some("ya29.test-access"));

        assert_eq!(account.address(&token(scopes::SEND)).await.unwrap(), None);
        assert_eq!(transport.requests().len(), 1);
    }
}
