//! What the mock sends back: answers, and the errors of Gmail and of the token endpoint in their real bodies.

use std::borrow::Cow;

use serde_json::{Value, json};

/// One HTTP answer before it is put on the wire.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(Cow<'static, str>, String)>,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

pub(super) const JSON: &str = "application/json; charset=UTF-8";
pub(super) const HTML: &str = "text/html; charset=UTF-8";

impl Reply {
    pub(super) fn json(value: &Value) -> Self {
        Self::json_text(value.to_string())
    }

    pub(super) fn json_text(body: String) -> Self {
        Self::with_status(200, JSON, body.into_bytes())
    }

    pub(super) fn with_status(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type,
            body,
        }
    }

    /// The 204 of deletes, `batchModify` and `stop`.
    pub(super) fn empty() -> Self {
        Self::with_status(204, JSON, Vec::new())
    }

    pub(super) fn redirect(location: String) -> Self {
        Self::with_status(302, HTML, Vec::new()).header("location", location)
    }

    pub(super) fn html(status: u16, title: &str) -> Self {
        let body = format!(
            "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>{title}</title><p><b>{status}.</b> <ins>That’s an error.</ins><p>{title}</html>\n"
        );
        Self::with_status(status, HTML, body.into_bytes())
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((Cow::Borrowed(name), value.into()));
        self
    }
}

/// An error of the Gmail API, answered with the status and envelope that Gmail uses.
///
/// Source: `gmail.md`, section 7. Hand one to [`Faults`](super::Faults) to have it answered by script:
///
/// ```
/// use atlas_connectors_gmail::mock::{ApiError, Fault};
///
/// let fault = Fault::from(ApiError::TooManyConcurrentRequests);
/// assert_eq!(ApiError::TooManyConcurrentRequests.status(), 429);
/// assert_eq!(fault, Fault::Api(ApiError::TooManyConcurrentRequests));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiError {
    /// 400 `invalidArgument` with this text.
    InvalidArgument(String),
    /// 400: `raw` or an upload is missing.
    RawMissing,
    /// 400: `raw` is not base64url.
    InvalidBase64,
    /// 400: the mail names nobody to send it to.
    RecipientRequired,
    /// 400: the attachment id is too old.
    InvalidAttachmentToken,
    /// 400: the thread id is not one of this mailbox's.
    InvalidThreadId,
    /// 400: the id is not 16 hexadecimal digits.
    InvalidId,
    /// 400: no such label.
    LabelNotFound,
    /// 400: a label that may not be put or taken, such as `SENT`.
    InvalidLabel(String),
    /// 400: `startHistoryId` is missing or no number.
    MissingStartHistoryId,
    /// 400 `failedPrecondition`: a mailbox that cannot be used.
    PreconditionFailed,
    /// 401: no token, an expired or a revoked one.
    Unauthenticated,
    /// 403: the token lacks the scope.
    InsufficientScope,
    /// 403: the user id in the path is not the token's mailbox.
    DelegationDenied(String),
    /// 403: a search with a token that holds the metadata scope.
    MetadataScopeQuery,
    /// 403: another format than metadata with a token that holds the metadata scope.
    MetadataScopeFormat(&'static str),
    /// 403 `rateLimitExceeded`: the units of this minute are spent. The common form since 2026.
    QuotaExceeded,
    /// 403 `dailyLimitExceeded`: the cap that the project's owner set.
    DailyLimitExceeded,
    /// 403 `domainPolicy`: the domain's administrators have disabled the app.
    DomainPolicy,
    /// 403 `accessNotConfigured`: the API is not enabled in the project.
    ServiceDisabled,
    /// 404: no such message, thread, draft or label, or a history id that is too old.
    NotFound,
    /// 409: a label of this name exists.
    LabelConflict,
    /// 413: the mail is larger than the upload limit. The body is HTML, from the front end.
    TooLarge,
    /// 429 with the time to wait for in the text, as Gmail writes it: two spaces before "Retry".
    UserRateLimit {
        /// The moment in the text, in RFC 3339 with milliseconds.
        retry_after: String,
    },
    /// 429: more requests at once than a mailbox allows.
    TooManyConcurrentRequests,
    /// 429: the day's mails are sent.
    MailSendingLimit,
    /// 500 `backendError`.
    Backend,
    /// 502 with an HTML page, from the front end.
    BadGateway,
    /// 503 `backendError`.
    Unavailable,
    /// 504.
    GatewayTimeout,
}

