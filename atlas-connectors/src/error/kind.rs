//! The vocabulary of outcomes: one enum with stable codes.

use crate::clock::Timestamp;
use crate::error::{Effect, OAuthError, Retry};
use crate::ids::IntentId;

/// What went wrong, named by the caller's situation. `security-reliability.md`, section 2, is the source of the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Sign-in failed or the grant no longer works.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// A passing failure of the provider (5xx, reset connection).
    #[error("the provider failed for the moment")]
    Transient,
    /// A limit was hit.
    #[error("a limit of the provider was reached ({scope})")]
    Throttled {
        /// What the limit counts.
        scope: ThrottleScope,
        /// When it may be tried again, if the provider says.
        until: Option<Timestamp>,
    },
    /// The provider could not be reached.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(#[from] Unreachable),
    /// The secure connection could not be made.
    #[error("the secure connection was refused: {0}")]
    TlsRejected(#[from] TlsFault),
    /// An address outside the rules for outgoing connections; nothing was sent.
    #[error("the address is not allowed: {0}")]
    EgressDenied(#[from] EgressRule),
    /// The account may not do this to that object.
    #[error("no permission to {verb} {object}")]
    PermissionDenied {
        /// The kind of object (`message`, `label`, an entity name), not its content.
        object: String,
        /// What was tried (`read`, `create`, `send`).
        verb: &'static str,
    },
    /// The service, API or module is not activated.
    #[error("the service {service} is not available")]
    ServiceMissing {
        /// The provider's name of the service.
        service: String,
    },
    /// The provider's data does not have the expected shape.
    #[error("{path} differs from what was expected: {fault}")]
    SchemaMismatch {
        /// Path to the field, such as `messages[].id`.
        path: String,
        /// How it differs.
        fault: SchemaFault,
    },
    /// The item does not exist or is gone.
    #[error("{object} was not found")]
    NotFound {
        /// The kind of object (`message`, `draft`, `thread`).
        object: &'static str,
    },
    /// Somebody else changed it since it was read, or it exists already.
    #[error("it was changed by somebody else since it was read")]
    Conflict,
    /// The provider refused the content.
    #[error("the provider refused the request")]
    Rejected {
        /// Which field and why; empty when the provider does not say.
        fields: Vec<FieldFault>,
    },
    /// Somebody else is working on the record just now; nothing was changed.
    #[error("the record is locked by somebody else")]
    Locked,
    /// The provider wants a person to answer a question first (a dialog, a wizard); nothing counts as done.
    #[error("{what} needs a person to go on in the provider's own program")]
    NeedsInteraction {
        /// What was asked for: an action's name, an entity.
        what: String,
    },
    /// The host's approval policy forbids it.
    #[error("policy rule {rule} forbids it")]
    PolicyBlocked {
        /// The rule that decided.
        rule: String,
    },
    /// No valid approval for exactly this content.
    #[error("not approved: {0}")]
    NotApproved(#[from] NotApproved),
    /// The request left and no clear answer came. Look it up in the outbox; never repeat it by hand.
    #[error("it is unknown whether intent {intent} took effect")]
    OutcomeUnknown {
        /// The intent to reconcile.
        intent: IntentId,
    },
    /// The provider no longer knows the sync position; a gap was opened and is being closed.
    #[error("the sync position has expired at the provider")]
    CursorExpired,
    /// The answer could not be read.
    #[error("the answer could not be read: {0}")]
    BadPayload(#[from] BadPayload),
    /// The host's store failed.
    #[error("the store failed: {0}")]
    StorageFailed(#[from] StorageFault),
    /// The connection is paused until a person acts.
    #[error("the connection is paused: {why}")]
    Paused {
        /// Stable word for the reason: `sign_in`, `by_host`, `select_company`, `catalog_check`.
        why: &'static str,
    },
    /// The deadline of the call passed.
    #[error("the deadline passed")]
    DeadlineExceeded,
    /// Stopped because the connection was disconnected or reconnected meanwhile, or by the host.
    #[error("cancelled")]
    Cancelled,
    /// The provider or this connection cannot do it.
    #[error("not supported: {what}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
    },
    /// A setting or argument is wrong; found before anything was sent.
    #[error("invalid {what}: {why}")]
    Invalid {
        /// The setting or argument.
        what: &'static str,
        /// What is wrong with it, without its value.
        why: &'static str,
    },
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThrottleScope {
    /// This request only (too many at once).
    Request,
    /// Every request of this account.
    Account,
    /// Sending mail of this account; reads go on.
    Sending,
    /// Every account of this project or client.
    Project,
}

impl std::fmt::Display for ThrottleScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Request => "requests at once",
            Self::Account => "requests of this account",
            Self::Sending => "mails sent by this account",
            Self::Project => "requests of the whole project",
        })
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unreachable {
    /// The name does not resolve.
    #[error("the name does not resolve")]
    Dns,
    /// Refused, unroutable or reset.
    #[error("no connection")]
    Connect,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The configured proxy refused.
    #[error("the proxy refused")]
    Proxy,
}

/// Why the handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// The certificate is signed by nobody we trust.
    #[error("unknown certificate authority")]
    Ca,
    /// The certificate has expired or is not valid yet.
    #[error("certificate expired or not yet valid")]
    Expired,
    /// The certificate is for another name.
    #[error("certificate for another name")]
    Name,
    /// No common version or cipher.
    #[error("no common protocol version")]
    Version,
    /// The server wants a client certificate, or refused ours.
    #[error("client certificate missing or refused")]
    ClientCert,
    /// Any other failure of the handshake.
    #[error("handshake failed")]
    Handshake,
}

/// Which rule for outgoing connections refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EgressRule {
    /// Only https is allowed for this target.
    #[error("only https is allowed")]
    Scheme,
    /// Loopback, private, link-local or otherwise reserved address.
    #[error("reserved address")]
    Address,
    /// The address has user info, a fragment or an odd spelling of a number.
    #[error("malformed address")]
    Url,
    /// The credential was made for another origin.
    #[error("the credential belongs to another origin")]
    Origin,
    /// The answer wanted to send us elsewhere.
    #[error("redirects are not followed")]
    Redirect,
}

