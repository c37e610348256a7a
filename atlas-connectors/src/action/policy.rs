//! Who decides whether an action may leave.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::action::Target;
use crate::clock::Timestamp;
use crate::connection::{ConnectionRef, Identity};
use crate::error::Result;
use crate::ids::ActorId;

/// What a policy is shown about an action. It sees who would be reached and how much, not what is said.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ProposedAction<'a> {
    /// The kind of action: `mail.send`, `mail.organize`, `erp.write`.
    pub kind: &'a str,
    /// The connection.
    pub connection: &'a ConnectionRef,
    /// The account that would act.
    pub identity: &'a Identity,
    /// Who proposed it.
    pub author: &'a ActorId,
    /// Every address the mail would reach: To, Cc and Bcc. Empty where nothing is sent.
    pub recipients: &'a [String],
    /// The records that would be touched, and how. `None` where no record of an ERP is touched.
    pub target: Option<&'a Target>,
    /// The moment of the question; never earlier than anything stored.
    pub now: Timestamp,
    /// Whether it is asked right before the action leaves, rather than when it was proposed.
    pub leaving: bool,
    /// Whether a person has approved it already.
    pub approved: bool,
    /// What left on this connection before, counted from the store.
    pub history: &'a dyn History,
}

impl<'a> ProposedAction<'a> {
    /// A question about an action, as a test of a policy asks it: proposed at this moment, with nothing before it.
    pub fn new(kind: &'a str, connection: &'a ConnectionRef, identity: &'a Identity, author: &'a ActorId) -> Self {
        Self {
            kind,
            connection,
            identity,
            author,
            recipients: &[],
            target: None,
            now: Timestamp::UNIX_EPOCH,
            leaving: false,
            approved: false,
            history: &NoHistory,
        }
    }

    /// Names the addresses that would be reached.
    #[must_use]
    pub fn to(mut self, recipients: &'a [String]) -> Self {
        self.recipients = recipients;
        self
    }

    /// Names the records that would be touched.
    #[must_use]
    pub fn touching(mut self, target: &'a Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Sets the moment.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Brings what left before.
    #[must_use]
    pub fn after(mut self, history: &'a dyn History) -> Self {
        self.history = history;
        self
    }
}

impl fmt::Debug for ProposedAction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProposedAction")
            .field("kind", &self.kind)
            .field("connection", &self.connection)
            .field("author", &self.author)
            .field("recipients", &self.recipients.len())
            .field("target", &self.target)
            .field("now", &self.now)
            .field("leaving", &self.leaving)
            .field("approved", &self.approved)
            .finish_non_exhaustive()
    }
}

/// Counts what left without a person, durably: over processes and restarts.
///
/// ```
/// use std::time::Duration;
/// use atlas_connectors::action::History;
///
/// /// Five in whatever window.
/// #[derive(Debug)]
/// struct Five;
///
/// #[async_trait::async_trait]
/// impl History for Five {
///     async fn automatic(&self, _window: Duration) -> atlas_connectors::Result<u64> {
///         Ok(5)
///     }
/// }
/// ```
#[async_trait]
pub trait History: fmt::Debug + Send + Sync {
    /// How many actions of this kind on this connection were let out by policy alone within this time, or are on their
    /// way, counting only those proposed before the one in question: so of any number of simultaneous proposals
    /// exactly as many pass as the limit says.
    ///
    /// # Errors
    /// The store's; the policy then decides nothing, which means deny.
    async fn automatic(&self, window: Duration) -> Result<u64>;
}

/// Nothing has left before.
#[derive(Clone, Copy, Debug)]
struct NoHistory;

#[async_trait]
impl History for NoHistory {
    async fn automatic(&self, _window: Duration) -> Result<u64> {
        Ok(0)
    }
}

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It may leave without a person.
    Allow {
        /// The rule that decided, for the audit.
        rule: String,
    },
    /// A person has to review it.
    Hold {
        /// The rule that decided.
        rule: String,
    },
    /// It may not leave, whoever approves.
    Deny {
        /// The rule that decided.
        rule: String,
    },
}

impl Verdict {
    /// The rule that decided.
    pub fn rule(&self) -> &str {
        match self {
            Self::Allow { rule } | Self::Hold { rule } | Self::Deny { rule } => rule,
        }
    }
}

/// Decides about actions. Asked when an action is proposed and again right before it leaves.
///
/// Right before it leaves, [`Verdict::Hold`] lets an action pass that a person has approved, and stops one that nobody
/// has; [`Verdict::Deny`] stops both.
///
/// ```
/// use atlas_connectors::action::{ApprovalPolicy, ProposedAction, Verdict};
///
/// /// Everything waits for a person.
/// #[derive(Debug)]
/// struct AskAlways;
///
/// #[async_trait::async_trait]
/// impl ApprovalPolicy for AskAlways {
///     async fn evaluate(&self, _action: &ProposedAction<'_>) -> atlas_connectors::Result<Verdict> {
///         Ok(Verdict::Hold { rule: "ask-always".into() })
///     }
/// }
/// ```
#[async_trait]
pub trait ApprovalPolicy: fmt::Debug + Send + Sync + 'static {
    /// The verdict. Pure with respect to the action. An error, a panic or a time-out means deny.
    ///
    /// # Errors
    /// Whatever kept it from deciding; the action is not let out then.
    async fn evaluate(&self, action: &ProposedAction<'_>) -> Result<Verdict>;

    /// Which edition of the rules this is; written into every approval, for the audit.
    fn version(&self) -> String {
        "unversioned".to_owned()
    }
}
