//! The proof that lets an action leave, once.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::connection::{ConnectionRef, Identity};
use crate::ids::{ActorId, IntentId};

/// SHA-256 over the canonical content of an action and its binding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest read back from a store.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Something that has an effect outside: a mail to send, labels to change, a record to write.
pub trait Action: fmt::Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable word for the kind of action: `mail.send`, `mail.organize`.
    const KIND: &'static str;

    /// What the provider answers when it has happened.
    type Outcome: fmt::Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// An approved action. Made by the approval gate only, when its intent is claimed; spent by the provider's call.
///
/// There is no way to build, clone or deserialise one outside the core.
#[must_use = "an approval is consumed with its claim; unused, the effect does not happen"]
pub struct Approved<A> {
    action: A,
    intent: IntentId,
    connection: ConnectionRef,
    identity: Identity,
    digest: Digest,
    approver: ActorId,
    expires: Timestamp,
}

impl<A: Action> Approved<A> {
    /// The action, exactly as approved.
    pub fn action(&self) -> &A {
        &self.action
    }

    /// The intent in the outbox.
    pub fn intent(&self) -> &IntentId {
        &self.intent
    }

    /// The connection and epoch it was approved for.
    pub fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    /// The account it was approved for.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The digest that was approved.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Who approved, or the rule of the policy that did.
    pub fn approver(&self) -> &ActorId {
        &self.approver
    }

    /// When it ends.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The same approval for the next step of the same effect. Never leaves the core: outside, an approval is one value.
    pub(super) fn again(&self) -> Self {
        Self {
            action: self.action.clone(),
            intent: self.intent.clone(),
            connection: self.connection.clone(),
            identity: self.identity.clone(),
            digest: self.digest,
            approver: self.approver.clone(),
            expires: self.expires,
        }
    }
}

impl<A: Action> fmt::Debug for Approved<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approved")
            .field("kind", &A::KIND)
            .field("intent", &self.intent)
            .field("connection", &self.connection)
            .field("digest", &self.digest)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
