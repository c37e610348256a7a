//! From error answers of SAP services to our kinds: one pure table by status and code.
//!
//! Source: `sap-odata.md`, sections 2, 3, 5 and 12. Texts follow the logon language and decide nothing.

use atlas_connectors::error::{
    Error, ErrorKind, FieldFault, GrantEnd, OAuthError, OperationClass, Retry, SchemaFault, ThrottleScope,
};
use atlas_connectors::http::{Classify, Failure, retry_after};

use crate::odata::{Envelope, ODataFailure};
use crate::sap::cookies::TOKEN_HEADER;

/// Provider code of a refusal for want of a valid CSRF token: nothing was executed, a fetch and one repeat are safe.
pub(super) const TOKEN_REQUIRED: &str = "x-csrf-token:Required";
/// Provider code of a web page in place of data.
pub(super) const WEB_PAGE: &str = "html";

/// Not registered, not published, without system alias, or unknown in the back end.
const SERVICE_MISSING: [&str; 6] = [
    "/IWFND/MED/170",
    "/IWBEP/CM_V4_COS/014",
    "/IWBEP/CM_MGW_RT/026",
    "/IWFND/CM_COS/064",
    "/IWFND/CM_COS/002",
    "HTTP/404/E/Not Found",
];
/// There, but this user may not start it.
const SERVICE_FORBIDDEN: [&str; 2] = ["/IWFND/CM_CONSUMER/101", "/IWBEP/CM_V4_COS/011"];
/// Somebody else holds the record: VL 045, V1 042, MC 601, and the enqueue server's own.
const LOCKS: [&str; 5] = ["V1/042", "VL/045", "VL045", "MC/601", "ENQ/100"];
/// A segment that the service does not have; told with 400.
const SCHEMA: [&str; 1] = ["/IWFND/CM_MGW/051"];
/// A database's own word for a key that exists (CAP, both its databases): the statement failed, nothing was stored.
const DUPLICATES: [&str; 3] = [
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT",
];

/// The table for one service.
///
/// What a 403 means is decided by its code: not registered, not allowed to start, or no right to the data; a 404 too
/// may mean the service or the record. See [`SapErrors::situation`].
#[derive(Clone, Debug)]
pub struct SapErrors {
    service: Box<str>,
    bearer: bool,
}

/// What a refusal of a service says about the service itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Situation {
    /// It is not registered or published: an administrator has to do that.
    ServiceMissing,
    /// It is there, and this user lacks the role or communication arrangement to start it.
    ServiceForbidden,
    /// It may be started, and this user lacks the right to the data or the change.
    DataForbidden,
    /// It says nothing about the service.
    Other,
}

impl SapErrors {
    /// The table for the service of this name. `bearer`: whether requests carry a token that can be renewed; any other
    /// credential that is refused once is not tried again, since repeated tries lock the user.
    pub fn new(service: &str, bearer: bool) -> Self {
        Self {
            service: service.into(),
            bearer,
        }
    }

    /// What an error of this table says about the service.
    pub fn situation(error: &Error) -> Situation {
        match error.kind() {
            ErrorKind::ServiceMissing { .. } => Situation::ServiceMissing,
            ErrorKind::PermissionDenied { verb: "start", .. } => Situation::ServiceForbidden,
            ErrorKind::PermissionDenied { .. } => Situation::DataForbidden,
            _ => Situation::Other,
        }
    }

    fn kind(&self, failure: &Failure<'_>, said: &ODataFailure) -> ErrorKind {
        let missing = || ErrorKind::ServiceMissing {
            service: self.service.to_string(),
        };
        let any = |codes: &[&str]| codes.iter().any(|code| said.has_code(code));
        // Codes first: the status beside them differs from release to release.
        if any(&SERVICE_MISSING) {
            return missing();
        }
        if any(&SERVICE_FORBIDDEN) {
            return self.denied("start");
        }
        if any(&LOCKS) {
            return ErrorKind::Locked;
        }
        if any(&DUPLICATES) {
            return ErrorKind::Conflict;
        }
        if any(&SCHEMA) {
            return self.schema();
        }
        // SAP Cloud for Customer: the right to the service is missing, told by 500 and a header.
        if any(&["CM_DS_APPL_ERROR:048"]) {
            return self.denied("start");
        }
        match failure.status.as_u16() {
            // Whoever asked whether something changed takes this for its answer.
            304 => ErrorKind::Unsupported {
                what: "an unchanged answer",
            },
            401 | 407 if self.bearer => OAuthError::Transient.into(),
            401 | 407 => OAuthError::InvalidGrant {
                cause: GrantEnd::RevokedOrExpired,
            }
            .into(),
            403 => self.denied(verb(failure.operation)),
            // Nothing at all comes for an unknown key from some, and a page or a plain text where no service listens.
            404 => match said.envelope {
                Envelope::V2 | Envelope::V4 | Envelope::Empty => ErrorKind::NotFound { object: "record" },
                Envelope::Xml if !said.code.as_deref().is_some_and(|code| code.starts_with("HTTP/")) => {
                    ErrorKind::NotFound { object: "record" }
                }
                _ => missing(),
            },
            410 if failure.operation == "sap.changes" => ErrorKind::CursorExpired,
            410 => ErrorKind::NotFound { object: "record" },
            405 => ErrorKind::Unsupported {
                what: "this verb on this entity",
            },
            406 | 415 => ErrorKind::Unsupported {
                what: "the asked format",
            },
            409 | 412 | 428 => ErrorKind::Conflict,
            413 => refused("body", "too_large"),
            414 | 431 => refused("url", "too_long"),
            423 => ErrorKind::Locked,
            429 => self.throttled(failure),
            // With a time to come back it was turned away at the door; without one it may have fallen on the way.
            503 if retry_after(failure.headers, failure.now).is_some() => self.throttled(failure),
            501 => ErrorKind::Unsupported {
                what: "this operation on this service",
            },
            400 if said.code.as_deref().is_some_and(is_framework_id) => self.schema(),
            500..=599 if business_code(said) => rejected(said),
            408 | 425 | 500..=599 => ErrorKind::Transient,
            400..=499 => rejected(said),
            _ => ErrorKind::Transient,
        }
    }

