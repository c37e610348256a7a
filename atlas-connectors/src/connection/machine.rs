//! The one function that moves a connection from state to state.

use crate::clock::Timestamp;
use crate::connection::{CompanyChoice, Pause, Proof, ProofKind, Reason, Status};
use crate::error::{Error, ErrorKind, FlowFault, GrantEnd, OAuthError};
use crate::ids::CompanyId;

/// Something that happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// A new credential was stored.
    SignedIn {
        /// When the grant was given.
        at: Timestamp,
        /// The least that proves it: [`ProofKind::Answer`] for a first sign-in, [`ProofKind::Signal`] for a reconnect.
        needs: ProofKind,
    },
    /// Something has shown that the connection works.
    Proven(Proof),
    /// The provider ended the grant.
    GrantEnded(Reason),
    /// The person must sign in, though the grant itself has not ended.
    SignInNeeded(Reason),
    /// It failed in a way that does not pass by itself.
    Failed {
        /// When.
        at: Timestamp,
        /// Why, and what to do.
        reason: Reason,
    },
    /// The host pauses the work.
    PausedByHost,
    /// The host lets the work go on.
    Resumed {
        /// When.
        at: Timestamp,
    },
    /// A company must be chosen.
    CompanyNeeded(Vec<CompanyChoice>),
    /// A company was chosen, and its catalog is to be checked.
    CompanySelected(CompanyId),
    /// The catalog lacks what the workflows need.
    CatalogUnfit {
        /// The company that was checked.
        company: Option<CompanyId>,
        /// Entities or fields that are missing, by path.
        missing: Vec<String>,
    },
    /// The catalog fits, or the operator goes on without what is missing.
    CatalogAccepted {
        /// When.
        at: Timestamp,
    },
    /// The connection was disconnected.
    Disconnected,
}

impl ConnectionEvent {
    /// Stable word for the event.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SignedIn { .. } => "signed_in",
            Self::Proven(_) => "proven",
            Self::GrantEnded(_) => "grant_ended",
            Self::SignInNeeded(_) => "sign_in_needed",
            Self::Failed { .. } => "failed",
            Self::PausedByHost => "paused_by_host",
            Self::Resumed { .. } => "resumed",
            Self::CompanyNeeded(_) => "company_needed",
            Self::CompanySelected(_) => "company_selected",
            Self::CatalogUnfit { .. } => "catalog_unfit",
            Self::CatalogAccepted { .. } => "catalog_accepted",
            Self::Disconnected => "disconnected",
        }
    }

    /// What a failed call means for its connection. `None`: nothing; passing failures, limits and refusals of a single
    /// item say nothing about the connection (`security-reliability.md`, section 1, rule 1).
    pub fn of_error(error: &Error, at: Timestamp) -> Option<Self> {
        let reason = Reason::of(error);
        match error.kind() {
            ErrorKind::OAuth(error) => match error {
                OAuthError::InvalidGrant {
                    cause: GrantEnd::CodeRejected,
                } => None,
                OAuthError::InvalidGrant {
                    cause: GrantEnd::InteractionRequired,
                } => Some(Self::SignInNeeded(reason)),
                OAuthError::InvalidGrant { .. } => Some(Self::GrantEnded(reason)),
                OAuthError::InsufficientPrivileges { .. } | OAuthError::NoOfflineAccess => {
                    Some(Self::SignInNeeded(reason))
                }
                OAuthError::ClientMisconfigured { .. } => Some(Self::Failed { at, reason }),
                // Denied consent and refused answers belong to one attempt at signing in, not to the connection.
                OAuthError::AccessDenied { .. }
                | OAuthError::WrongAccount { .. }
                | OAuthError::FlowRejected {
                    fault:
                        FlowFault::UnknownState
                        | FlowFault::OtherSession
                        | FlowFault::Expired
                        | FlowFault::Issuer
                        | FlowFault::Malformed
                        | FlowFault::IdToken
                        | FlowFault::NoAnswer
                        | FlowFault::Superseded,
                }
                | OAuthError::Transient
                | OAuthError::Other => None,
            },
            // A portal in the way sends everybody elsewhere for a while; the other rules are about settings.
            ErrorKind::EgressDenied(crate::error::EgressRule::Redirect) => None,
            ErrorKind::TlsRejected(_)
            | ErrorKind::EgressDenied(_)
            | ErrorKind::ServiceMissing { .. }
            | ErrorKind::StorageFailed(crate::error::StorageFault::Key | crate::error::StorageFault::Corrupt) => {
                Some(Self::Failed { at, reason })
            }
            _ => None,
        }
    }
}

/// The event makes no sense in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible while {status}")]
pub struct IllegalTransition {
    /// Code of the state.
    pub status: &'static str,
    /// Code of the event.
    pub event: &'static str,
}

