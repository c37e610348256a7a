//! One stored connection.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::connection::{
    ConnectionEvent, ConnectionRef, DisconnectProgress, Identity, IllegalTransition, Proof, ProofKind, Status, next,
};
use crate::ids::CompanyId;
use crate::oauth::{ClientId, ScopeSet, Workflow};

/// Everything that is kept about a connection except its secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Connection {
    /// Tenant, id, present epoch and provider.
    pub reference: ConnectionRef,
    /// Who it belongs to, pinned at the first sign-in.
    pub identity: Option<Identity>,
    /// The OAuth client that its grant was issued to, where it has one.
    pub client: Option<ClientId>,
    /// Fields under which it has secrets in the credential store, such as `oauth`; a disconnect erases them.
    pub secrets: Vec<Box<str>>,
    /// What it is used for, in order, without repeats.
    pub workflows: Vec<Workflow>,
    /// What the provider granted, in the provider's long spelling.
    pub granted: ScopeSet,
    /// The company that it works in, pinned when it was chosen. By id: the name may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<CompanyId>,
    /// What the provider's crate needs to reach it, as it wrote it down; no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Box<str>>,
    /// Its state.
    pub status: Status,
    /// Since when it is in this state.
    pub status_since: Timestamp,
    /// What last showed that it works.
    pub last_proof: Option<Proof>,
    /// When a sync last ran to its end.
    pub last_sync: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// How far the newest disconnect has come; `None` once a sign-in followed.
    pub disconnect: Option<DisconnectProgress>,
}

impl Connection {
    /// A connection that nobody has signed in to yet.
    pub fn new(reference: ConnectionRef, created: Timestamp) -> Self {
        Self {
            reference,
            identity: None,
            client: None,
            secrets: Vec::new(),
            workflows: Vec::new(),
            granted: ScopeSet::new(),
            company: None,
            settings: None,
            status: Status::Disconnected,
            status_since: created,
            last_proof: None,
            last_sync: None,
            created,
            disconnect: None,
        }
    }

    /// The grant that its credential is part of, where it holds a live one: what a provider revokes as a whole.
    pub fn grant(&self) -> Option<GrantOwner> {
        let holds = !matches!(self.status, Status::Disconnected | Status::Revoked { .. });
        holds.then(|| self.owner()).flatten()
    }

    /// Whose grant its newest credential was part of, whether or not it still is.
    pub(crate) fn owner(&self) -> Option<GrantOwner> {
        Some(GrantOwner {
            provider: self.reference.provider.clone(),
            client: self.client.clone()?,
            subject: self.identity.as_ref()?.subject.clone(),
        })
    }

    /// Moves it to the state that follows from the event. `false`: nothing changed.
    ///
    /// # Errors
    /// [`IllegalTransition`]: the row is as it was.
    pub fn apply(&mut self, event: &ConnectionEvent, now: Timestamp) -> Result<bool, IllegalTransition> {
        let status = next(&self.status, event)?;
        let mut changed = false;
        if status != self.status {
            self.status = status;
            self.status_since = now;
            changed = true;
        }
        if let ConnectionEvent::CompanySelected(company) = event {
            self.company = Some(company.clone());
            changed = true;
        }
        let proof = match event {
            ConnectionEvent::Proven(proof) => Some(*proof),
            ConnectionEvent::SignedIn { at, .. } => Some(Proof::new(ProofKind::Token, *at)),
            _ => None,
        };
        if let Some(proof) = proof
            && self.last_proof.is_none_or(|last| last.at < proof.at)
        {
            self.last_proof = Some(proof);
            changed = true;
        }
        Ok(changed)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("reference", &self.reference)
            .field("identity", &self.identity)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// One person's whole grant to one OAuth client. Google revokes it as one, whichever token is named (`gmail.md`, section 1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GrantOwner {
    /// The provider.
    pub provider: crate::ids::ProviderId,
    /// The OAuth client.
    pub client: ClientId,
    /// The provider's subject.
    pub subject: String,
}

impl fmt::Debug for GrantOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantOwner")
            .field("provider", &self.provider)
            .field("subject", &crate::error::Masked::new(&self.subject))
            .finish_non_exhaustive()
    }
}
