//! The token endpoint.

use atlas_connectors::testkit::server::{Answer, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::account::{Client, Person};
use super::authorize::check_scopes;
use super::refusal::Refusal;
use super::world::World;

/// A form, decoded.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn of(request: &Request) -> Self {
        Self(request.form())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn scopes(&self) -> Vec<String> {
        let list = self.get("scope").unwrap_or_default();
        list.split_ascii_whitespace().map(str::to_owned).collect()
    }
}

impl World {
    pub(super) fn token(&mut self, tenant: &str, request: &Request) -> Result<Answer, Refusal> {
        self.knows(tenant)?;
        let form = Form::of(request);
        let client = self.authenticate(&form, request.basic())?.id;
        match form.get("grant_type") {
            Some("authorization_code") => self.exchange(tenant, &form, &client),
            Some("refresh_token") => self.refresh(tenant, &form, &client),
            Some("client_credentials") => self.client_credentials(tenant, &form, &client),
            Some("urn:ietf:params:oauth:grant-type:device_code") => self.device_token(&form, &client),
            Some(_) => Err(Refusal::of(70_003)),
            None => Err(Refusal::of(900_144)),
        }
    }

    /// The client, by the form or the header.
    pub(super) fn authenticate(&self, form: &Form, basic: Option<(String, String)>) -> Result<Client, Refusal> {
        let (id, secret) = match basic {
            Some((id, secret)) => (Some(id), Some(secret)),
            None => (
                form.get("client_id").map(str::to_owned),
                form.get("client_secret").map(str::to_owned),
            ),
        };
        let client = id.and_then(|id| self.clients.get(&id)).ok_or(Refusal::of(700_016))?;
        match (&client.secret, secret) {
            _ if client.disabled => Err(Refusal::of(7_000_112)),
            (None, Some(_)) => Err(Refusal::of(700_025)),
            (Some(_), None) => Err(Refusal::of(7_000_218)),
            (Some(wanted), Some(given)) if *wanted != given => Err(Refusal::of(7_000_215)),
            _ => Ok(client.clone()),
        }
    }

    fn exchange(&mut self, tenant: &str, form: &Form, client: &str) -> Result<Answer, Refusal> {
        let text = form.get("code").ok_or(Refusal::of(900_144))?;
        let now = self.clock.now();
        let code = self.codes.get_mut(text).ok_or(Refusal::of(9_002_313))?;
        if code.client != client {
            return Err(Refusal::of(70_000));
        }
        if code.spent {
            return Err(Refusal::of(54_005));
        }
        if code.expires <= now {
            return Err(Refusal::of(70_008));
        }
        if code.authority != tenant {
            return Err(Refusal::of(700_005));
        }
        if form.get("redirect_uri") != Some(code.redirect.as_str()) {
            return Err(Refusal::of(50_011));
        }
        let proof = form
            .get("code_verifier")
            .map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
        if code.challenge != proof {
            return Err(Refusal::of(501_481));
        }
        code.spent = true;
        let code = code.clone();
        self.may_have_tokens(&code.person, client)?;
        self.counters.code_exchanges += 1;
        Ok(self.grant(
            client,
            &code.person,
            &code.scopes,
            code.reported.as_deref(),
            code.nonce.as_deref(),
        ))
    }

