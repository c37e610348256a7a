//! The seam to the outside: who carries out an approved action, whatever kind it is.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::action::content::MailContent;
use crate::action::driver::{Driver, Typed};
use crate::action::record_writes::RecordWrites;
use crate::action::{Action, Approved, Prepared, Reconciled, Sent};
use crate::connection::{ConnectionRef, Identity};
use crate::erp::{ErpConnector, Write};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ConnectionId, TenantId};
use crate::mail::{LabelChange, Mailbox, OutgoingMessage};

/// Carries out one kind of action on one connection, in steps that the outbox stores between. Nothing here repeats an effect: each call
/// of [`Effector::commit`] is one request.
///
/// Mail is carried out by [`Effectors::with_mailbox`], records are written by [`Effectors::with_erp`].
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::action::{Approved, Effector, Effectors, HandleState, Prepared, Reconciled};
/// use atlas_connectors::mail::LabelChange;
/// use atlas_connectors::Result;
///
/// /// Sets labels somewhere; setting them twice is harmless.
/// #[derive(Debug)]
/// struct Labels;
///
/// #[async_trait::async_trait]
/// impl Effector<LabelChange> for Labels {
///     fn can_reconcile(&self) -> bool {
///         true
///     }
///     async fn prepare(&self, approved: &Approved<LabelChange>) -> Result<Prepared<LabelChange>> {
///         Ok(approved.prepared(None))
///     }
///     async fn check_handle(&self, _prepared: &Prepared<LabelChange>) -> Result<HandleState> {
///         Ok(HandleState::AsApproved)
///     }
///     async fn commit(&self, _prepared: Prepared<LabelChange>) -> Result<()> {
///         Ok(())
///     }
///     async fn reconcile(&self, _prepared: &Prepared<LabelChange>) -> Result<Reconciled<()>> {
///         Ok(Reconciled::DidNotHappen)
///     }
///     async fn sweep(&self, _ended: &Prepared<LabelChange>) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// let effectors = Effectors::new().with(Arc::new(Labels) as Arc<dyn Effector<LabelChange>>);
/// # assert!(effectors.can("mail.organize"));
/// ```
#[async_trait]
pub trait Effector<A: Action>: fmt::Debug + Send + Sync + 'static {
    /// Whether an effect whose answer was lost can be looked up. If not, it ends as uncertain at once.
    fn can_reconcile(&self) -> bool;

    /// Makes what tells this effect from a second one. May be asked again after a crash, and then finds what it made
    /// before, as far as it can.
    ///
    /// # Errors
    /// Any; nothing that counts as the effect has happened.
    async fn prepare(&self, approved: &Approved<A>) -> Result<Prepared<A>>;

    /// Compares what the handle holds now with what was approved. Asked right before [`Effector::commit`].
    ///
    /// # Errors
    /// Any; the effect is not let out then.
    async fn check_handle(&self, prepared: &Prepared<A>) -> Result<HandleState>;

    /// Lets the effect out, with exactly one request.
    ///
    /// # Errors
    /// With [`crate::error::Effect::Unknown`] when the request left and no clear answer came,
    /// [`crate::error::Effect::Happened`] when it was accepted and the answer could not be read, and
    /// [`crate::error::Effect::None`] only if the provider refused before acting or nothing left.
    async fn commit(&self, prepared: Prepared<A>) -> Result<A::Outcome>;

    /// Finds out whether an earlier commit happened. [`Reconciled::DidNotHappen`] allows the same commit to be repeated.
    ///
    /// # Errors
    /// Any; a failed look-up proves nothing.
    async fn reconcile(&self, prepared: &Prepared<A>) -> Result<Reconciled<A::Outcome>>;

    /// Removes what an ended intent left behind.
    ///
    /// # Errors
    /// Any; it is asked again a few times and then left, as what is left is harmless.
    async fn sweep(&self, ended: &Prepared<A>) -> Result<()>;
}

