//! What Entra remembers.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas_connectors::testkit::server::{Answer, Request, SigningKey, jwks, random};
use atlas_connectors::{Clock, Timestamp};
use serde_json::{Map, Value, json};

use super::account::{AdminChoice, Blocked, Client, Consent, Person};
use super::counters::Counters;
use super::device::Device;
use super::refusal::Refusal;

/// How it behaves; set by the builder.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) expires_in: Duration,
    pub(super) code_lifetime: Duration,
    pub(super) refresh_lifetime: Duration,
    pub(super) device_lifetime: Duration,
    pub(super) rotate: bool,
    pub(super) admins_consent_only: bool,
    pub(super) refresh_at_tenant_only: bool,
}

/// A code that waits for its exchange.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) client: String,
    pub(super) person: Person,
    pub(super) authority: String,
    pub(super) redirect: String,
    pub(super) scopes: Vec<String>,
    pub(super) reported: Option<Vec<String>>,
    pub(super) nonce: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) expires: Timestamp,
    pub(super) spent: bool,
}

/// A refresh token.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) client: String,
    pub(super) person: Person,
    pub(super) scopes: Vec<String>,
    pub(super) expires: Timestamp,
    pub(super) revoked: bool,
    pub(super) replaced: bool,
}

/// An access token.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// The person's name, or the client's id where there is no person.
    pub(super) who: String,
    pub(super) tenant: String,
    pub(super) expires: Timestamp,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) base: String,
    pub(super) settings: Settings,
    pub(super) tenants: BTreeSet<String>,
    /// In the order in which they were added: the first of a tenant signs in where nobody is hinted.
    pub(super) people: Vec<Person>,
    pub(super) disabled: BTreeSet<String>,
    pub(super) clients: BTreeMap<String, Client>,
    /// Tenants whose administrator agreed to a client.
    pub(super) approved: BTreeSet<(String, String)>,
    /// People (by `oid`) who agreed to a client.
    pub(super) consented: BTreeSet<(String, String)>,
    /// Claims that people (by `oid`) must bring before they get a token again.
    pub(super) demanded: BTreeMap<String, String>,
    pub(super) consents: VecDeque<Consent>,
    pub(super) admin_choices: VecDeque<AdminChoice>,
    pub(super) claims: VecDeque<Value>,
    /// Signs; the older ones are still published.
    pub(super) keys: Vec<SigningKey>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) grants: HashMap<String, Grant>,
    pub(super) access: HashMap<String, Access>,
    pub(super) devices: HashMap<String, Device>,
    pub(super) counters: Counters,
}

/// The world as server and handles share it.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Mutex<World>);

impl Shared {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a request goes: the tenant in its path, and the operation.
pub(super) fn route(request: &Request) -> Option<(String, &'static str)> {
    let segments = request.segments();
    let (tenant, rest) = segments.split_first()?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let operation = match (request.method.as_str(), rest.as_slice()) {
        ("GET", ["oauth2", "v2.0", "authorize"]) => "entra.authorize",
        ("POST", ["oauth2", "v2.0", "token"]) => "entra.token",
        ("POST", ["oauth2", "v2.0", "devicecode"]) => "entra.devicecode",
        ("GET", ["v2.0", "adminconsent"] | ["adminconsent"]) => "entra.adminconsent",
        ("GET", ["discovery", "v2.0", "keys"]) => "entra.keys",
        ("GET", ["v2.0", ".well-known", "openid-configuration"]) => "entra.discovery",
        _ => return None,
    };
    Some((tenant.to_lowercase(), operation))
}

impl World {
    /// Answers a request whose place is known.
    pub(super) fn answer(&mut self, tenant: &str, operation: &str, request: &Request) -> Answer {
        match operation {
            "entra.token" => self.token(tenant, request).unwrap_or_else(|refusal| {
                self.counters.refused += 1;
                refusal.answer()
            }),
            "entra.devicecode" => self
                .device_code(tenant, request)
                .unwrap_or_else(|refusal| refusal.answer()),
            "entra.authorize" => browser(self.authorize(tenant, &request.query)),
            "entra.adminconsent" => {
                let versioned = request.path.ends_with("/v2.0/adminconsent");
                browser(self.admin_consent(tenant, versioned, &request.query))
            }
            "entra.keys" => Answer::json(200, &jwks(&self.keys)),
            _ => self.discovery(tenant),
        }
    }