/// The state after an event. Pure. An event that changes nothing gives the same state: news of a grant that is known to
/// have ended, a proof older than what is being verified, a second pause.
///
/// ```
/// use atlas_connectors::Timestamp;
/// use atlas_connectors::connection::{ConnectionEvent, Proof, ProofKind, Status, next};
///
/// let grant = Timestamp::from_unix_seconds(1_000);
/// let verifying = next(&Status::Disconnected, &ConnectionEvent::SignedIn { at: grant, needs: ProofKind::Signal })?;
///
/// // What was known before the grant proves nothing about it.
/// let cached = Proof::new(ProofKind::Signal, Timestamp::from_unix_seconds(900));
/// assert_eq!(next(&verifying, &ConnectionEvent::Proven(cached))?, verifying);
///
/// let fresh = Proof::new(ProofKind::Signal, Timestamp::from_unix_seconds(1_001));
/// assert_eq!(next(&verifying, &ConnectionEvent::Proven(fresh))?, Status::Connected);
/// # Ok::<(), atlas_connectors::connection::IllegalTransition>(())
/// ```
///
/// # Errors
/// [`IllegalTransition`] for an event that can only come from a mistake, such as resuming what is not paused.
pub fn next(status: &Status, event: &ConnectionEvent) -> Result<Status, IllegalTransition> {
    use ConnectionEvent as E;

    let unchanged = || Ok(status.clone());
    let illegal = || {
        Err(IllegalTransition {
            status: status.code(),
            event: event.code(),
        })
    };
    match (status, event) {
        // A sign-in and a disconnect are possible from everywhere.
        (_, E::SignedIn { at, needs }) => Ok(Status::Verifying {
            since: *at,
            needs: *needs,
        }),
        (_, E::Disconnected) => Ok(Status::Disconnected),

        // Without a credential nothing else can happen.
        (Status::Disconnected, _) => illegal(),

        // A grant that has ended stays so: what work in flight still reports changes nothing.
        (Status::Revoked { .. }, E::GrantEnded(_) | E::Proven(_) | E::SignInNeeded(_) | E::Failed { .. }) => {
            unchanged()
        }
        (Status::Revoked { .. }, _) => illegal(),
        (_, E::GrantEnded(reason)) => Ok(Status::Revoked { reason: reason.clone() }),

        (Status::Verifying { since, needs }, E::Proven(proof)) if proof.satisfies(*since, *needs) => {
            Ok(Status::Connected)
        }
        (Status::Error { since, .. }, E::Proven(proof)) if proof.satisfies(*since, ProofKind::Answer) => {
            Ok(Status::Connected)
        }
        (_, E::Proven(_)) => unchanged(),

        // Of two things a person must do, signing in comes first; it also covers what came before it.
        (Status::Paused(Pause::SignIn { .. }), E::SignInNeeded(_)) => unchanged(),
        (_, E::SignInNeeded(reason)) => Ok(Status::Paused(Pause::SignIn { reason: reason.clone() })),

        // A pause hides failures of work that was still in flight.
        (Status::Paused(_), E::Failed { .. }) => unchanged(),
        (_, E::Failed { at, reason }) => Ok(Status::Error {
            since: *at,
            reason: reason.clone(),
        }),

        // Only a host's own pause can be lifted by the host; the others ask for what they name.
        (Status::Paused(Pause::ByHost), E::PausedByHost) => unchanged(),
        (Status::Paused(_), E::PausedByHost) => illegal(),
        (_, E::PausedByHost) => Ok(Status::Paused(Pause::ByHost)),
        (Status::Paused(Pause::ByHost), E::Resumed { at }) => Ok(Status::Verifying {
            since: *at,
            needs: ProofKind::Answer,
        }),
        (_, E::Resumed { .. }) => illegal(),

        (Status::Paused(Pause::SignIn { .. } | Pause::ByHost), E::CompanyNeeded(_)) => unchanged(),
        (_, E::CompanyNeeded(choices)) => Ok(Status::Paused(Pause::SelectCompany {
            choices: choices.clone(),
        })),
        (Status::Paused(Pause::SelectCompany { choices }), E::CompanySelected(company)) => {
            if choices.iter().any(|choice| choice.id == *company) {
                Ok(Status::Paused(Pause::CatalogCheck {
                    company: Some(company.clone()),
                    missing: Vec::new(),
                }))
            } else {
                illegal()
            }
        }
        (_, E::CompanySelected(_)) => illegal(),

        (
            Status::Paused(Pause::SignIn { .. } | Pause::ByHost | Pause::SelectCompany { .. }),
            E::CatalogUnfit { .. },
        ) => unchanged(),
        (_, E::CatalogUnfit { company, missing }) => Ok(Status::Paused(Pause::CatalogCheck {
            company: company.clone(),
            missing: missing.clone(),
        })),
        (Status::Paused(Pause::CatalogCheck { .. }), E::CatalogAccepted { at }) => Ok(Status::Verifying {
            since: *at,
            needs: ProofKind::Answer,
        }),
        (_, E::CatalogAccepted { .. }) => illegal(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn reason(code: &str) -> Reason {
        Reason {
            code: code.into(),
            cause: "cause".into(),
            operator: "step".into(),
        }
    }

    fn choices() -> Vec<CompanyChoice> {
        ["c1", "c2"]
            .map(|id| CompanyChoice {
                id: id.into(),
                name: id.to_uppercase(),
            })
            .into()
    }

    fn verifying(seconds: i64, needs: ProofKind) -> Status {
        Status::Verifying {
            since: at(seconds),
            needs,
        }
    }

    fn sign_in(code: &str) -> Status {
        Status::Paused(Pause::SignIn { reason: reason(code) })
    }

    fn check(company: &str) -> Status {
        Status::Paused(Pause::CatalogCheck {
            company: Some(company.into()),
            missing: Vec::new(),
        })
    }

    fn unfit() -> Status {
        Status::Paused(Pause::CatalogCheck {
            company: Some("c9".into()),
            missing: vec!["Item.unit".to_owned()],
        })
    }

    fn error(seconds: i64, code: &str) -> Status {
        Status::Error {
            since: at(seconds),
            reason: reason(code),
        }
    }

    fn revoked(code: &str) -> Status {
        Status::Revoked { reason: reason(code) }
    }

    /// Every state by the letter of its column.
    fn states() -> Vec<(char, Status)> {
        vec![
            ('D', Status::Disconnected),
            ('S', sign_in("old")),
            ('H', Status::Paused(Pause::ByHost)),
            ('P', Status::Paused(Pause::SelectCompany { choices: choices() })),
            ('K', check("c1")),
            ('A', verifying(1_000, ProofKind::Answer)),
            ('V', verifying(1_000, ProofKind::Signal)),
            ('C', Status::Connected),
            ('R', revoked("old")),
            ('E', error(1_000, "old")),
        ]
    }

    /// What a letter in the table stands for. `=`: the same state. `-`: not possible.
    fn target(letter: char, from: &Status) -> Option<Status> {
        Some(match letter {
            '-' => return None,
            '=' => from.clone(),
            'D' => Status::Disconnected,
            'n' => verifying(2_000, ProofKind::Signal),
            'a' => verifying(2_000, ProofKind::Answer),
            'C' => Status::Connected,
            'r' => revoked("new"),
            's' => sign_in("new"),
            'e' => error(2_000, "new"),
            'h' => Status::Paused(Pause::ByHost),
            'p' => Status::Paused(Pause::SelectCompany { choices: choices() }),
            'k' => check("c2"),
            'u' => unfit(),
            other => panic!("{other}"),
        })
    }

    #[test]
    fn the_full_table() {
        use ConnectionEvent as E;

        let proven = |kind, seconds| E::Proven(Proof::new(kind, at(seconds)));
        let table: Vec<(ConnectionEvent, &str)> = vec![
            //                                                              DSHPKAVCRE
            (
                E::SignedIn {
                    at: at(2_000),
                    needs: ProofKind::Signal,
                },
                "nnnnnnnnnn",
            ),
            (proven(ProofKind::Token, 1_001), "-========="),
            (proven(ProofKind::Answer, 1_001), "-====C===C"),
            (proven(ProofKind::Signal, 1_001), "-====CC==C"),
            // As old as the grant or older: known before, proves nothing.
            (proven(ProofKind::Signal, 1_000), "-========="),
            (proven(ProofKind::Signal, 1), "-========="),
            (E::GrantEnded(reason("new")), "-rrrrrrr=r"),
            (E::SignInNeeded(reason("new")), "-=ssssss=s"),
            (
                E::Failed {
                    at: at(2_000),
                    reason: reason("new"),
                },
                "-====eee=e",
            ),
            (E::PausedByHost, "--=--hhh-h"),
            (E::Resumed { at: at(2_000) }, "--a-------"),
            (E::CompanyNeeded(choices()), "-==ppppp-p"),
            (E::CompanySelected("c2".into()), "---k------"),
            (E::CompanySelected("c3".into()), "----------"),
            (
                E::CatalogUnfit {
                    company: Some("c9".into()),
                    missing: vec!["Item.unit".to_owned()],
                },
                "-===uuuu-u",
            ),
            (E::CatalogAccepted { at: at(2_000) }, "----a-----"),
            (E::Disconnected, "DDDDDDDDDD"),
        ];
        for (event, row) in table {
            assert_eq!(row.len(), states().len());
            for ((name, from), letter) in states().into_iter().zip(row.chars()) {
                let expected = target(letter, &from);
                assert_eq!(next(&from, &event).ok(), expected, "{name} × {event:?}");
            }
        }
    }

    #[test]
    fn stored_states_are_read_back() {
        for (_, status) in states() {
            let text = serde_json::to_string(&status).unwrap();
            assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status, "{text}");
        }
    }

    #[test]
    fn only_a_connection_that_may_work_can_be_proven() {
        let proof = ConnectionEvent::Proven(Proof::new(ProofKind::Signal, at(9_000)));
        for (name, from) in states() {
            let connected = next(&from, &proof) == Ok(Status::Connected);
            assert_eq!(connected, from.may_work(), "{name}");
        }
    }
}
