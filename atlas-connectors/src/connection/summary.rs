//! A connection as the operator sees it: a row with a chip, a line, and exactly the buttons that make sense.

use std::fmt;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::connection::{Connection, ConnectionRef, Identity, Pause, Proof, ProofKind, RevokeOutcome, Status};
use crate::ids::CompanyId;
use crate::oauth::Workflow;

/// One row of the settings page.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionSummary {
    /// Which connection, in which epoch.
    pub reference: ConnectionRef,
    /// Whose account it is; shown whole to its owner, masked in `Debug`.
    pub identity: Option<Identity>,
    /// What it is used for.
    pub workflows: Vec<Workflow>,
    /// The company that it works in, where one was chosen.
    pub company: Option<CompanyId>,
    /// Its state.
    pub status: Status,
    /// Since when it is in this state.
    pub status_since: Timestamp,
    /// What last showed that it works.
    pub last_proof: Option<Proof>,
    /// When a sync last ran to its end.
    pub last_sync: Option<Timestamp>,
    /// What became of the grant at the newest disconnect.
    pub revoke: Option<RevokeOutcome>,
}

/// A button of the settings page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConnectionAction {
    /// Sign in to a connection that holds no credential.
    Connect,
    /// Sign in again with the same account.
    Reconnect,
    /// Complete the sign-in that the connection waits for.
    SignIn,
    /// Choose a company.
    SelectCompany,
    /// Run the catalog check again.
    CheckCatalog,
    /// Go on although the catalog lacks something.
    AcceptCatalog,
    /// Sync at once.
    SyncNow,
    /// Stop the work for now.
    Pause,
    /// Let the work go on.
    Resume,
    /// Look at what was synced.
    ViewInbox,
    /// End the connection.
    Disconnect,
    /// Delete a connection that holds no credential from the list.
    Remove,
}

impl ConnectionAction {
    /// The words on the button, in English.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connect => "Connect",
            Self::Reconnect => "Reconnect",
            Self::SignIn => "Sign in",
            Self::SelectCompany => "Select company",
            Self::CheckCatalog => "Check catalog",
            Self::AcceptCatalog => "Go on without",
            Self::SyncNow => "Sync now",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::ViewInbox => "View inbox",
            Self::Disconnect => "Disconnect",
            Self::Remove => "Remove",
        }
    }
}

impl ConnectionSummary {
    /// The summary of a row.
    pub fn of(row: &Connection) -> Self {
        Self {
            reference: row.reference.clone(),
            identity: row.identity.clone(),
            workflows: row.workflows.clone(),
            company: row.company.clone(),
            status: row.status.clone(),
            status_since: row.status_since,
            last_proof: row.last_proof,
            last_sync: row.last_sync,
            revoke: row.disconnect.as_ref().and_then(|progress| progress.revoke.clone()),
        }
    }

    /// Exactly the buttons that make sense now, the most wanted first.
    pub fn actions(&self) -> Vec<ConnectionAction> {
        use ConnectionAction as A;

        let mut actions = match &self.status {
            Status::Disconnected => vec![A::Connect],
            Status::Paused(Pause::SignIn { .. }) => vec![A::SignIn],
            Status::Paused(Pause::ByHost) => vec![A::Resume],
            Status::Paused(Pause::SelectCompany { .. }) => vec![A::SelectCompany],
            Status::Paused(Pause::CatalogCheck { .. }) => vec![A::CheckCatalog, A::AcceptCatalog],
            Status::Verifying { .. } | Status::Connected => vec![A::SyncNow, A::Pause],
            Status::Revoked { .. } => vec![A::Reconnect],
            Status::Error { .. } => vec![A::Reconnect, A::SyncNow],
        };
        if self.last_sync.is_some() && self.workflows.iter().any(Workflow::is_mail) {
            actions.push(A::ViewInbox);
        }
        actions.push(if matches!(self.status, Status::Disconnected) {
            A::Remove
        } else {
            A::Disconnect
        });
        actions
    }

    /// One line for the person in front of the settings page.
    pub fn line(&self) -> String {
        match &self.status {
            Status::Disconnected => match &self.revoke {
                Some(RevokeOutcome::Failed { .. }) => {
                    "Disconnected here; the provider did not confirm that the access was removed there.".to_owned()
                }
                Some(RevokeOutcome::Shared { .. }) => {
                    "Disconnected here; other connections of the same account stay as they are.".to_owned()
                }
                _ => "Disconnected.".to_owned(),
            },
            Status::Paused(Pause::SignIn { reason }) => format!("Waits for you to sign in. {}", reason.cause),
            Status::Paused(Pause::ByHost) => "Paused.".to_owned(),
            Status::Paused(Pause::SelectCompany { choices }) => {
                format!("Waits for you to select one of {} companies.", choices.len())
            }
            Status::Paused(Pause::CatalogCheck { missing, .. }) if missing.is_empty() => {
                "The catalog is being checked.".to_owned()
            }
            Status::Paused(Pause::CatalogCheck { missing, .. }) => {
                format!("The catalog lacks {} of the fields that are needed.", missing.len())
            }
            Status::Verifying {
                needs: ProofKind::Signal,
                ..
            } => "Signed in; waits for the first new item to prove that it works.".to_owned(),
            Status::Verifying { .. } => "Signed in; waits for the provider's first answer.".to_owned(),
            Status::Connected => match self.last_proof {
                Some(proof) => format!("Connected; last proven {}.", proof.at),
                None => "Connected.".to_owned(),
            },
            Status::Revoked { reason } => format!("Access has ended. {}", reason.cause),
            Status::Error { reason, .. } => format!("Does not work. {}", reason.cause),
        }
    }