    fn denied(&self, verb: &'static str) -> ErrorKind {
        ErrorKind::PermissionDenied {
            object: self.service.to_string(),
            verb,
        }
    }

    fn schema(&self) -> ErrorKind {
        ErrorKind::SchemaMismatch {
            path: self.service.to_string(),
            fault: SchemaFault::Missing,
        }
    }

    fn throttled(&self, failure: &Failure<'_>) -> ErrorKind {
        ErrorKind::Throttled {
            scope: ThrottleScope::Account,
            until: retry_after(failure.headers, failure.now).filter(|until| *until > failure.now),
        }
    }
}

impl Classify for SapErrors {
    fn classify(&self, failure: &Failure<'_>) -> Error {
        let base = |kind: ErrorKind| {
            Error::new(kind, failure.operation)
                .with_class(class(failure.operation))
                .with_provider(crate::sap::provider())
                .with_status(failure.status.as_u16())
        };
        if is_token_refusal(failure) {
            return base(self.denied("write")).with_provider_code(TOKEN_REQUIRED);
        }
        let said = ODataFailure::of(failure.headers, failure.body);
        let kind = self.kind(failure, &said);
        let unrenewable = matches!(kind, ErrorKind::OAuth(OAuthError::Transient));
        let mut error = base(kind).with_messages(said.messages());
        if unrenewable {
            // A fresh token has been tried by then; only the token endpoint can say that the grant is over.
            error = error.with_retry(Retry::Never);
        }
        if let Some(code) = telling_code(&said) {
            error = error.with_provider_code(code);
        } else if said.envelope == Envelope::Html {
            error = error.with_provider_code(WEB_PAGE);
        }
        if let Some(id) = said.transaction_id.as_deref().filter(|id| is_identifier(id)) {
            error = error.with_context("transaction", id);
        }
        error
    }

    /// The database refused the row, or the server says that it does not have the operation.
    fn proves_refusal(&self, failure: &Failure<'_>) -> bool {
        let said = ODataFailure::of(failure.headers, failure.body);
        let known = matches!(said.envelope, Envelope::V2 | Envelope::V4);
        known && (failure.status.as_u16() == 501 || DUPLICATES.iter().any(|code| said.has_code(code)))
    }
}

/// The header decides, never the body: its text follows the logon language (`sap-odata.md`, section 5).
fn is_token_refusal(failure: &Failure<'_>) -> bool {
    let required = failure.headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
    failure.status.as_u16() == 403 && required.is_some_and(|value| value.trim().eq_ignore_ascii_case("required"))
}

/// A message of an application: class and number, such as `V1/313` or `/ABC/SALES/007`, but not the framework's own.
fn business_code(said: &ODataFailure) -> bool {
    let business = |code: &str| {
        let Some((class, number)) = code.rsplit_once('/') else {
            return false;
        };
        let framework = ["/IWBEP", "/IWFND", "/IWCOR", "HTTP"]
            .iter()
            .any(|own| class.starts_with(own));
        !class.is_empty() && !framework && number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    said.codes().any(business)
}

/// The framework's id for its own refusals of an address or a property: 32 hexadecimal digits.
fn is_framework_id(code: &str) -> bool {
    code.len() == 32 && code.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The code that says most: not the one that only says "several", and not the bare status.
fn telling_code(said: &ODataFailure) -> Option<&str> {
    let plain = |code: &&str| *code != "MULTIPLE_ERRORS" && *code != "ODATA_ERROR";
    said.codes().find(plain).or(said.code.as_deref())
}

fn is_identifier(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn rejected(said: &ODataFailure) -> ErrorKind {
    ErrorKind::Rejected { fields: said.fields() }
}

fn refused(field: &str, code: &str) -> ErrorKind {
    ErrorKind::Rejected {
        fields: vec![FieldFault {
            field: field.to_owned(),
            code: code.to_owned(),
        }],
    }
}

/// What the call wanted to do, for people.
fn verb(operation: &str) -> &'static str {
    match operation {
        "sap.create" => "create",
        "sap.update" => "update",
        "sap.delete" => "delete",
        "sap.action" => "act",
        "sap.batch" => "write",
        _ => "read",
    }
}

fn class(operation: &str) -> OperationClass {
    match verb(operation) {
        "read" => OperationClass::Read,
        _ => OperationClass::Write,
    }
}
