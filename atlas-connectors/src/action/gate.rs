//! The gate: where actions are proposed, reviewed, approved or rejected.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::action::canonical::{bound_digest, content_digest};
use crate::action::desk::{Desk, ROW_SCHEMA, same, settle};
use crate::action::driver::Payload;
use crate::action::{Action, Decision, Digest, Inserted, Intent, IntentRow, IntentState, Review};
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::{Error, ErrorKind, NotApproved, Result, StorageFault};
use crate::ids::{ActorId, IntentId, TenantId, Version};

/// Who proposes something, for which connection, under which key.
#[derive(Clone, Debug)]
pub struct Proposal {
    connection: ConnectionRef,
    author: ActorId,
    key: String,
    expires_in: Option<Duration>,
}

impl Proposal {
    /// A proposal under an idempotency key of the caller's choice, such as the id of the job that made it: proposing again
    /// under the same key, after a crash or a doubled notification, gives the same intent. Keys are unique within the
    /// connection and at most 200 bytes.
    pub fn new(connection: &ConnectionRef, author: impl Into<ActorId>, key: impl Into<String>) -> Self {
        Self {
            connection: connection.clone(),
            author: author.into(),
            key: key.into(),
            expires_in: None,
        }
    }

    /// Lets the proposal, and its approval, end earlier than the settings say.
    #[must_use]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }
}

/// What became of a proposal. Being held is a normal outcome, not an error.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// A person has to review it: show the review, then call [`Gate::approve`] with the digest that was shown.
    Held {
        /// The intent.
        intent: IntentId,
        /// What to show.
        review: Box<Review>,
    },
    /// It may leave: the outbox's worker takes it, or [`crate::action::Outbox::dispatch`].
    Ready(IntentId),
    /// Policy forbids it.
    Denied {
        /// The intent, kept for the audit.
        intent: IntentId,
        /// The rule that decided.
        rule: String,
    },
    /// The key, or the very same content, was proposed before, and has gone further since.
    Known(Box<Intent>),
}

impl Outcome {
    /// The intent.
    pub fn intent(&self) -> &IntentId {
        match self {
            Self::Held { intent, .. } | Self::Ready(intent) | Self::Denied { intent, .. } => intent,
            Self::Known(intent) => &intent.id,
        }
    }
}

/// Where actions are proposed and reviewed. Made by [`crate::action::Outbox::gate`]; clones share everything.
///
/// Every method takes the tenant: an intent of another tenant does not exist.
#[derive(Clone)]
pub struct Gate {
    pub(super) desk: Arc<Desk>,
}

impl Gate {
    /// Writes an action down, bound to the connection as it is now, and asks the policy.
    ///
    /// # Errors
    /// Nothing has left in any case. `Invalid` for an action that cannot be reviewed, or a key that was used for another
    /// action; `Paused` if the connection is not connected; `Cancelled` if it was reconnected since; `StorageFailed`.
    pub async fn propose<A: Action>(&self, proposal: Proposal, action: A) -> Result<Outcome> {
        let desk = &self.desk;
        desk.kind(A::KIND)?;
        if proposal.key.is_empty() || proposal.key.len() > 200 {
            return Err(invalid("idempotency key", "it is empty or longer than 200 bytes"));
        }
        action.check()?;
        let asked = &proposal.connection;
        let standing = desk.connectors.standing(&asked.tenant, &asked.connection).await?;
        let standing = standing.ok_or_else(|| Error::new(ErrorKind::Paused { why: "sign_in" }, "gate.propose"))?;
        if standing.connection.epoch != asked.epoch {
            return Err(Error::new(ErrorKind::Cancelled, "gate.propose"));
        }
        let now = desk.now().await?;
        let ttl = proposal
            .expires_in
            .unwrap_or(desk.settings.approval_ttl)
            .min(desk.settings.approval_ttl);
        let mut row = IntentRow {
            intent: IntentId::random(),
            schema: ROW_SCHEMA,
            kind: A::KIND.to_owned(),
            state: IntentState::Draft,
            version: Version::NONE,
            sequence: 0,
            key: proposal.key,
            digest: bound_digest(&action, &standing.connection, &standing.identity),
            content: content_digest(&action),
            unique: A::UNIQUE,
            author: proposal.author,
            created: now,
            updated: now,
            expires: now.after(ttl),
            available: now,
            payload: Vec::new(),
            approval: None,
            automatic: false,
            lease: None,
            handle: None,
            attempts: 0,
            refusals: 0,
            lookups: 0,
            outcome: None,
            reason: None,
            unannounced: false,
            sweep: false,
            generation: 0,
            connection: standing.connection,
        };
        let payload = Payload {
            identity: standing.identity,
            action,
        };
        let payload = serde_json::to_vec(&payload).map_err(|_| invalid("action", "it cannot be written down"))?;
        row.payload = desk.seal(&row, &payload)?;
        crash_point!(BeforeIntentStored);
        let audit = [desk.event_by(&row, "proposed", now, row.author.clone())];
        match desk.store.insert_intent(&row, &audit).await? {
            Inserted::New(row) => {
                crash_point!(IntentStored);
                let row = desk.judge_draft(&row).await?;
                self.outcome(&row)
            }
            Inserted::Known(known) => self.known(&row, *known, now).await,
        }
    }

