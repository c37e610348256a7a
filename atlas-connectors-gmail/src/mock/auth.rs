//! Grants, codes and tokens: the authorization server's memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::{SigningKey, random};

use super::account::{Client, Consent, IdTokenFault, User};

pub(super) type Scopes = BTreeSet<String>;

/// How tokens behave; set by the builder or at run time.
#[derive(Clone, Debug)]
pub(super) struct AuthSettings {
    pub(super) issuer: String,
    pub(super) expires_in: Duration,
    pub(super) code_lifetime: Duration,
    pub(super) rotate: bool,
    pub(super) refresh_tokens_per_client: usize,
    pub(super) refresh_token_lifetime: Option<Duration>,
    /// The `iss` of the redirect: the issuer unless told otherwise; `None` leaves it out.
    pub(super) redirect_iss: Option<Option<String>>,
}

#[derive(Debug)]
pub(super) struct Auth {
    pub(super) settings: AuthSettings,
    pub(super) clients: BTreeMap<String, Client>,
    /// In the order of registration: the first is the default of the consent page.
    pub(super) users: Vec<User>,
    pub(super) consents: VecDeque<Consent>,
    pub(super) id_token_faults: VecDeque<IdTokenFault>,
    /// Signs; the older ones are still published.
    pub(super) keys: Vec<SigningKey>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) access: HashMap<String, Access>,
    pub(super) refresh: HashMap<String, Refresh>,
    /// What each user has granted to each client so far.
    pub(super) granted: BTreeMap<(String, String), Scopes>,
    serial: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) client: String,
    pub(super) user: String,
    pub(super) redirect: String,
    pub(super) scopes: Scopes,
    pub(super) nonce: Option<String>,
    pub(super) challenge: Option<Challenge>,
    pub(super) offline: bool,
    pub(super) expires: Timestamp,
    /// The access token it was exchanged for; a second exchange ends it.
    pub(super) spent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    S256(String),
    Plain(String),
}

#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) user: String,
    pub(super) client: String,
    pub(super) scopes: Scopes,
    pub(super) expires: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) user: String,
    pub(super) client: String,
    pub(super) scopes: Scopes,
    pub(super) expires: Option<Timestamp>,
    pub(super) replaced: bool,
    pub(super) serial: u64,
}

impl Auth {
    pub(super) fn new(settings: AuthSettings) -> Self {
        Self {
            settings,
            clients: BTreeMap::new(),
            users: Vec::new(),
            consents: VecDeque::new(),
            id_token_faults: VecDeque::new(),
            keys: SigningKey::first().into_iter().collect(),
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            granted: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(super) fn user(&self, email: &str) -> Option<&User> {
        self.users
            .iter()
            .find(|user| user.email.eq_ignore_ascii_case(email) || user.sub == email)
    }

    pub(super) fn issue_access(&mut self, user: &str, client: &str, scopes: &Scopes, now: Timestamp) -> String {
        let token = format!("ya29.a0{}", random(140));
        let expires = now.after(self.settings.expires_in);
        let access = Access {
            user: user.to_owned(),
            client: client.to_owned(),
            scopes: scopes.clone(),
            expires,
        };
        self.access.insert(token.clone(), access);
        token
    }

    /// A new refresh token; the oldest of the same user and client dies silently when there are too many.
    pub(super) fn issue_refresh(&mut self, user: &str, client: &str, scopes: &Scopes, now: Timestamp) -> String {
        let token = format!("1//0e{}", random(96));
        self.serial += 1;
        let refresh = Refresh {
            user: user.to_owned(),
            client: client.to_owned(),
            scopes: scopes.clone(),
            expires: self.settings.refresh_token_lifetime.map(|lifetime| now.after(lifetime)),
            replaced: false,
            serial: self.serial,
        };
        self.refresh.insert(token.clone(), refresh);
        let mut live: Vec<(u64, String)> = self
            .refresh
            .iter()
            .filter(|(_, one)| !one.replaced && one.user == user && one.client == client)
            .map(|(token, one)| (one.serial, token.clone()))
            .collect();
        live.sort_unstable();
        let surplus = live
            .len()
            .saturating_sub(self.settings.refresh_tokens_per_client.max(1));
        for (_, oldest) in live.into_iter().take(surplus) {
            self.refresh.remove(&oldest);
        }
        token
    }

    /// Ends a user's whole grant to a client: every token of the two, as Google's revocation does.
    pub(super) fn end_grant(&mut self, user: &str, client: &str) {
        self.access.retain(|_, one| !(one.user == user && one.client == client));
        self.refresh
            .retain(|_, one| !(one.user == user && one.client == client));
        self.codes.retain(|_, one| !(one.user == user && one.client == client));
        self.granted.remove(&(user.to_owned(), client.to_owned()));
    }

    /// Forgets what has been dead for a while, so that a long run does not grow.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        if self.access.len() > 4096 {
            self.access.retain(|_, one| one.expires > now);
        }
        if self.codes.len() > 4096 {
            self.codes.retain(|_, one| one.expires > now);
        }
    }
}

/// The long spelling in which Google gives scopes back.
pub(super) fn long(scope: &str) -> &str {
    match scope {
        "email" => "https://www.googleapis.com/auth/userinfo.email",
        "profile" => "https://www.googleapis.com/auth/userinfo.profile",
        other => other,
    }
}

/// Scopes of signing in, which have no box of their own.
pub(super) fn is_sign_in(scope: &str) -> bool {
    scope == "openid" || scope.starts_with("https://www.googleapis.com/auth/userinfo.")
}
