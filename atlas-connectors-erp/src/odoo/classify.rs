//! From Odoo's errors to our kinds: one pure table by class name and status, for both protocols.
//!
//! Source: `odoo.md`, section 4. Texts are read only to tell apart what class and status leave open, by fixed sentences
//! in English (the connector asks for `en_US` where texts do not matter), and never copied but for people.

use atlas_connectors::error::{
    AccountState, Error, ErrorKind, FieldFault, GrantEnd, OAuthError, ProviderMessage, SchemaFault, Severity,
    ThrottleScope,
};
use atlas_connectors::http::{Classify, Failure, retry_after};

use crate::odoo::wire::Fault;

/// The table of errors of Odoo 14 to 19 and later.
#[derive(Clone, Copy, Debug, Default)]
pub struct OdooErrors;

impl Classify for OdooErrors {
    fn classify(&self, failure: &Failure<'_>) -> Error {
        let status = failure.status.as_u16();
        let named = Fault::read(failure.body).filter(|fault| !fault.name.is_empty());
        match named {
            Some(fault) if !matches!(status, 429 | 502..=504) => {
                of_fault(&fault, failure.operation, Some(status)).with_status(status)
            }
            _ => Error::new(unnamed(failure), failure.operation)
                .with_provider(crate::odoo::provider())
                .with_status(status),
        }
    }

    /// One call is one transaction: an error in Odoo's own words says that it was rolled back.
    fn proves_refusal(&self, failure: &Failure<'_>) -> bool {
        let from_a_proxy = matches!(failure.status.as_u16(), 502..=504);
        !from_a_proxy && Fault::read(failure.body).is_some_and(|fault| !fault.name.is_empty())
    }
}

/// The error for a fault in Odoo's words. `status` is JSON-2's; JSON-RPC answers everything with 200.
pub(super) fn of_fault(fault: &Fault, operation: &'static str, status: Option<u16>) -> Error {
    let mut error = Error::new(kind(fault, operation, status), operation)
        .with_provider(crate::odoo::provider())
        .with_provider_code(&fault.name);
    if let Some(text) = for_people(fault, operation) {
        error = error.with_messages([ProviderMessage::new(Severity::Error, text)]);
    }
    error
}

/// An answer that Odoo's application did not write: routing, the HTTP layer, or a proxy in front.
fn unnamed(failure: &Failure<'_>) -> ErrorKind {
    let said = |sentence: &str| {
        failure
            .body
            .windows(sentence.len())
            .any(|window| window == sentence.as_bytes())
    };
    match failure.status.as_u16() {
        404 if said("No database is selected") => ErrorKind::Invalid {
            what: "database",
            why: "the server has no database of this name, or serves it under another address",
        },
        300..=399 | 404 | 405 => ErrorKind::Invalid {
            what: "address",
            why: "no Odoo interface answers there: check the address, the path in front and the database",
        },
        413 => rejected("body", "too_large"),
        415 => rejected("content-type", "unsupported"),
        401 => refused(GrantEnd::RevokedOrExpired),
        403 => ErrorKind::PermissionDenied {
            object: "server".to_owned(),
            verb: "use",
        },
        429 => ErrorKind::Throttled {
            scope: ThrottleScope::Account,
            until: retry_after(failure.headers, failure.now),
        },
        503 if retry_after(failure.headers, failure.now).is_some() => ErrorKind::Throttled {
            scope: ThrottleScope::Account,
            until: retry_after(failure.headers, failure.now),
        },
        409 => ErrorKind::Conflict,
        408 | 425 | 500..=599 => ErrorKind::Transient,
        _ => rejected_as_a_whole(),
    }
}

