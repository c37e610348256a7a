//! What can go wrong in a command, and how it is told.

use atlas_connectors::mail::BuildError;
use atlas_connectors::{Error, ErrorKind, OAuthError};
use atlas_connectors_examples::erp::Erps;
use atlas_connectors_examples::ui::{Tone, paint, printable};
use serde_json::{Value, json};

use crate::exit::Exit;

/// A command that did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library refused or the provider did.
    Library(Error),
    /// A command that cannot be carried out as typed; the text says what to type.
    Usage(String),
    /// A person has to decide or do something first.
    NeedsPerson(String),
    /// A file or the terminal.
    File {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::Usage(format!("the mail cannot be built: {error}"))
    }
}

impl Failure {
    /// A failed use of a file.
    pub(crate) fn file(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::File { what, source }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Library(error) => Exit::of(error),
            Self::Usage(_) => Exit::Usage,
            Self::NeedsPerson(_) => Exit::NeedsPerson,
            Self::File { .. } => Exit::Failed,
        }
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let detail = match self {
            Self::Library(error) => {
                let advice = error.advice();
                let paused = match error.kind() {
                    ErrorKind::Paused { why } => Some(*why),
                    _ => None,
                };
                json!({
                    "code": error.code(),
                    "paused": paused,
                    "message": error.to_string(),
                    "operation": error.operation(),
                    "cause": advice.cause,
                    "operator": advice.operator,
                    "developer": advice.developer,
                    "provider_code": error.provider_code().map(|code| code.as_str()),
                    "status": error.status(),
                    "messages": error.messages(),
                })
            }
            Self::Usage(text) => json!({ "code": "usage", "message": text }),
            Self::NeedsPerson(text) => json!({ "code": "needs_person", "message": text }),
            Self::File { what, source } => json!({ "code": "file", "message": format!("{what}: {source}") }),
        };
        json!({ "error": detail, "exit": self.exit() as u8 })
    }

    /// For people, on standard error.
    pub(crate) fn tell(&self) {
        let mut lines = vec![];
        match self {
            Self::Library(error) => {
                let advice = error.advice();
                lines.push(format!("{} {error}", paint("error:", Tone::Bad)));
                lines.push(format!("  cause  {}", advice.cause));
                lines.push(format!("  do     {}", advice.operator));
                for message in error.messages() {
                    lines.push(format!(
                        "  says   {}",
                        printable(&message.text.reveal().replace('\n', " "))
                    ));
                }
                if let Some(next) = next_command(error) {
                    lines.push(format!("  next   {next}"));
                }
                lines.push(format!("  code   {}", paint(error.code(), Tone::Dim)));
            }
            Self::Usage(text) | Self::NeedsPerson(text) => lines.push(format!("{} {text}", paint("error:", Tone::Bad))),
            Self::File { what, source } => lines.push(format!("{} {what}: {source}", paint("error:", Tone::Bad))),
        }
        let text = lines.join("\n");
        // Nowhere is left to say that standard error is closed.
        let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), format!("{text}\n").as_bytes());
    }
}

/// The command that helps, where one does.
fn next_command(error: &Error) -> Option<&'static str> {
    let erp = error.provider().is_some_and(Erps::is_erp);
    if let ErrorKind::Paused { why } = error.kind() {
        return Some(match *why {
            "select_company" => "atlas erp companies --select ID",
            "catalog_check" => "atlas erp check FILE",
            _ => "atlas erp list, atlas mailbox list",
        });
    }
    match error.oauth() {
        Some(OAuthError::ClientMisconfigured { .. }) if erp => Some("check --client-id, --tenant and the ERP secret"),
        Some(OAuthError::ClientMisconfigured { .. }) => Some("check --client-id and ATLAS_CLIENT_SECRET_FILE"),
        Some(OAuthError::Transient) | None => match error.kind() {
            ErrorKind::SchemaMismatch { .. } | ErrorKind::ServiceMissing { .. } if erp => Some("atlas erp catalog"),
            ErrorKind::PermissionDenied { .. } if erp => Some("atlas erp test --entity ENTITY"),
            _ => match error.code() {
                "storage.key" => Some("point --key-file at the key that was in use"),
                "outcome_unknown" => Some("atlas outbox list"),
                "not_approved.missing" => Some("atlas approvals list"),
                _ => None,
            },
        },
        Some(_) if erp => Some("atlas erp connect … --reconnect CONNECTION"),
        Some(_) => Some("atlas mailbox connect --reconnect ACCOUNT"),
    }
}
