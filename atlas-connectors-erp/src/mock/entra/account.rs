//! People, clients, and what people do on Entra's pages.

use super::refusal::Refusal;

/// Somebody with an account in a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// The id of the tenant.
    pub tenant: String,
    /// The id of the user in that tenant (`oid`).
    pub oid: String,
    /// What people know the account by (`preferred_username`). It may stand in several tenants: a guest.
    pub name: String,
}

impl Person {
    /// An account. Its `oid` is made of tenant and name, so that it is the same in every run.
    pub fn new(tenant: impl Into<String>, name: impl Into<String>) -> Self {
        let (tenant, name) = (tenant.into(), name.into());
        let oid = guid_of(&format!("{tenant}/{name}"));
        Self { tenant, oid, name }
    }

    /// Sets the id of the user.
    #[must_use]
    pub fn with_oid(mut self, oid: impl Into<String>) -> Self {
        self.oid = oid.into();
        self
    }
}

/// An app registration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// The application id.
    pub id: String,
    /// The secret; `None` for a public client.
    pub secret: Option<String>,
    /// Addresses to come back to. A public client may use `http://localhost` with any port besides.
    pub redirects: Vec<String>,
    /// Whether it was switched off (7000112).
    pub disabled: bool,
}

impl Client {
    /// A client with a secret.
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: Some(secret.into()),
            redirects: Vec::new(),
            disabled: false,
        }
    }

    /// A client without a secret: a desktop app.
    pub fn public(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: None,
            redirects: Vec::new(),
            disabled: false,
        }
    }

    /// Registers an address to come back to.
    #[must_use]
    pub fn with_redirect(mut self, redirect: impl Into<String>) -> Self {
        self.redirects.push(redirect.into());
        self
    }

    /// Switches it off.
    #[must_use]
    pub fn switched_off(mut self) -> Self {
        self.disabled = true;
        self
    }

    pub(super) fn accepts(&self, redirect: &str) -> bool {
        let localhost = redirect.strip_prefix("http://localhost");
        let own = localhost.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']));
        self.redirects.iter().any(|one| one == redirect) || (self.secret.is_none() && own)
    }
}

/// What the person does on the next sign-in page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consent {
    /// Signs in as who was hinted, or else as the first person of the tenant, and agrees.
    Approve,
    /// Declines: `access_denied`, 65004.
    Deny,
    /// Signs in as this account, whatever was hinted.
    Account(String),
    /// Agrees, and the token names these scopes only.
    Only(Vec<String>),
    /// Comes back with this refusal.
    Refused(Refusal),
    /// Is shown a page with this number and never comes back.
    Blocked(u32),
}

/// What the administrator does on the next page for administrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdminChoice {
    /// Agrees for everybody.
    Approve,
    /// Says no.
    Deny,
}

/// A page of Entra's own, from which the browser never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocked {
    /// The number on the page.
    pub number: u32,
}

/// A GUID that is the same for the same text.
pub(super) fn guid_of(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}