fn kind(fault: &Fault, operation: &'static str, status: Option<u16>) -> ErrorKind {
    let message = fault.message.as_str();
    if fault.code == Some(100) {
        return refused(GrantEnd::RevokedOrExpired);
    }
    match fault.name.as_str() {
        "odoo.exceptions.AccessDenied" if status == Some(403) => ErrorKind::PermissionDenied {
            object: "session".to_owned(),
            verb: "use",
        },
        "odoo.exceptions.AccessDenied" | "odoo.http.SessionExpiredException" | "werkzeug.exceptions.Unauthorized" => {
            refused(GrantEnd::RevokedOrExpired)
        }
        "odoo.exceptions.AccessError" => denied(message, operation),
        "odoo.exceptions.MissingError" if own_user_is_missing(message) => {
            refused(GrantEnd::Account(AccountState::Missing))
        }
        "odoo.exceptions.MissingError" => ErrorKind::NotFound { object: "record" },
        "odoo.exceptions.LockError" => ErrorKind::Locked,
        "odoo.exceptions.ValidationError" => ErrorKind::Rejected {
            fields: named_fields(message),
        },
        "odoo.exceptions.UserError" => match between(message, "Object ", " doesn't exist") {
            Some(model) if is_model(model) => ErrorKind::ServiceMissing {
                service: model.to_owned(),
            },
            _ => rejected_as_a_whole(),
        },
        "odoo.exceptions.RedirectWarning" => ErrorKind::NeedsInteraction {
            what: word(operation).to_owned(),
        },
        "werkzeug.exceptions.NotFound" => not_found(message),
        "werkzeug.exceptions.UnprocessableEntity" | "builtins.TypeError" => argument(message),
        "werkzeug.exceptions.RequestEntityTooLarge" => rejected("body", "too_large"),
        "werkzeug.exceptions.BadRequest" => rejected("body", "malformed"),
        "werkzeug.exceptions.TooManyRequests" => ErrorKind::Throttled {
            scope: ThrottleScope::Account,
            until: None,
        },
        "builtins.AttributeError" if between(message, "The method '", "' does not exist").is_some() => {
            ErrorKind::Unsupported {
                what: "a method that this server does not have",
            }
        }
        "builtins.ValueError" => bad_value(message),
        "builtins.KeyError" if is_word(message) => missing_field(message),
        "psycopg2.OperationalError" if message.contains("does not exist") => ErrorKind::Invalid {
            what: "database",
            why: "the server has no database of this name, or serves it under another address",
        },
        "psycopg2.OperationalError"
        | "psycopg2.InterfaceError"
        | "psycopg2.pool.PoolError"
        | "psycopg2.errors.QueryCanceled"
        | "psycopg2.errors.AdminShutdown"
        | "odoo.sql_db.PoolError" => ErrorKind::Transient,
        "psycopg2.errors.SerializationFailure"
        | "psycopg2.errors.LockNotAvailable"
        | "psycopg2.errors.DeadlockDetected"
        | "psycopg2.errors.TransactionRollbackError"
        | "odoo.exceptions.ConcurrencyError" => ErrorKind::Locked,
        name if name.starts_with("builtins.") || name.starts_with("psycopg2.errors.") => rejected_as_a_whole(),
        _ => match status {
            Some(401) => refused(GrantEnd::RevokedOrExpired),
            Some(403) => denied(message, operation),
            Some(404) => ErrorKind::NotFound { object: "record" },
            Some(409) => ErrorKind::Locked,
            Some(429) => ErrorKind::Throttled {
                scope: ThrottleScope::Account,
                until: None,
            },
            Some(502..=504) => ErrorKind::Transient,
            _ => rejected_as_a_whole(),
        },
    }
}

/// JSON-2's 404 in its own words: a model, a method, or an address of ours that is no call.
fn not_found(message: &str) -> ErrorKind {
    if let Some(model) = between(message, "the model '", "' does not exist") {
        return ErrorKind::ServiceMissing {
            service: if is_model(model) { model } else { "model" }.to_owned(),
        };
    }
    if message.starts_with("The method '") {
        return ErrorKind::Unsupported {
            what: "a method that this server does not have",
        };
    }
    ErrorKind::Invalid {
        what: "address",
        why: "no Odoo interface answers there: check the address, the path in front and the database",
    }
}

fn denied(message: &str, operation: &'static str) -> ErrorKind {
    if message == "Access to unauthorized or invalid companies." {
        return ErrorKind::PermissionDenied {
            object: "res.company".to_owned(),
            verb: "use",
        };
    }
    ErrorKind::PermissionDenied {
        object: model_in(message).unwrap_or("record").to_owned(),
        verb: verb(operation),
    }
}