/// How the shape differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaFault {
    /// A needed field is absent.
    #[error("missing")]
    Missing,
    /// Another type.
    #[error("another type")]
    Type,
    /// A value that is not in the list.
    #[error("unknown value")]
    Value,
}

/// One refused field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// The field in the provider's spelling.
    pub field: String,
    /// The provider's code or a fixed word; never its free text.
    pub code: String,
}

/// Why an approval does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotApproved {
    /// Nobody has approved it yet.
    #[error("no approval yet")]
    Missing,
    /// A reviewer said no.
    #[error("a reviewer rejected it")]
    Rejected,
    /// The approval is too old.
    #[error("the approval has expired")]
    Expired,
    /// The approval has been used.
    #[error("the approval has been used")]
    Used,
    /// The content is not what was approved.
    #[error("the content differs from what was approved")]
    Digest,
    /// Connection, epoch or identity is not what was approved.
    #[error("the connection has changed since the approval")]
    Context,
}

/// Why an answer could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BadPayload {
    /// It ended early.
    #[error("it ended early")]
    Truncated,
    /// Not the expected syntax.
    #[error("not the expected syntax")]
    Syntax,
    /// Another content type, such as an HTML page.
    #[error("not the expected type")]
    Type,
    /// Over the size cap, before or after decompression.
    #[error("larger than allowed")]
    TooLarge,
}

/// Why the store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StorageFault {
    /// No space, or read-only.
    #[error("no space left or read-only")]
    Full,
    /// A row or envelope does not verify; it was left as it is.
    #[error("damaged data, left as it is")]
    Corrupt,
    /// Another process holds it.
    #[error("locked by another process")]
    Locked,
    /// The sealing key is missing, unknown or wrong.
    #[error("the sealing key is missing or wrong")]
    Key,
    /// Somebody else wrote since the row was read.
    #[error("written by somebody else meanwhile")]
    Conflict,
    /// The lease was lost to another holder.
    #[error("the lease was lost")]
    Fenced,
    /// The file was written by a newer version of this library.
    #[error("written by a newer version")]
    Schema,
    /// Any other failure of the store.
    #[error("input or output error")]
    Io,
}