const UNAUTHENTICATED: &str = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
const QUOTA: &str = "Quota exceeded for quota metric 'Total Query Cost' and limit 'Units per minute per user' of service 'gmail.googleapis.com' for consumer 'project_number:123456789012'.";
const RAW: &str = "'raw' RFC822 payload message string or uploading message via /upload/* URL required";

impl ApiError {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidArgument(_)
            | Self::RawMissing
            | Self::InvalidBase64
            | Self::RecipientRequired
            | Self::InvalidAttachmentToken
            | Self::InvalidThreadId
            | Self::InvalidId
            | Self::LabelNotFound
            | Self::InvalidLabel(_)
            | Self::MissingStartHistoryId
            | Self::PreconditionFailed => 400,
            Self::Unauthenticated => 401,
            Self::InsufficientScope
            | Self::DelegationDenied(_)
            | Self::MetadataScopeQuery
            | Self::MetadataScopeFormat(_)
            | Self::QuotaExceeded
            | Self::DailyLimitExceeded
            | Self::DomainPolicy
            | Self::ServiceDisabled => 403,
            Self::NotFound => 404,
            Self::LabelConflict => 409,
            Self::TooLarge => 413,
            Self::UserRateLimit { .. } | Self::TooManyConcurrentRequests | Self::MailSendingLimit => 429,
            Self::Backend => 500,
            Self::BadGateway => 502,
            Self::Unavailable => 503,
            Self::GatewayTimeout => 504,
        }
    }

    /// The error that Gmail answers under this status when nothing else is known.
    pub(super) fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            400 => Self::InvalidArgument("Request contains an invalid argument.".to_owned()),
            401 => Self::Unauthenticated,
            403 => Self::InsufficientScope,
            404 => Self::NotFound,
            409 => Self::LabelConflict,
            413 => Self::TooLarge,
            429 => Self::TooManyConcurrentRequests,
            500 => Self::Backend,
            502 => Self::BadGateway,
            503 => Self::Unavailable,
            504 => Self::GatewayTimeout,
            _ => return None,
        })
    }

    /// Whether this is one of the answers that ask for less.
    pub(super) fn throttles(&self) -> bool {
        matches!(
            self,
            Self::QuotaExceeded
                | Self::DailyLimitExceeded
                | Self::UserRateLimit { .. }
                | Self::TooManyConcurrentRequests
                | Self::MailSendingLimit
        )
    }

    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::TooLarge => return Reply::html(413, "Error 413 (Request Entity Too Large)!!1"),
            Self::BadGateway => return Reply::html(502, "Error 502 (Server Error)!!1"),
            _ => {}
        }
        let (message, domain, reason, name) = self.words();
        let mut error = json!({
            "code": self.status(),
            "message": message,
            "errors": [{"message": message, "domain": domain, "reason": reason}],
            "status": name,
        });
        let first = "/errors/0";
        match self {
            Self::Unauthenticated => {
                if let Some(Value::Object(entry)) = error.pointer_mut(first) {
                    entry.insert("message".to_owned(), json!("Invalid Credentials"));
                    entry.insert("location".to_owned(), json!("Authorization"));
                    entry.insert("locationType".to_owned(), json!("header"));
                }
            }
            Self::InsufficientScope => {
                if let Some(Value::Object(entry)) = error.pointer_mut(first) {
                    entry.insert("message".to_owned(), json!("Insufficient Permission"));
                }
                set(&mut error, "details", error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"));
            }
            Self::ServiceDisabled => set(&mut error, "details", error_info("SERVICE_DISABLED")),
            _ => {}
        }
        let body = json!({ "error": error }).to_string().into_bytes();
        let reply = Reply::with_status(self.status(), JSON, body);
        let challenge = |error: &str| format!("Bearer realm=\"https://accounts.google.com/\", error=\"{error}\"");
        match self {
            Self::Unauthenticated => reply.header("www-authenticate", challenge("invalid_token")),
            Self::InsufficientScope => reply.header("www-authenticate", challenge("insufficient_scope")),
            _ => reply,
        }
    }

    /// Message, domain, reason and the name of the canonical status.
    fn words(&self) -> (String, &'static str, &'static str, &'static str) {
        let invalid = |text: &str| (text.to_owned(), "global", "invalidArgument", "INVALID_ARGUMENT");
        let limit = |text: &str, reason| (text.to_owned(), "usageLimits", reason, "PERMISSION_DENIED");
        let throttle = |text: &str| {
            let text = text.to_owned();
            (text, "usageLimits", "rateLimitExceeded", "RESOURCE_EXHAUSTED")
        };
        let refused = |text: &str, reason| (text.to_owned(), "global", reason, "PERMISSION_DENIED");
        let server = |text: &str, name| (text.to_owned(), "global", "backendError", name);
        match self {
            Self::InvalidArgument(text) => invalid(text),
            Self::RawMissing => invalid(RAW),
            Self::InvalidBase64 => invalid("Invalid value at 'message.raw' (TYPE_BYTES), Base64 decoding failed"),
            Self::RecipientRequired => invalid("Recipient address required"),
            Self::InvalidAttachmentToken => invalid("Invalid attachment token"),
            Self::InvalidThreadId => invalid("Invalid thread_id value"),
            Self::InvalidId => invalid("Invalid id value"),
            Self::LabelNotFound => invalid("labelId not found"),
            Self::InvalidLabel(label) => invalid(&format!("Invalid label: {label}")),
            Self::MissingStartHistoryId => invalid("Missing/invalid parameter: startHistoryId"),
            Self::PreconditionFailed => {
                let text = "Precondition check failed.".to_owned();
                (text, "global", "failedPrecondition", "FAILED_PRECONDITION")
            }
            Self::Unauthenticated => (UNAUTHENTICATED.to_owned(), "global", "authError", "UNAUTHENTICATED"),
            Self::InsufficientScope => refused(
                "Request had insufficient authentication scopes.",
                "insufficientPermissions",
            ),
            Self::DelegationDenied(who) => refused(&format!("Delegation denied for {who}"), "forbidden"),
            Self::MetadataScopeQuery => refused("Metadata scope does not support 'q' parameter", "forbidden"),
            Self::MetadataScopeFormat(format) => {
                refused(&format!("Metadata scope doesn't allow format {format}"), "forbidden")
            }
            Self::QuotaExceeded => limit(QUOTA, "rateLimitExceeded"),
            Self::DailyLimitExceeded => limit("Daily Limit Exceeded", "dailyLimitExceeded"),
            Self::DomainPolicy => refused("The domain administrators have disabled Gmail apps.", "domainPolicy"),
            Self::ServiceDisabled => limit(
                "Gmail API has not been used in project 123456789012 before or it is disabled.",
                "accessNotConfigured",
            ),
            Self::NotFound => {
                let text = "Requested entity was not found.".to_owned();
                (text, "global", "notFound", "NOT_FOUND")
            }
            Self::LabelConflict => {
                let text = "Label name exists or conflicts".to_owned();
                (text, "global", "aborted", "ABORTED")
            }
            Self::TooLarge => (
                "Request Entity Too Large".to_owned(),
                "global",
                "uploadTooLarge",
                "INVALID_ARGUMENT",
            ),
            Self::UserRateLimit { retry_after } => {
                throttle(&format!("User-rate limit exceeded.  Retry after {retry_after}"))
            }
            Self::TooManyConcurrentRequests => throttle("Too many concurrent requests for user"),
            Self::MailSendingLimit => throttle("Too many requests: User-rate limit exceeded (Mail sending)"),
            Self::Backend => server("Backend Error", "INTERNAL"),
            Self::BadGateway => server("Bad Gateway", "UNAVAILABLE"),
            Self::Unavailable => server("Service Unavailable", "UNAVAILABLE"),
            Self::GatewayTimeout => server("Deadline expired before operation could complete.", "DEADLINE_EXCEEDED"),
        }
    }
}