    /// Approves what was shown. `approver` comes from the host's session, never from the request's body, and `seen` is the
    /// digest that was shown to that person.
    ///
    /// # Errors
    /// `NotApproved` with the reason why it cannot be approved (any more); `PermissionDenied` if the author may not approve
    /// it; `NotFound`; `StorageFailed`.
    pub async fn approve(
        &self,
        tenant: &TenantId,
        intent: &IntentId,
        approver: &ActorId,
        seen: &Digest,
    ) -> Result<Intent> {
        let desk = &self.desk;
        let row = desk.load(tenant, intent).await?;
        if !same(seen, &row.digest) {
            return Err(NotApproved::Digest.at("gate.approve"));
        }
        if row.author == *approver && !desk.settings.author_may_approve {
            let denied = ErrorKind::PermissionDenied {
                object: "own proposal".to_owned(),
                verb: "approve",
            };
            return Err(Error::new(denied, "gate.approve"));
        }
        let now = self.still_open(&row, "gate.approve").await?;
        // The bytes are read once more: what is approved is what is stored.
        desk.open(&row)?;
        let mut after = row.clone();
        after.approval = Some(desk.decide(&row, approver.clone(), Decision::Approved, now)?);
        after.state = IntentState::Ready;
        after.reason = None;
        after.updated = now;
        after.available = now;
        let audit = [desk.event_by(&row, "approved", now, approver.clone())];
        crash_point!(BeforeApprovalStored);
        let stored = desk.update(&row, after, &audit).await?;
        crash_point!(ApprovalStored);
        Ok(self.desk.intent(&stored))
    }

    /// Rejects an intent; it ends as cancelled. An edit is a new proposal.
    ///
    /// # Errors
    /// `NotApproved` if it is not open any more; `NotFound`; `StorageFailed`.
    pub async fn reject(&self, tenant: &TenantId, intent: &IntentId, reviewer: &ActorId) -> Result<Intent> {
        let desk = &self.desk;
        let row = desk.load(tenant, intent).await?;
        let now = self.still_open(&row, "gate.reject").await?;
        let mut after = row.clone();
        settle(&mut after, IntentState::Cancelled, Some("rejected".to_owned()), now);
        let audit = [desk.event_by(&row, "rejected", now, reviewer.clone())];
        let stored = desk.update(&row, after, &audit).await?;
        Ok(self.desk.intent(&stored))
    }

    /// Takes back an intent that no worker has begun to send: a draft, one awaiting approval, or one ready. It ends as cancelled.
    ///
    /// # Errors
    /// `Conflict` if it has begun or ended already; `NotFound`; `StorageFailed`.
    pub async fn withdraw(&self, tenant: &TenantId, intent: &IntentId, by: &ActorId) -> Result<Intent> {
        let desk = &self.desk;
        let row = desk.load(tenant, intent).await?;
        if !matches!(
            row.state,
            IntentState::Draft | IntentState::AwaitingApproval | IntentState::Ready
        ) {
            return Err(Error::new(ErrorKind::Conflict, "gate.withdraw"));
        }
        let now = desk.now().await?;
        let mut after = row.clone();
        settle(&mut after, IntentState::Cancelled, Some("withdrawn".to_owned()), now);
        after.sweep = row.handle.is_some();
        let audit = [desk.event_by(&row, "withdrawn", now, by.clone())];
        let stored = desk.update(&row, after, &audit).await?;
        Ok(self.desk.intent(&stored))
    }

    /// What a reviewer is shown, rendered from the stored bytes.
    ///
    /// # Errors
    /// `NotFound`; `NotApproved::Digest` if the stored bytes are not those that were proposed; `StorageFailed`.
    pub async fn review(&self, tenant: &TenantId, intent: &IntentId) -> Result<Review> {
        let row = self.desk.load(tenant, intent).await?;
        self.desk.review(&row)
    }