impl ErrorKind {
    /// What the kind alone says about repeating. Rules that need the operation (effects are never repeated) come on top.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Transient | Self::Locked | Self::Unreachable(_) | Self::BadPayload(BadPayload::Truncated) => {
                Retry::Backoff
            }
            Self::OAuth(OAuthError::Transient) => Retry::Backoff,
            Self::Throttled { until: Some(until), .. } => Retry::At(*until),
            Self::Throttled { until: None, .. } => Retry::Backoff,
            Self::StorageFailed(StorageFault::Locked | StorageFault::Conflict) => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    /// What the kind alone says about effects outside.
    pub fn effect(&self) -> Effect {
        match self {
            Self::OutcomeUnknown { .. } => Effect::Unknown,
            _ => Effect::None,
        }
    }

    /// Stable code for logs, metrics and host tables.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OAuth(error) => error.code(),
            Self::Transient => "transient",
            Self::Throttled { scope, .. } => match scope {
                ThrottleScope::Request => "throttled.request",
                ThrottleScope::Account => "throttled.account",
                ThrottleScope::Sending => "throttled.sending",
                ThrottleScope::Project => "throttled.project",
            },
            Self::Unreachable(fault) => match fault {
                Unreachable::Dns => "unreachable.dns",
                Unreachable::Connect => "unreachable.connect",
                Unreachable::Timeout => "unreachable.timeout",
                Unreachable::Proxy => "unreachable.proxy",
            },
            Self::TlsRejected(fault) => match fault {
                TlsFault::Ca => "tls.ca",
                TlsFault::Expired => "tls.expired",
                TlsFault::Name => "tls.name",
                TlsFault::Version => "tls.version",
                TlsFault::ClientCert => "tls.client_cert",
                TlsFault::Handshake => "tls.handshake",
            },
            Self::EgressDenied(rule) => match rule {
                EgressRule::Scheme => "egress.scheme",
                EgressRule::Address => "egress.address",
                EgressRule::Url => "egress.url",
                EgressRule::Origin => "egress.origin",
                EgressRule::Redirect => "egress.redirect",
            },
            Self::PermissionDenied { .. } => "permission_denied",
            Self::ServiceMissing { .. } => "service_missing",
            Self::SchemaMismatch { .. } => "schema_mismatch",
            Self::NotFound { .. } => "not_found",
            Self::Conflict => "conflict",
            Self::Rejected { .. } => "rejected",
            Self::Locked => "locked",
            Self::NeedsInteraction { .. } => "needs_interaction",
            Self::PolicyBlocked { .. } => "policy_blocked",
            Self::NotApproved(fault) => match fault {
                NotApproved::Missing => "not_approved.missing",
                NotApproved::Rejected => "not_approved.rejected",
                NotApproved::Expired => "not_approved.expired",
                NotApproved::Used => "not_approved.used",
                NotApproved::Digest => "not_approved.digest",
                NotApproved::Context => "not_approved.context",
            },
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::CursorExpired => "cursor_expired",
            Self::BadPayload(fault) => match fault {
                BadPayload::Truncated => "bad_payload.truncated",
                BadPayload::Syntax => "bad_payload.syntax",
                BadPayload::Type => "bad_payload.type",
                BadPayload::TooLarge => "bad_payload.too_large",
            },
            Self::StorageFailed(fault) => match fault {
                StorageFault::Full => "storage.full",
                StorageFault::Corrupt => "storage.corrupt",
                StorageFault::Locked => "storage.locked",
                StorageFault::Key => "storage.key",
                StorageFault::Conflict => "storage.conflict",
                StorageFault::Fenced => "storage.fenced",
                StorageFault::Schema => "storage.schema",
                StorageFault::Io => "storage.io",
            },
            Self::Paused { .. } => "paused",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::Unsupported { .. } => "unsupported",
            Self::Invalid { .. } => "invalid",
        }
    }
}