/// An error of the token endpoint, answered with the status and body that Google uses.
///
/// Source: `gmail.md`, section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// `invalid_grant`: "Token has been expired or revoked."
    Revoked,
    /// `invalid_grant`: "Bad Request", the words for a code that is spent or too old.
    BadRequest,
    /// `invalid_grant`: "Malformed auth code."
    MalformedCode,
    /// `invalid_grant`: "Missing code verifier."
    MissingVerifier,
    /// `invalid_grant`: "Invalid code verifier."
    InvalidVerifier,
    /// `invalid_grant` with `error_subtype` `invalid_rapt`: the organization's session length is over.
    SessionControl,
    /// `invalid_grant`: "Invalid JWT Signature.", of service accounts.
    InvalidJwtSignature,
    /// `redirect_uri_mismatch`.
    RedirectUriMismatch,
    /// `invalid_client`: "The OAuth client was not found."
    ClientNotFound,
    /// `invalid_client`: "Unauthorized", the secret is wrong.
    WrongSecret,
    /// `invalid_request`: "client_secret is missing."
    SecretMissing,
    /// `unauthorized_client`: domain-wide delegation is missing.
    UnauthorizedClient,
    /// `admin_policy_enforced`: an administrator restricts the service.
    AdminPolicyEnforced,
    /// `org_internal`: another organization's project.
    OrgInternal,
    /// `unsupported_grant_type`.
    UnsupportedGrantType,
    /// 500 `internal_failure`.
    ServerError,
}