    fn discovery(&self, tenant: &str) -> Answer {
        let base = &self.base;
        // Over `organizations` the issuer is a template, as Microsoft's own document has it.
        let issuer = if self.tenants.contains(tenant) {
            tenant
        } else {
            "{tenantid}"
        };
        let document = json!({
            "issuer": format!("{base}/{issuer}/v2.0"),
            "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
            "device_authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/devicecode"),
            "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        });
        Answer::json(200, &document)
    }

    /// Whether this names a tenant or stands for all of them.
    pub(super) fn knows(&self, tenant: &str) -> Result<(), Refusal> {
        if matches!(tenant, "organizations" | "common") || self.tenants.contains(tenant) {
            return Ok(());
        }
        Err(Refusal::of(90_002))
    }

    /// The account of this name that an authority would sign in; without a name, the first there is.
    pub(super) fn person(&self, authority: &str, name: Option<&str>) -> Option<&Person> {
        let one_tenant = self.tenants.contains(authority);
        self.people
            .iter()
            .filter(|person| !one_tenant || person.tenant == authority)
            .find(|person| name.is_none_or(|name| person.name.eq_ignore_ascii_case(name)))
    }

    /// Whether the client may act for a person.
    pub(super) fn has_consent(&self, person: &Person, client: &str) -> bool {
        self.approved.contains(&(person.tenant.clone(), client.to_owned()))
            || self.consented.contains(&(person.oid.clone(), client.to_owned()))
    }

    pub(super) fn issue_access(&mut self, who: &str, tenant: &str) -> String {
        let token = format!("mock-access-{}", random(86));
        let access = Access {
            who: who.to_owned(),
            tenant: tenant.to_owned(),
            expires: self.clock.now().after(self.settings.expires_in),
        };
        self.access.insert(token.clone(), access);
        token
    }

    pub(super) fn issue_refresh(&mut self, client: &str, person: &Person, scopes: &[String]) -> String {
        let token = format!("1.mock-refresh-{}", random(120));
        let grant = Grant {
            client: client.to_owned(),
            person: person.clone(),
            scopes: scopes.to_vec(),
            expires: self.clock.now().after(self.settings.refresh_lifetime),
            revoked: false,
            replaced: false,
        };
        self.grants.insert(token.clone(), grant);
        token
    }

    pub(super) fn id_token(&mut self, client: &str, person: &Person, nonce: Option<&str>) -> Option<String> {
        let now = self.clock.now().unix_seconds();
        let mut claims = json!({
            "aud": client,
            "iss": format!("{}/{}/v2.0", self.base, person.tenant),
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(3_599),
            "name": person.name,
            "oid": person.oid,
            "preferred_username": person.name,
            "sub": super::account::guid_of(&format!("{client}/{}", person.oid)),
            "tid": person.tenant,
            "ver": "2.0",
        });
        if let Value::Object(claims) = &mut claims {
            if let Some(nonce) = nonce {
                claims.insert("nonce".to_owned(), nonce.into());
            }
            let changes = self.claims.pop_front();
            for (name, value) in changes.as_ref().and_then(Value::as_object).unwrap_or(&Map::new()) {
                claims.insert(name.clone(), value.clone());
            }
            claims.retain(|_, value| !value.is_null());
        }
        Some(self.keys.first()?.sign(&claims))
    }
}

/// What a browser gets: sent back, or a page.
fn browser(result: Result<String, Blocked>) -> Answer {
    match result {
        Ok(back) => Answer::redirect(back),
        Err(Blocked { number }) => {
            let page = format!(
                "<!DOCTYPE html><html lang=en><title>Sign in to your account</title><p>AADSTS{number}</html>\n"
            );
            Answer::of(200, "text/html; charset=utf-8", page)
        }
    }
}
