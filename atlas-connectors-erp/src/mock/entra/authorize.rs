//! The sign-in page and the page for administrators.

use atlas_connectors::testkit::server::random;
use url::Url;

use super::account::{AdminChoice, Blocked, Consent};
use super::refusal::Refusal;
use super::world::{Code, World};

type Query = [(String, String)];

fn value<'a>(query: &'a Query, name: &str) -> Option<&'a str> {
    let found = query.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

impl World {
    /// What the browser gets for an authorization request: the address it is sent back to, or a page.
    pub(super) fn authorize(&mut self, tenant: &str, query: &Query) -> Result<String, Blocked> {
        let blocked = |number| Blocked { number };
        self.knows(tenant).map_err(|_| blocked(90_002))?;
        let client = value(query, "client_id").and_then(|id| self.clients.get(id));
        let client = client.ok_or(blocked(700_016))?;
        let redirect = value(query, "redirect_uri").ok_or(blocked(90_014))?;
        if !client.accepts(redirect) {
            return Err(blocked(50_011));
        }
        if client.disabled {
            return Err(blocked(7_000_112));
        }
        let client = client.id.clone();
        let mut back = Url::parse(redirect).map_err(|_| blocked(50_011))?;
        let state = value(query, "state");
        let refused = |back: &mut Url, refusal: &Refusal| {
            let mut pairs = back.query_pairs_mut();
            pairs
                .append_pair("error", &refusal.error)
                .append_pair("error_description", &refusal.description());
            if let Some(state) = state {
                pairs.append_pair("state", state);
            }
            drop(pairs);
            Ok(back.to_string())
        };
        if value(query, "response_type") != Some("code") {
            return refused(&mut back, &Refusal::new("unsupported_response_type", 700_054));
        }
        let scopes: Vec<String> = value(query, "scope")
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect();
        if let Err(refusal) = check_scopes(&scopes) {
            return refused(&mut back, &refusal);
        }
        let challenge = match (value(query, "code_challenge"), value(query, "code_challenge_method")) {
            (None, None) => None,
            (Some(challenge), Some("S256")) if challenge.len() == 43 => Some(challenge.to_owned()),
            _ => return refused(&mut back, &Refusal::new("invalid_request", 501_491)),
        };
        let hint = value(query, "login_hint");
        let (person, reported) = match self.consents.pop_front().unwrap_or(Consent::Approve) {
            Consent::Blocked(number) => return Err(blocked(number)),
            Consent::Deny => return refused(&mut back, &Refusal::of(65_004)),
            Consent::Refused(refusal) => return refused(&mut back, &refusal),
            Consent::Approve => (self.person(tenant, hint), None),
            Consent::Only(scopes) => (self.person(tenant, hint), Some(scopes)),
            Consent::Account(name) => (self.person(tenant, Some(&name)), None),
        };
        // Of another tenant: Entra says so on a page of its own.
        let person = person.cloned().ok_or(blocked(50_020))?;
        if self.disabled.contains(&person.oid) {
            return Err(blocked(50_057));
        }
        if !self.has_consent(&person, &client) || value(query, "prompt") == Some("consent") {
            if self.settings.admins_consent_only {
                return refused(&mut back, &Refusal::new("access_denied", 90_094));
            }
            self.consented.insert((person.oid.clone(), client.clone()));
        }
        // Whoever brings the claims that were asked for has given the proof.
        if self.demanded.get(&person.oid).map(String::as_str) == value(query, "claims") {
            self.demanded.remove(&person.oid);
        }
        let code = format!("1.mock-code-{}", random(80));
        let held = Code {
            client,
            person,
            authority: tenant.to_owned(),
            redirect: redirect.to_owned(),
            scopes,
            reported,
            nonce: value(query, "nonce").map(str::to_owned),
            challenge,
            expires: self.clock.now().after(self.settings.code_lifetime),
            spent: false,
        };
        self.codes.insert(code.clone(), held);
        let mut pairs = back.query_pairs_mut();
        pairs.append_pair("code", &code);
        if let Some(state) = state {
            pairs.append_pair("state", state);
        }
        pairs.append_pair("session_state", &super::account::guid_of(&code));
        drop(pairs);
        Ok(back.into())
    }

    /// What the administrator's browser gets.
    pub(super) fn admin_consent(&mut self, tenant: &str, versioned: bool, query: &Query) -> Result<String, Blocked> {
        let blocked = |number| Blocked { number };
        self.knows(tenant).map_err(|_| blocked(90_002))?;
        let client = value(query, "client_id").and_then(|id| self.clients.get(id));
        let client = client.ok_or(blocked(700_016))?;
        let redirect = value(query, "redirect_uri").ok_or(blocked(90_014))?;
        if !client.accepts(redirect) {
            return Err(blocked(50_011));
        }
        let client = client.id.clone();
        let mut back = Url::parse(redirect).map_err(|_| blocked(50_011))?;
        let mut pairs = back.query_pairs_mut();
        match self.admin_choices.pop_front().unwrap_or(AdminChoice::Approve) {
            AdminChoice::Approve => {
                let one = self.tenants.contains(tenant).then(|| tenant.to_owned());
                let approved = one.or_else(|| self.people.first().map(|person| person.tenant.clone()));
                let approved = approved.unwrap_or_default();
                pairs
                    .append_pair("admin_consent", "True")
                    .append_pair("tenant", &approved);
                if let Some(scope) = value(query, "scope") {
                    pairs.append_pair("scope", scope);
                }
                self.approved.insert((approved, client));
                self.counters.admin_consents += 1;
            }
            AdminChoice::Deny if versioned => {
                pairs
                    .append_pair("admin_consent", "True")
                    .append_pair("error", "consent_required")
                    .append_pair("error_description", &Refusal::of(65_004).description());
            }
            AdminChoice::Deny => {
                pairs
                    .append_pair("error", "permission_denied")
                    .append_pair("error_description", "The admin canceled the request");
            }
        }
        if let Some(state) = value(query, "state") {
            pairs.append_pair("state", state);
        }
        drop(pairs);
        Ok(back.into())
    }
}

/// One resource a request, and `.default` not beside its single permissions.
pub(super) fn check_scopes(scopes: &[String]) -> Result<(), Refusal> {
    let of_resources: Vec<(&str, &str)> = scopes.iter().filter_map(|scope| scope.rsplit_once('/')).collect();
    if scopes.is_empty() {
        return Err(Refusal::new("invalid_request", 900_144));
    }
    let mut resources: Vec<&str> = of_resources.iter().map(|(resource, _)| *resource).collect();
    resources.sort_unstable();
    resources.dedup();
    if resources.len() > 1 {
        return Err(Refusal::of(700_022));
    }
    if of_resources.len() > 1 && of_resources.iter().any(|(_, permission)| *permission == ".default") {
        return Err(Refusal::of(70_011));
    }
    Ok(())
}