/// What a handle holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandleState {
    /// Exactly what was approved; also the answer where there is no handle.
    AsApproved,
    /// Somebody has changed it since.
    Changed,
    /// It is gone: used up by the effect, or removed by somebody.
    Gone,
}

/// What one connection can carry out.
#[derive(Clone, Default)]
pub struct Effectors(HashMap<&'static str, Arc<dyn Driver>>);

impl Effectors {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends mail and organizes through this mailbox.
    #[must_use]
    pub fn with_mailbox(self, mailbox: Arc<dyn Mailbox>) -> Self {
        let send: Arc<dyn Effector<OutgoingMessage>> = Arc::new(MailSend(Arc::clone(&mailbox)));
        let organize: Arc<dyn Effector<LabelChange>> = Arc::new(MailOrganize(mailbox));
        self.with(send).with(organize)
    }

    /// Writes records through this connector.
    #[must_use]
    pub fn with_erp(self, connector: Arc<dyn ErpConnector>) -> Self {
        let write: Arc<dyn Effector<Write>> = Arc::new(RecordWrites(connector));
        self.with(write)
    }

    /// Adds who carries out one kind of action.
    #[must_use]
    pub fn with<A: Action>(mut self, effector: Arc<dyn Effector<A>>) -> Self {
        self.0.insert(A::KIND, Arc::new(Typed::new(effector)));
        self
    }

    /// Whether it can carry out this kind.
    pub fn can(&self, kind: &str) -> bool {
        self.0.contains_key(kind)
    }

    pub(super) fn driver(&self, kind: &str) -> Option<Arc<dyn Driver>> {
        self.0.get(kind).map(Arc::clone)
    }
}

impl fmt::Debug for Effectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A connection as it is now: its epoch and pinned account, and what can be carried out on it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Standing {
    /// The connection with its present epoch.
    pub connection: ConnectionRef,
    /// The account.
    pub identity: Identity,
    /// What it can carry out now; empty while it is paused.
    pub effectors: Effectors,
}

impl Standing {
    /// A connection as it is now.
    pub fn new(connection: ConnectionRef, identity: Identity, effectors: Effectors) -> Self {
        Self {
            connection,
            identity,
            effectors,
        }
    }
}

/// Tells gate and outbox what a connection is *now*. Asked when an action is proposed, when it is claimed, and again right before
/// the wire: an epoch that was raised meanwhile voids what has not begun.
///
/// ```
/// use atlas_connectors::action::{Connected, Connectors};
/// use atlas_connectors::{ConnectionId, TenantId};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let connectors = Connected::new();
/// let standing = connectors.standing(&TenantId::new("acme"), &ConnectionId::new("c-1")).await?;
/// assert!(standing.is_none());
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait Connectors: fmt::Debug + Send + Sync + 'static {
    /// The connection as it is now, read from where it is stored, not from a cache; `None` once it is disconnected.
    ///
    /// # Errors
    /// Whatever kept it from being read; nothing is let out then.
    async fn standing(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<Standing>>;
}

/// Connections held in memory by the host: for one process that knows its connections. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Connected(Arc<Mutex<HashMap<(TenantId, ConnectionId), Standing>>>);

impl Connected {
    /// No connection yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connection, or replaces it after a reconnect.
    pub fn put(&self, standing: Standing) {
        let key = (
            standing.connection.tenant.clone(),
            standing.connection.connection.clone(),
        );
        self.map().insert(key, standing);
    }

    /// Adds a mailbox and the account behind it.
    pub fn put_mailbox(&self, mailbox: Arc<dyn Mailbox>, identity: Identity) {
        let connection = mailbox.connection().clone();
        self.put(Standing::new(
            connection,
            identity,
            Effectors::new().with_mailbox(mailbox),
        ));
    }

    /// Adds a connector to an ERP and the account behind it.
    pub fn put_erp(&self, connector: Arc<dyn ErpConnector>, identity: Identity) {
        let connection = connector.connection().clone();
        self.put(Standing::new(
            connection,
            identity,
            Effectors::new().with_erp(connector),
        ));
    }

    /// Takes a connection away: what has not begun is cancelled.
    pub fn remove(&self, tenant: &TenantId, connection: &ConnectionId) {
        self.map().remove(&(tenant.clone(), connection.clone()));
    }

    fn map(&self) -> MutexGuard<'_, HashMap<(TenantId, ConnectionId), Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Connectors for Connected {
    async fn standing(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<Standing>> {
        Ok(self.map().get(&(tenant.clone(), connection.clone())).cloned())
    }
}

/// Sends mail through a mailbox.
#[derive(Debug)]
struct MailSend(Arc<dyn Mailbox>);

#[async_trait]
impl Effector<OutgoingMessage> for MailSend {
    fn can_reconcile(&self) -> bool {
        self.0.capabilities().reconcile
    }

    async fn prepare(&self, approved: &Approved<OutgoingMessage>) -> Result<Prepared> {
        if !self.0.capabilities().send {
            return Err(Error::new(ErrorKind::Unsupported { what: "send" }, "outbox.prepare"));
        }
        self.0.prepare(approved).await
    }

    async fn check_handle(&self, prepared: &Prepared) -> Result<HandleState> {
        if prepared.handle().is_none() {
            return Ok(HandleState::AsApproved);
        }
        let Some(raw) = self.0.read_back(prepared).await? else {
            return Ok(HandleState::Gone);
        };
        let approved = MailContent::parse(prepared.message().raw());
        let held = MailContent::parse(&raw);
        // The provider may fold headers and exchange ids; what it says and whom it reaches may not differ.
        let same = match (approved, held) {
            (Some(approved), Some(held)) => approved.digest() == held.digest(),
            _ => false,
        };
        Ok(if same {
            HandleState::AsApproved
        } else {
            HandleState::Changed
        })
    }

    async fn commit(&self, prepared: Prepared) -> Result<Sent> {
        self.0.commit(prepared).await
    }

    async fn reconcile(&self, prepared: &Prepared) -> Result<Reconciled> {
        Ok(match self.0.reconcile(prepared).await? {
            // Only a handle that is still there proves that nothing was sent.
            Reconciled::DidNotHappen if prepared.handle().is_none() => Reconciled::Unknown,
            found => found,
        })
    }

    async fn sweep(&self, ended: &Prepared) -> Result<()> {
        if !self.0.capabilities().draft {
            return Ok(());
        }
        self.0.sweep(ended).await
    }
}

/// Changes labels through a mailbox. Setting the same labels again is harmless, so a lost answer is simply asked for again.
#[derive(Debug)]
struct MailOrganize(Arc<dyn Mailbox>);

#[async_trait]
impl Effector<LabelChange> for MailOrganize {
    fn can_reconcile(&self) -> bool {
        true
    }

    async fn prepare(&self, approved: &Approved<LabelChange>) -> Result<Prepared<LabelChange>> {
        if !self.0.capabilities().organize {
            return Err(Error::new(
                ErrorKind::Unsupported { what: "organize" },
                "outbox.prepare",
            ));
        }
        Ok(approved.prepared(None))
    }

    async fn check_handle(&self, _prepared: &Prepared<LabelChange>) -> Result<HandleState> {
        Ok(HandleState::AsApproved)
    }

    async fn commit(&self, prepared: Prepared<LabelChange>) -> Result<()> {
        self.0.organize(prepared.approved()).await
    }

    async fn reconcile(&self, _prepared: &Prepared<LabelChange>) -> Result<Reconciled<()>> {
        Ok(Reconciled::DidNotHappen)
    }

    async fn sweep(&self, _ended: &Prepared<LabelChange>) -> Result<()> {
        Ok(())
    }
}
