//! From an error to what the terminal shows and the exit code a script sees.

use std::process::ExitCode;

use atlas_connectors::error::{Effect, Retry};
use atlas_connectors::{Error, ErrorKind, OAuthError};

/// How a command ended, for scripts. Printed by `atlas --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// A person has to act.
    NeedsPerson = 3,
    /// Passing failure.
    Temporary = 4,
    /// Unknown whether a mail was sent.
    Uncertain = 5,
    /// Forbidden by policy.
    Forbidden = 6,
}

impl Exit {
    /// The code of an error.
    pub(crate) fn of(error: &Error) -> Self {
        if error.effect() == Effect::Unknown {
            return Self::Uncertain;
        }
        match error.kind() {
            ErrorKind::PolicyBlocked { .. } => Self::Forbidden,
            ErrorKind::NotApproved(_) | ErrorKind::Paused { .. } | ErrorKind::NeedsInteraction { .. } => {
                Self::NeedsPerson
            }
            ErrorKind::OAuth(OAuthError::Transient) => Self::Temporary,
            ErrorKind::OAuth(_) => Self::NeedsPerson,
            ErrorKind::Invalid { .. } => Self::Usage,
            _ if error.retry() != Retry::Never => Self::Temporary,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use atlas_connectors::error::{GrantEnd, NotApproved, Unreachable};
    use atlas_connectors::{Error, ErrorKind, IntentId, OAuthError};

    use super::Exit;

    #[test]
    fn each_class_has_the_code_that_help_promises() {
        let of = |kind: ErrorKind| Exit::of(&Error::new(kind, "test"));
        assert_eq!(of(ErrorKind::PolicyBlocked { rule: "r".into() }), Exit::Forbidden);
        assert_eq!(of(NotApproved::Missing.into()), Exit::NeedsPerson);
        assert_eq!(
            of(OAuthError::InvalidGrant {
                cause: GrantEnd::RevokedOrExpired
            }
            .into()),
            Exit::NeedsPerson
        );
        assert_eq!(of(OAuthError::Transient.into()), Exit::Temporary);
        assert_eq!(of(Unreachable::Dns.into()), Exit::Temporary);
        assert_eq!(
            of(ErrorKind::OutcomeUnknown {
                intent: IntentId::new("i")
            }),
            Exit::Uncertain
        );
        assert_eq!(of(ErrorKind::NotFound { object: "message" }), Exit::Failed);
        assert_eq!(
            of(ErrorKind::Invalid {
                what: "port",
                why: "taken"
            }),
            Exit::Usage
        );
    }
}