    /// Intents that wait for a person, oldest first, after this one (`None`: from the beginning), at most `limit`. What has expired is
    /// not among them.
    ///
    /// # Errors
    /// `StorageFailed`; `NotFound` for an unknown `after`.
    pub async fn pending(&self, tenant: &TenantId, after: Option<&IntentId>, limit: usize) -> Result<Vec<Intent>> {
        let now = self.desk.now().await?;
        let after = match after {
            Some(intent) => self.desk.load(tenant, intent).await?.sequence,
            None => 0,
        };
        let waiting = [IntentState::AwaitingApproval];
        let rows = self.desk.store.list_intents(tenant, &waiting, after, limit).await?;
        Ok(rows
            .iter()
            .filter(|row| now < row.expires)
            .map(|row| self.desk.intent(row))
            .collect())
    }

    /// One intent.
    ///
    /// # Errors
    /// `NotFound`; `StorageFailed`.
    pub async fn intent(&self, tenant: &TenantId, intent: &IntentId) -> Result<Intent> {
        Ok(self.desk.intent(&self.desk.load(tenant, intent).await?))
    }

    /// Checks that a person may still decide about the row, and ends it if not. Gives the moment.
    async fn still_open(&self, row: &IntentRow, operation: &'static str) -> Result<Timestamp> {
        let desk = &self.desk;
        match row.state {
            IntentState::AwaitingApproval => {}
            IntentState::Draft => return Err(NotApproved::Missing.at(operation)),
            IntentState::Cancelled => return Err(why_cancelled(row).at(operation)),
            _ => return Err(NotApproved::Used.at(operation)),
        }
        let now = desk.now().await?;
        if now >= row.expires {
            desk.cancel(row, "expired".to_owned(), now).await?;
            return Err(NotApproved::Expired.at(operation));
        }
        let bound = &row.connection;
        let standing = desk.connectors.standing(&bound.tenant, &bound.connection).await?;
        if standing.is_none_or(|standing| standing.connection.epoch != bound.epoch) {
            desk.cancel(row, "superseded".to_owned(), now).await?;
            return Err(NotApproved::Context.at(operation));
        }
        Ok(now)
    }

    /// The answer to a proposal whose key or content is there already.
    async fn known(&self, asked: &IntentRow, mut known: IntentRow, now: Timestamp) -> Result<Outcome> {
        if known.key == asked.key && !same(&known.content, &asked.content) {
            return Err(invalid("idempotency key", "it was used for another action"));
        }
        let waits = matches!(
            known.state,
            IntentState::Draft | IntentState::AwaitingApproval | IntentState::Ready
        );
        if waits && known.connection.epoch != asked.connection.epoch && known.handle.is_none() {
            known = self.desk.cancel(&known, "superseded".to_owned(), now).await?;
        }
        if known.state == IntentState::Draft {
            // Stored and not judged: the process ended between the two.
            known = match self.desk.judge_draft(&known).await {
                Err(error) if *error.kind() == ErrorKind::StorageFailed(StorageFault::Conflict) => {
                    self.desk.load(&known.connection.tenant, &known.intent).await?
                }
                judged => judged?,
            };
        }
        self.outcome(&known)
    }

    fn outcome(&self, row: &IntentRow) -> Result<Outcome> {
        let rule = row.reason.as_deref().and_then(|reason| reason.strip_prefix("policy:"));
        Ok(match (row.state, rule) {
            (IntentState::AwaitingApproval, _) => Outcome::Held {
                intent: row.intent.clone(),
                review: Box::new(self.desk.review(row)?),
            },
            (IntentState::Ready, _) => Outcome::Ready(row.intent.clone()),
            (IntentState::Cancelled, Some(rule)) => Outcome::Denied {
                intent: row.intent.clone(),
                rule: rule.to_owned(),
            },
            _ => Outcome::Known(Box::new(self.desk.intent(row))),
        })
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("store", &self.desk.store)
            .finish_non_exhaustive()
    }
}

/// Why a cancelled intent cannot be approved.
pub(super) fn why_cancelled(row: &IntentRow) -> NotApproved {
    match row.reason.as_deref() {
        Some("expired") => NotApproved::Expired,
        Some("superseded") => NotApproved::Context,
        _ => NotApproved::Rejected,
    }
}

fn invalid(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, "gate.propose")
}