    /// What the operator does, step by step, until the connection works again; empty when there is nothing to do.
    pub fn recovery(&self) -> Vec<String> {
        let account = match &self.identity {
            Some(identity) => format!("Sign in as {}.", identity.masked()),
            None => "Sign in with the account that this connection is for.".to_owned(),
        };
        match &self.status {
            Status::Disconnected => match &self.revoke {
                Some(RevokeOutcome::Failed { .. }) => {
                    vec!["Remove the access of this app in the security settings of the account.".to_owned()]
                }
                _ => Vec::new(),
            },
            Status::Paused(Pause::SignIn { reason }) => vec![reason.operator.to_string(), account],
            Status::Paused(Pause::ByHost) => vec!["Choose Resume.".to_owned()],
            Status::Paused(Pause::SelectCompany { .. }) => vec!["Select the company to work in.".to_owned()],
            Status::Paused(Pause::CatalogCheck { missing, .. }) if missing.is_empty() => Vec::new(),
            Status::Paused(Pause::CatalogCheck { .. }) => vec![
                "Have the missing entities or fields activated in that system.".to_owned(),
                "Run the check again, or go on without them.".to_owned(),
            ],
            Status::Verifying {
                needs: ProofKind::Signal,
                ..
            } if self.workflows.iter().any(Workflow::is_mail) => {
                vec!["Wait for new mail, or send a mail to this address from another account.".to_owned()]
            }
            Status::Verifying { .. } | Status::Connected => Vec::new(),
            Status::Revoked { reason } => vec![
                reason.operator.to_string(),
                account,
                "Leave all permissions ticked at the consent page.".to_owned(),
                "The connection counts as working once something new has arrived.".to_owned(),
            ],
            Status::Error { reason, .. } => vec![reason.operator.to_string()],
        }
    }
}

impl fmt::Debug for ConnectionSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionSummary")
            .field("reference", &self.reference)
            .field("identity", &self.identity)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{CompanyChoice, Reason};
    use crate::{ConnectionId, Epoch};

    fn summary(status: Status) -> ConnectionSummary {
        let reference = ConnectionRef {
            tenant: "acme".into(),
            connection: ConnectionId::new("c"),
            epoch: Epoch::FIRST,
            provider: "gmail".into(),
        };
        let mut row = Connection::new(reference, Timestamp::UNIX_EPOCH);
        row.status = status;
        row.workflows = vec![Workflow::Triage];
        row.last_sync = Some(Timestamp::UNIX_EPOCH);
        row.identity = Some(Identity {
            subject: "1234567890".to_owned(),
            address: Some("orders@acme.example".to_owned()),
            tenant: None,
        });
        ConnectionSummary::of(&row)
    }

    fn reason() -> Reason {
        Reason::of(&crate::Error::new(crate::OAuthError::NoOfflineAccess, "test"))
    }

    #[test]
    fn every_state_has_its_buttons_and_a_line() {
        use ConnectionAction as A;

        let since = Timestamp::UNIX_EPOCH;
        let company = CompanyChoice {
            id: "c1".into(),
            name: "One".to_owned(),
        };
        let missing = vec!["Item.unit".to_owned()];
        for (status, buttons) in [
            (Status::Disconnected, vec![A::Connect, A::ViewInbox, A::Remove]),
            (
                Status::Paused(Pause::SignIn { reason: reason() }),
                vec![A::SignIn, A::ViewInbox, A::Disconnect],
            ),
            (
                Status::Paused(Pause::ByHost),
                vec![A::Resume, A::ViewInbox, A::Disconnect],
            ),
            (
                Status::Paused(Pause::SelectCompany { choices: vec![company] }),
                vec![A::SelectCompany, A::ViewInbox, A::Disconnect],
            ),
            (
                Status::Paused(Pause::CatalogCheck { company: None, missing }),
                vec![A::CheckCatalog, A::AcceptCatalog, A::ViewInbox, A::Disconnect],
            ),
            (
                Status::Verifying {
                    since,
                    needs: ProofKind::Signal,
                },
                vec![A::SyncNow, A::Pause, A::ViewInbox, A::Disconnect],
            ),
            (
                Status::Connected,
                vec![A::SyncNow, A::Pause, A::ViewInbox, A::Disconnect],
            ),
            (
                Status::Revoked { reason: reason() },
                vec![A::Reconnect, A::ViewInbox, A::Disconnect],
            ),
            (
                Status::Error {
                    since,
                    reason: reason(),
                },
                vec![A::Reconnect, A::SyncNow, A::ViewInbox, A::Disconnect],
            ),
        ] {
            let summary = summary(status.clone());
            assert_eq!(summary.actions(), buttons, "{status:?}");
            let offers = summary.actions().contains(&A::Reconnect);
            assert_eq!(offers, matches!(status, Status::Revoked { .. } | Status::Error { .. }));
            assert!(summary.line().ends_with('.'), "{}", summary.line());
            let shown = format!("{} {:?} {summary:?}", summary.line(), summary.recovery());
            assert!(!shown.contains("orders@"), "{shown}");
        }
    }

    #[test]
    fn what_was_never_synced_has_no_inbox_and_records_have_none() {
        let mut never = summary(Status::Connected);
        never.last_sync = None;
        assert!(!never.actions().contains(&ConnectionAction::ViewInbox));
        let mut records = summary(Status::Connected);
        records.workflows = vec![Workflow::ReadRecords];
        assert!(!records.actions().contains(&ConnectionAction::ViewInbox));
    }
}
