//! The proof that lets an action leave, once.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::action::{Canonical, ReviewContent, Target};
use crate::clock::Timestamp;
use crate::connection::{ConnectionRef, Identity};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ActorId, IntentId};

/// SHA-256 over the canonical content of an action and its binding. 64 hexadecimal digits in text and JSON.
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

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(
                ErrorKind::Invalid {
                    what: "digest",
                    why: "64 hexadecimal digits are expected",
                },
                "digest.parse",
            )
        };
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Something that has an effect outside: a mail to send, labels to change, a record to write.
///
/// The gate and the outbox know no more of an action than this, so that rows of every kind are judged, approved and driven the
/// same way. What is not in [`Action::canonical`] is not approved.
///
/// ```
/// use atlas_connectors::action::{Action, Canonical, ReviewContent};
/// use serde::{Deserialize, Serialize};
///
/// /// Marks a ticket as done.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct CloseTicket {
///     number: u64,
///     base: String,
/// }
///
/// impl Action for CloseTicket {
///     const KIND: &'static str = "ticket.close";
///     type Outcome = ();
///
///     fn canonical(&self, out: &mut Canonical) {
///         out.number("number", self.number);
///         out.text("base", &self.base);
///     }
///
///     fn review(&self) -> ReviewContent {
///         ReviewContent::facts([("Ticket", self.number.to_string()), ("As read", self.base.clone())])
///     }
/// }
/// # assert_eq!(CloseTicket::KIND, "ticket.close");
/// ```
pub trait Action: fmt::Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable word for the kind of action: `mail.send`, `mail.organize`.
    const KIND: &'static str;

    /// What the provider answers when it has happened.
    type Outcome: fmt::Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Whether equal content means the same effect, so that a second proposal of it is a repetition. True for content that
    /// carries its own random marker, as a mail does; false where the same change may be wanted again.
    const UNIQUE: bool = false;

    /// Whether the provider's answer holds business data, so that it is kept sealed and not only its ids.
    const SEALS_OUTCOME: bool = false;

    /// Writes everything that will have an effect, the exact bytes included.
    fn canonical(&self, out: &mut Canonical);

    /// What the reviewer is shown, made from what will leave.
    fn review(&self) -> ReviewContent;

    /// Every address that would be reached. Empty where nothing is sent.
    fn recipients(&self) -> Vec<String> {
        Vec::new()
    }

    /// Which records it would touch and how, for rules about them. `None` where no record of an ERP is touched.
    fn target(&self) -> Option<Target> {
        None
    }

    /// Refuses what no reviewer could judge: an unreadable mail, a mail to nobody.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`]; nothing is stored then.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// An approved action. Made by the approval gate only, when its intent is claimed; spent by the provider's call.
///
/// There is no way to build, clone or deserialise one outside the core. Reading one compiles:
///
/// ```
/// use atlas_connectors::action::{Approved, Action};
/// fn kind<A: Action>(approved: &Approved<A>) -> &'static str {
///     let _ = approved.action();
///     A::KIND
/// }
/// ```
///
/// Building one does not (its fields are private):
///
/// ```compile_fail,E0451
/// use atlas_connectors::action::{Action, Approved};
/// fn forge<A: Action>(action: A, other: Approved<A>) -> Approved<A> {
///     Approved { action, ..other }
/// }
/// ```
///
/// Nor does cloning one:
///
/// ```compile_fail,E0599
/// use atlas_connectors::action::{Action, Approved};
/// fn twice<A: Action>(approved: Approved<A>) -> (Approved<A>, Approved<A>) {
///     (approved.clone(), approved)
/// }
/// ```
///
/// Nor reading one from somewhere:
///
/// ```compile_fail,E0277
/// use atlas_connectors::action::Approved;
/// use atlas_connectors::mail::OutgoingMessage;
/// fn revive(json: &str) -> Approved<OutgoingMessage> {
///     serde_json::from_str(json).unwrap()
/// }
/// ```
///
/// Nor making one from nothing:
///
/// ```compile_fail,E0277
/// use atlas_connectors::action::Approved;
/// use atlas_connectors::mail::OutgoingMessage;
/// fn wish() -> Approved<OutgoingMessage> {
///     Default::default()
/// }
/// ```
///
/// A record is written with one, and with a write alone it is not:
///
/// ```
/// use atlas_connectors::action::{Approved, Prepared};
/// use atlas_connectors::erp::{ErpConnector, Write};
/// async fn begin(erp: &dyn ErpConnector, write: &Approved<Write>) -> atlas_connectors::Result<Prepared<Write>> {
///     erp.prepare(write).await
/// }
/// ```
///
/// ```compile_fail,E0308
/// use atlas_connectors::action::{Approved, Prepared};
/// use atlas_connectors::erp::{ErpConnector, Write};
/// async fn begin(erp: &dyn ErpConnector, write: &Write) -> atlas_connectors::Result<Prepared<Write>> {
///     erp.prepare(write).await
/// }
/// ```
///
/// Nor is a preparation made by hand:
///
/// ```compile_fail,E0451
/// use atlas_connectors::action::{Approved, Prepared};
/// use atlas_connectors::erp::{ErpConnector, Write, Written};
/// async fn commit(erp: &dyn ErpConnector, approved: Approved<Write>) -> atlas_connectors::Result<Written> {
///     erp.commit(Prepared { approved, handle: None }).await
/// }
/// ```
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

    /// Made when an intent has been claimed and its approval verified.
    pub(super) fn mint(action: A, claim: Claim) -> Self {
        let Claim {
            intent,
            connection,
            identity,
            digest,
            approver,
            expires,
        } = claim;
        Self {
            action,
            intent,
            connection,
            identity,
            digest,
            approver,
            expires,
        }
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

/// Whose action it is and who approved it; becomes an [`Approved`] together with the action.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) intent: IntentId,
    pub(super) connection: ConnectionRef,
    pub(super) identity: Identity,
    pub(super) digest: Digest,
    pub(super) approver: ActorId,
    pub(super) expires: Timestamp,
}
