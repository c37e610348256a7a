//! Actions without their types: how rows of any kind are opened, shown and driven by one machine.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::action::approved::Claim;
use crate::action::canonical::{bound_digest, content_digest};
use crate::action::store::Digests;
use crate::action::{Action, Approved, Effector, HandleState, Prepared, Reconciled, ReviewContent, Target};
use crate::connection::{ConnectionRef, Identity};
use crate::error::{Error, Result, StorageFault};

/// What is sealed in a row.
#[derive(Serialize, Deserialize)]
pub(super) struct Payload<A> {
    pub(super) identity: Identity,
    pub(super) action: A,
}

/// The part of a payload that can be read without knowing the kind of action.
#[derive(Deserialize)]
struct PayloadIdentity {
    identity: Identity,
}

/// Whom an action would reach and what it would touch: what a policy is shown.
pub(super) struct Reach {
    pub(super) recipients: Vec<String>,
    pub(super) target: Option<Target>,
}

/// What the machine asks of a kind of action, apart from carrying it out.
pub(super) trait Kind: fmt::Debug + Send + Sync {
    /// The digests, computed from the stored bytes.
    fn digests(&self, payload: &[u8], connection: &ConnectionRef) -> Result<Digests>;
    /// What the reviewer is shown.
    fn review(&self, payload: &[u8]) -> Result<ReviewContent>;
    /// Whom it would reach and what it would touch.
    fn reach(&self, payload: &[u8]) -> Result<Reach>;
    /// Whether the provider's answer is kept sealed.
    fn seals_outcome(&self) -> bool;
}

/// The kind of one type of action.
pub(super) struct KindOf<A>(PhantomData<fn() -> A>);

impl<A> KindOf<A> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<A: Action> fmt::Debug for KindOf<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A::KIND)
    }
}

impl<A: Action> Kind for KindOf<A> {
    fn digests(&self, payload: &[u8], connection: &ConnectionRef) -> Result<Digests> {
        let payload: Payload<A> = decode(payload)?;
        Ok(Digests {
            bound: bound_digest(&payload.action, connection, &payload.identity),
            content: content_digest(&payload.action),
        })
    }

    fn review(&self, payload: &[u8]) -> Result<ReviewContent> {
        Ok(decode::<Payload<A>>(payload)?.action.review())
    }

    fn reach(&self, payload: &[u8]) -> Result<Reach> {
        let action = decode::<Payload<A>>(payload)?.action;
        Ok(Reach {
            recipients: action.recipients(),
            target: action.target(),
        })
    }

    fn seals_outcome(&self) -> bool {
        A::SEALS_OUTCOME
    }
}

/// The account in a payload of any kind.
pub(super) fn identity_in(payload: &[u8]) -> Result<Identity> {
    Ok(decode::<PayloadIdentity>(payload)?.identity)
}

/// A verified claim with the opened payload: what an [`Approved`] is minted from, a step at a time.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) claim: Claim,
    pub(super) payload: Arc<Vec<u8>>,
    pub(super) handle: Option<String>,
}

/// Carries out a kind of action without its type.
#[async_trait]
pub(super) trait Driver: fmt::Debug + Send + Sync {
    fn can_reconcile(&self) -> bool;
    /// Gives the handle.
    async fn prepare(&self, opened: Opened) -> Result<Option<String>>;
    async fn check_handle(&self, opened: Opened) -> Result<HandleState>;
    /// Gives the outcome as JSON.
    async fn commit(&self, opened: Opened) -> Result<String>;
    async fn reconcile(&self, opened: Opened) -> Result<Reconciled<String>>;
    async fn sweep(&self, opened: Opened) -> Result<()>;
}

/// The driver of one type of action.
pub(super) struct Typed<A> {
    effector: Arc<dyn Effector<A>>,
}

impl<A> Typed<A> {
    pub(super) fn new(effector: Arc<dyn Effector<A>>) -> Self {
        Self { effector }
    }
}

impl<A: Action> fmt::Debug for Typed<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({})", A::KIND)
    }
}

#[async_trait]
impl<A: Action> Driver for Typed<A> {
    fn can_reconcile(&self) -> bool {
        self.effector.can_reconcile()
    }

    async fn prepare(&self, opened: Opened) -> Result<Option<String>> {
        let approved = approved::<A>(&opened)?;
        let prepared = self.effector.prepare(&approved).await?;
        Ok(prepared.handle().map(str::to_owned))
    }

    async fn check_handle(&self, opened: Opened) -> Result<HandleState> {
        let prepared = prepared::<A>(&opened)?;
        self.effector.check_handle(&prepared).await
    }

    async fn commit(&self, opened: Opened) -> Result<String> {
        let prepared = prepared::<A>(&opened)?;
        let outcome = self.effector.commit(prepared).await?;
        encode(&outcome)
    }

    async fn reconcile(&self, opened: Opened) -> Result<Reconciled<String>> {
        let prepared = prepared::<A>(&opened)?;
        Ok(match self.effector.reconcile(&prepared).await? {
            Reconciled::Happened(outcome) => Reconciled::Happened(encode(&outcome)?),
            Reconciled::DidNotHappen => Reconciled::DidNotHappen,
            Reconciled::Unknown => Reconciled::Unknown,
        })
    }

    async fn sweep(&self, opened: Opened) -> Result<()> {
        let prepared = prepared::<A>(&opened)?;
        self.effector.sweep(&prepared).await
    }
}

fn approved<A: Action>(opened: &Opened) -> Result<Approved<A>> {
    let payload: Payload<A> = decode(&opened.payload)?;
    Ok(Approved::mint(payload.action, opened.claim.clone()))
}

fn prepared<A: Action>(opened: &Opened) -> Result<Prepared<A>> {
    Ok(approved::<A>(opened)?.prepared(opened.handle.clone()))
}

fn decode<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T> {
    // The parser's message may repeat what it read: it is dropped.
    serde_json::from_slice(payload).map_err(|_| Error::new(StorageFault::Corrupt, "outbox.payload"))
}

fn encode<T: Serialize>(outcome: &T) -> Result<String> {
    serde_json::to_string(outcome).map_err(|_| {
        // It happened; only its answer cannot be kept.
        Error::new(StorageFault::Io, "outbox.outcome").with_effect(crate::error::Effect::Happened)
    })
}
