//! What a connection is used for, and the scopes that takes.

use serde::{Deserialize, Serialize};

use crate::oauth::{OAuthProvider, ScopeSet};

/// A piece of work that a host does with a connection. Each provider maps a set of them to the narrowest scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Workflow {
    /// Read mail and route it.
    Triage,
    /// Label, archive and trash mail.
    InboxManagement,
    /// Send approved replies with the narrowest permission; an interrupted send can end as uncertain.
    ApprovedReplies,
    /// Send approved replies through a draft in the mailbox; an interrupted send can be reconciled.
    DraftedReplies,
    /// Read records of an ERP.
    ReadRecords,
    /// Create and change records of an ERP after approval.
    WriteRecords,
}

impl Workflow {
    /// Stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::InboxManagement => "inbox_management",
            Self::ApprovedReplies => "approved_replies",
            Self::DraftedReplies => "drafted_replies",
            Self::ReadRecords => "read_records",
            Self::WriteRecords => "write_records",
        }
    }

    /// Whether it works on a mailbox.
    pub const fn is_mail(&self) -> bool {
        matches!(
            self,
            Self::Triage | Self::InboxManagement | Self::ApprovedReplies | Self::DraftedReplies
        )
    }
}

/// What is asked for at the consent page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScopePlan {
    /// The workflows, in order, without repeats.
    pub workflows: Vec<Workflow>,
    /// The narrowest scopes that cover them, with those that tell who came back.
    pub asked: ScopeSet,
}

impl ScopePlan {
    /// The plan of a provider for these workflows.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for a workflow that the provider does not have; [`crate::ErrorKind::Invalid`] for none at all.
    pub fn new(provider: &dyn OAuthProvider, workflows: &[Workflow]) -> crate::Result<Self> {
        if workflows.is_empty() {
            return Err(crate::Error::new(
                crate::ErrorKind::Invalid {
                    what: "workflows",
                    why: "a connection needs at least one",
                },
                "oauth.plan",
            ));
        }
        let mut workflows = workflows.to_vec();
        workflows.sort_unstable();
        workflows.dedup();
        let needed = provider.scopes_for(&workflows)?;
        let asked = normalized(provider, &needed.union(&provider.identity_scopes()));
        Ok(Self { workflows, asked })
    }

    /// Compares what was granted with what was asked, both ways, in the provider's long spelling.
    pub fn compare(&self, provider: &dyn OAuthProvider, granted: &ScopeSet) -> ScopeReport {
        let granted = normalized(provider, granted);
        let missing = self
            .asked
            .iter()
            .filter(|asked| !granted.iter().any(|held| provider.implies(held, asked)))
            .cloned()
            .collect();
        let excess = granted
            .iter()
            .filter(|held| !self.asked.iter().any(|asked| provider.implies(asked, held)))
            .cloned()
            .collect();
        ScopeReport {
            granted,
            missing,
            excess,
        }
    }
}

/// What was granted against what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeReport {
    /// Everything that was granted.
    pub granted: ScopeSet,
    /// Asked for and neither granted nor implied by what was.
    pub missing: ScopeSet,
    /// Granted beyond what was asked: reported, so that a host can warn or ask for less.
    pub excess: ScopeSet,
}

/// The set in the provider's long spelling.
pub(crate) fn normalized(provider: &dyn OAuthProvider, scopes: &ScopeSet) -> ScopeSet {
    scopes.iter().map(|scope| provider.normalize_scope(scope)).collect()
}