impl TokenError {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::ClientNotFound | Self::WrongSecret | Self::UnauthorizedClient => 401,
            Self::OrgInternal => 403,
            Self::ServerError => 500,
            _ => 400,
        }
    }

    /// The OAuth error code in the body.
    pub fn code(self) -> &'static str {
        match self {
            Self::Revoked
            | Self::BadRequest
            | Self::MalformedCode
            | Self::MissingVerifier
            | Self::InvalidVerifier
            | Self::SessionControl
            | Self::InvalidJwtSignature => "invalid_grant",
            Self::RedirectUriMismatch => "redirect_uri_mismatch",
            Self::ClientNotFound | Self::WrongSecret => "invalid_client",
            Self::SecretMissing => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::AdminPolicyEnforced => "admin_policy_enforced",
            Self::OrgInternal => "org_internal",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::ServerError => "internal_failure",
        }
    }

    fn description(self) -> Option<&'static str> {
        Some(match self {
            Self::Revoked => "Token has been expired or revoked.",
            Self::BadRequest | Self::RedirectUriMismatch => "Bad Request",
            Self::MalformedCode => "Malformed auth code.",
            Self::MissingVerifier => "Missing code verifier.",
            Self::InvalidVerifier => "Invalid code verifier.",
            Self::SessionControl => "reauth related error (invalid_rapt)",
            Self::InvalidJwtSignature => "Invalid JWT Signature.",
            Self::ClientNotFound => "The OAuth client was not found.",
            Self::WrongSecret => "Unauthorized",
            Self::SecretMissing => "client_secret is missing.",
            Self::UnauthorizedClient => {
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested."
            }
            Self::UnsupportedGrantType => "Invalid grant_type: ",
            Self::AdminPolicyEnforced | Self::OrgInternal | Self::ServerError => return None,
        })
    }

    pub(super) fn reply(self) -> Reply {
        let mut body = json!({ "error": self.code() });
        if let Some(text) = self.description() {
            set(&mut body, "error_description", json!(text));
        }
        if self == Self::SessionControl {
            set(&mut body, "error_subtype", json!("invalid_rapt"));
        }
        Reply::with_status(
            self.status(),
            "application/json; charset=utf-8",
            body.to_string().into_bytes(),
        )
    }
}

pub(super) fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = object {
        map.insert(key.to_owned(), value);
    }
}

fn error_info(reason: &str) -> Value {
    json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "gmail.googleapis.com"},
    }])
}