    fn refresh(&mut self, tenant: &str, form: &Form, client: &str) -> Result<Answer, Refusal> {
        let text = form.get("refresh_token").ok_or(Refusal::of(900_144))?;
        let held = self.grants.get(text).cloned().ok_or(Refusal::of(70_000))?;
        if held.client != client {
            return Err(Refusal::of(70_000));
        }
        if held.expires <= self.clock.now() {
            return Err(Refusal::of(700_082));
        }
        if held.revoked {
            return Err(Refusal::of(50_173));
        }
        if held.replaced {
            self.counters.rotated_reuses += 1;
            self.revoke(&held.person.oid);
            return Err(Refusal::of(70_000));
        }
        if self.tenants.contains(tenant) && held.person.tenant != tenant {
            return Err(Refusal::of(50_020));
        }
        if self.settings.refresh_at_tenant_only && !self.tenants.contains(tenant) {
            return Err(Refusal::of(50_194));
        }
        self.may_have_tokens(&held.person, client)?;
        let asked = form.scopes();
        let scopes = if asked.is_empty() { held.scopes.clone() } else { asked };
        check_scopes(&scopes)?;
        self.counters.refreshes += 1;
        if self.settings.rotate
            && let Some(old) = self.grants.get_mut(text)
        {
            old.replaced = true;
        }
        Ok(self.grant(client, &held.person, &scopes, None, None))
    }

    fn client_credentials(&mut self, tenant: &str, form: &Form, client: &str) -> Result<Answer, Refusal> {
        if !self.tenants.contains(tenant) {
            return Err(Refusal::of(9_001_023));
        }
        if self.clients.get(client).is_none_or(|client| client.secret.is_none()) {
            return Err(Refusal::of(7_000_218));
        }
        let scopes = form.scopes();
        check_scopes(&scopes)?;
        if !scopes.iter().all(|scope| scope.ends_with("/.default")) {
            return Err(Refusal::of(70_011));
        }
        // No principal of the app before an administrator of the tenant has agreed.
        if !self.approved.contains(&(tenant.to_owned(), client.to_owned())) {
            return Err(Refusal::of(700_016));
        }
        self.counters.client_grants += 1;
        let token = self.issue_access(client, tenant);
        let body = json!({
            "token_type": "Bearer",
            "expires_in": self.settings.expires_in.as_secs(),
            "ext_expires_in": self.settings.expires_in.as_secs(),
            "access_token": token,
        });
        Ok(answer(&body))
    }

    /// Whether the organization still lets this person's grant live.
    fn may_have_tokens(&self, person: &Person, client: &str) -> Result<(), Refusal> {
        if self.disabled.contains(&person.oid) {
            return Err(Refusal::of(50_057));
        }
        if !self.has_consent(person, client) {
            return Err(Refusal::of(65_001));
        }
        match self.demanded.get(&person.oid) {
            Some(claims) => Err(Refusal::of(50_076).with_claims(claims.clone())),
            None => Ok(()),
        }
    }

    /// The tokens of a person: a refresh token with `offline_access`, an id token with `openid`.
    pub(super) fn grant(
        &mut self,
        client: &str,
        person: &Person,
        scopes: &[String],
        reported: Option<&[String]>,
        nonce: Option<&str>,
    ) -> Answer {
        let asked = |name: &str| scopes.iter().any(|scope| scope == name);
        let life = self.settings.expires_in.as_secs();
        let told = reported.unwrap_or(scopes).iter().map(String::as_str);
        let told: Vec<&str> = told.filter(|scope| *scope != "offline_access").collect();
        let mut body = json!({
            "token_type": "Bearer",
            "scope": told.join(" "),
            "expires_in": life,
            "ext_expires_in": life,
            "access_token": self.issue_access(&person.name, &person.tenant),
        });
        let refresh = asked("offline_access").then(|| self.issue_refresh(client, person, scopes));
        let id = if asked("openid") {
            self.id_token(client, person, nonce)
        } else {
            None
        };
        if let Value::Object(body) = &mut body {
            body.extend(refresh.map(|token| ("refresh_token".to_owned(), token.into())));
            body.extend(id.map(|token| ("id_token".to_owned(), token.into())));
        }
        answer(&body)
    }

    /// Ends every grant of a person.
    pub(super) fn revoke(&mut self, oid: &str) {
        for grant in self.grants.values_mut().filter(|grant| grant.person.oid == oid) {
            grant.revoked = true;
        }
    }
}

fn answer(body: &Value) -> Answer {
    Answer::of(200, "application/json; charset=utf-8", body.to_string())
        .with_header("cache-control", "no-store, no-cache")
}
