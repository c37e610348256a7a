//! Who decides whether an action may leave.

use std::fmt;

use async_trait::async_trait;

use crate::connection::{ConnectionRef, Identity};
use crate::error::Result;
use crate::ids::ActorId;

/// What a policy is shown about an action.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProposedAction<'a> {
    /// The kind of action: `mail.send`, `mail.organize`.
    pub kind: &'a str,
    /// The connection.
    pub connection: &'a ConnectionRef,
    /// The account that would act.
    pub identity: &'a Identity,
    /// Who proposed it.
    pub author: &'a ActorId,
    /// Every address the mail would reach: To, Cc and Bcc. Empty where nothing is sent.
    pub recipients: &'a [String],
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

/// Decides about actions. Asked when an action is proposed and again right before it leaves.
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
}