fn bad_value(message: &str) -> ErrorKind {
    let field = between(message, "Invalid field '", "'")
        .or_else(|| between(message, "Invalid field ", " in leaf"))
        .or_else(|| between(message, "Invalid field ", " in condition"));
    if let Some(field) = field.filter(|field| is_model(field)) {
        return missing_field(field);
    }
    if let Some(field) = between(message, "Wrong value for ", ": ").filter(|field| is_model(field)) {
        return rejected(field.rsplit('.').next().unwrap_or(field), "not_in_selection");
    }
    rejected_as_a_whole()
}

fn argument(message: &str) -> ErrorKind {
    if let Some(name) = between(message, "unexpected keyword argument '", "'").filter(|name| is_word(name)) {
        return rejected(name, "unknown_argument");
    }
    if let Some(name) = between(message, "missing a required argument: '", "'").filter(|name| is_word(name)) {
        return rejected(name, "missing_argument");
    }
    rejected_as_a_whole()
}

/// The field of a "mandatory field" refusal: `(partner_id)` after its label, in the words of 18 and of 19.
pub(super) fn named_fields(message: &str) -> Vec<FieldFault> {
    let label = between(message, "Missing required value for the field ", ".\n").or_else(|| {
        between(message, "a mandatory field is not set", "\0").and_then(|rest| between(rest, "Field: ", "\n"))
    });
    let name = label.and_then(|label| Some(label.rsplit_once('(')?.1.split_once(')')?.0));
    name.filter(|name| is_word(name))
        .map(|name| fault_of(name, "required"))
        .into_iter()
        .collect()
}

/// A uid that is nobody's: Odoo misses the user in whose name it looks for the user.
fn own_user_is_missing(message: &str) -> bool {
    let missing = between(message, "(Record: res.users(", ",)");
    missing.is_some() && missing == between(message, "User: ", ")")
}

/// What the person may read of it. Faults of the program speak of its insides, and a foreign key broken while creating
/// speaks of deleting another record.
fn for_people<'a>(fault: &'a Fault, operation: &str) -> Option<&'a str> {
    let meant_for_people = matches!(
        fault.name.as_str(),
        "odoo.exceptions.UserError"
            | "odoo.exceptions.ValidationError"
            | "odoo.exceptions.AccessError"
            | "odoo.exceptions.MissingError"
            | "odoo.exceptions.LockError"
            | "odoo.exceptions.RedirectWarning"
    );
    let deleting = [
        "another model requires the record being deleted",
        "Another model is using the record",
    ];
    let misleading = matches!(operation, "odoo.create" | "odoo.load" | "odoo.write")
        && deleting.iter().any(|words| {
            fault
                .message
                .strip_prefix("The operation cannot be completed: ")
                .is_some_and(|rest| rest.starts_with(words))
        });
    (meant_for_people && !misleading && !fault.message.is_empty()).then_some(&fault.message)
}

fn refused(cause: GrantEnd) -> ErrorKind {
    OAuthError::InvalidGrant { cause }.into()
}

fn missing_field(path: &str) -> ErrorKind {
    ErrorKind::SchemaMismatch {
        path: path.to_owned(),
        fault: SchemaFault::Missing,
    }
}

fn rejected(field: &str, code: &str) -> ErrorKind {
    ErrorKind::Rejected {
        fields: Vec::from([fault_of(field, code)]),
    }
}

fn fault_of(field: &str, code: &str) -> FieldFault {
    FieldFault {
        field: field.to_owned(),
        code: code.to_owned(),
    }
}

fn rejected_as_a_whole() -> ErrorKind {
    ErrorKind::Rejected { fields: Vec::new() }
}

fn verb(operation: &str) -> &'static str {
    match word(operation) {
        "create" | "load" => "create",
        "write" => "write",
        "unlink" => "delete",
        "action" => "act on",
        "message_post" | "activity_schedule" => "write to",
        _ => "read",
    }
}

fn word(operation: &str) -> &str {
    operation.rsplit('.').next().unwrap_or(operation)
}

/// The model that a text names in brackets, as all of Odoo's refusals do in every language.
fn model_in(message: &str) -> Option<&str> {
    message.split('(').skip(1).find_map(|rest| {
        let end = rest.find([')', ':', ','])?;
        rest.get(..end)
            .filter(|name| is_model(name) && (name.contains('.') || name.starts_with("x_")))
    })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.split_once(before)?.1;
    match after {
        "\0" => Some(rest),
        _ => Some(rest.split_once(after)?.0),
    }
}

fn is_model(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.split('.').all(is_word)
}

fn is_word(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
