//! From error answers of the Gmail API to our kinds: one pure table by status and reason.
//!
//! Source: `gmail.md`, section 7. Free text is read in two ways only, and never copied: to tell apart what status and
//! reason leave open, by fixed sentences, and to find the time before which Gmail wants no further request.

use atlas_connectors::Timestamp;
use atlas_connectors::error::{
    Denier, Error, ErrorKind, FieldFault, OAuthError, OperationClass, ProviderCode, ThrottleScope,
};
use atlas_connectors::http::{Classify, Failure, parse_retry_after, retry_after};
use http::header::WWW_AUTHENTICATE;
use serde::Deserialize;

use crate::scopes;
use crate::wire::Method;

/// The table for `gmail.googleapis.com`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GmailErrors;

impl Classify for GmailErrors {
    fn classify(&self, failure: &Failure<'_>) -> Error {
        let answer = Answer::read(failure);
        let method = Method::of_name(failure.operation);
        let mut error = Error::new(answer.kind(failure, method), failure.operation)
            .with_class(method.map_or(OperationClass::Read, Method::operation_class))
            .with_provider(crate::provider())
            .with_status(failure.status.as_u16());
        if let Some(code) = answer.code() {
            error = error.with_provider_code(code);
        }
        error
    }
}

/// What an error answer holds, as far as it could be read.
#[derive(Debug, Default)]
struct Answer {
    /// Whether the body is Google's error envelope.
    envelope: bool,
    message: String,
    status: String,
    reasons: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope {
    error: Body,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    message: String,
    status: String,
    errors: Vec<Item>,
    details: Vec<Item>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    reason: String,
}

impl Answer {
    fn read(failure: &Failure<'_>) -> Self {
        let Ok(Envelope { error }) = serde_json::from_slice::<Envelope>(failure.body) else {
            return Self::default();
        };
        let items = error.errors.into_iter().chain(error.details);
        Self {
            envelope: true,
            message: error.message,
            status: error.status,
            reasons: items
                .map(|item| item.reason)
                .filter(|reason| !reason.is_empty())
                .collect(),
        }
    }

    fn has(&self, reason: &str) -> bool {
        self.reasons.iter().any(|found| found == reason)
    }

    fn has_any(&self, reasons: &[&str]) -> bool {
        reasons.iter().any(|reason| self.has(reason))
    }

    /// The most telling code that may be kept.
    fn code(&self) -> Option<&str> {
        let word = |code: &&str| {
            ProviderCode::new(code).is_some() && code.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        };
        let reasons = self.reasons.iter().map(String::as_str);
        reasons.chain([self.status.as_str()]).find(word)
    }

    fn kind(&self, failure: &Failure<'_>, method: Option<Method>) -> ErrorKind {
        let object = method.map_or("resource", Method::object);
        match failure.status.as_u16() {
            400 => self.bad_request(method),
            401 if insufficient_scope(failure) => missing_scope(method),
            // A 401 proves nothing about the grant, not even with a fresh token: only the token endpoint can end it.
            401 => OAuthError::Transient.into(),
            403 => self.forbidden(failure, method),
            404 | 410 => self.not_found(method, object),
            409 | 412 => ErrorKind::Conflict,
            413 => rejected("mail", "too_large"),
            429 => self.throttled(failure),
            408 | 425 | 500..=599 => ErrorKind::Transient,
            _ if self.envelope => rejected_as_a_whole(),
            // Not Google's answer: something on the way to Google answered instead.
            _ => ErrorKind::Transient,
        }
    }

    fn bad_request(&self, method: Option<Method>) -> ErrorKind {
        if !self.envelope {
            return rejected_as_a_whole();
        }
        if self.has("failedPrecondition") || self.status == "FAILED_PRECONDITION" {
            // An emulator answers a taken label name in this way.
            if method == Some(Method::LabelsCreate) && self.message == "Label name exists or conflicts" {
                return ErrorKind::Conflict;
            }
            return ErrorKind::ServiceMissing {
                service: "gmail".to_owned(),
            };
        }
        // The token is the only argument that can be wrong there.
        if method == Some(Method::AttachmentsGet) {
            return rejected("attachmentId", "invalid");
        }
        let known = [
            ("Invalid To header", "to", "invalid"),
            ("Invalid Cc header", "cc", "invalid"),
            ("Invalid Bcc header", "bcc", "invalid"),
            ("Recipient address required", "to", "required"),
            ("Invalid thread_id value", "threadId", "invalid"),
            ("labelId not found", "labelIds", "not_found"),
            ("Invalid label", "labelIds", "invalid"),
            ("Label name exists or conflicts", "name", "duplicate"),
            ("'raw' RFC822 payload message string", "raw", "required"),
            ("Invalid value at 'message.raw'", "raw", "not_base64"),
            ("Missing/invalid parameter: startHistoryId", "startHistoryId", "invalid"),
            ("Start history ID is required", "startHistoryId", "required"),
            ("Topic name is required", "topicName", "required"),
        ];
        known
            .iter()
            .find(|(sentence, ..)| self.message.starts_with(sentence))
            .map_or_else(rejected_as_a_whole, |(_, field, code)| rejected(field, code))
    }

    fn forbidden(&self, failure: &Failure<'_>, method: Option<Method>) -> ErrorKind {
        // Rate first: today's common form is 403 with PERMISSION_DENIED, and only the reason tells it from a refusal.
        let rate = [
            "rateLimitExceeded",
            "userRateLimitExceeded",
            "quotaExceeded",
            "RATE_LIMIT_EXCEEDED",
        ];
        if self.has_any(&rate) {
            return self.throttled(failure);
        }
        if self.has_any(&["dailyLimitExceeded", "dailyLimitExceededUnreg"]) {
            return ErrorKind::Throttled {
                scope: ThrottleScope::Project,
                until: self.until(failure),
            };
        }
        if self.has_any(&["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]) || insufficient_scope(failure)
        {
            return missing_scope(method);
        }
        if self.has_any(&["accessNotConfigured", "SERVICE_DISABLED"]) {
            return ErrorKind::ServiceMissing {
                service: "gmail.googleapis.com".to_owned(),
            };
        }
        if self.has("domainPolicy") {
            return OAuthError::AccessDenied {
                by: Denier::TenantPolicy,
            }
            .into();
        }
        if !self.envelope {
            // A limit whose body was cut looks like this; refusing for good on it would poison good work.
            return ErrorKind::Transient;
        }
        if self.message.starts_with("Metadata scope does") {
            return missing_scope(method);
        }
        if self.reasons.is_empty() && self.message.starts_with("Quota exceeded") {
            return self.throttled(failure);
        }
        let mailbox = self.message.starts_with("Delegation denied");
        ErrorKind::PermissionDenied {
            object: if mailbox {
                "mailbox"
            } else {
                method.map_or("resource", Method::object)
            }
            .to_owned(),
            verb: if mailbox {
                "open"
            } else {
                method.map_or("use", Method::verb)
            },
        }
    }

    fn not_found(&self, method: Option<Method>, object: &'static str) -> ErrorKind {
        if !self.envelope {
            // Not Google's answer: another address, or an emulator without this method. Says nothing of the object.
            return ErrorKind::ServiceMissing {
                service: method.map_or("gmail", Method::name).to_owned(),
            };
        }
        match method {
            Some(Method::HistoryList) => ErrorKind::CursorExpired,
            _ => ErrorKind::NotFound { object },
        }
    }

    fn throttled(&self, failure: &Failure<'_>) -> ErrorKind {
        let project_limit = self.message.contains("limit 'Units per minute'");
        let scope = if self.message.starts_with("Too many concurrent requests") {
            ThrottleScope::Request
        } else if self.message.contains("(Mail sending)") {
            ThrottleScope::Sending
        } else if project_limit {
            ThrottleScope::Project
        } else {
            ThrottleScope::Account
        };
        ErrorKind::Throttled {
            scope,
            until: self.until(failure),
        }
    }

    /// The later of the time in the text and the time in the header. A time that is over says nothing.
    fn until(&self, failure: &Failure<'_>) -> Option<Timestamp> {
        let in_text = self
            .message
            .split_once("Retry after ")
            .and_then(|(_, rest)| rest.split_ascii_whitespace().next())
            .and_then(|time| parse_retry_after(time, failure.now));
        let in_header = retry_after(failure.headers, failure.now);
        in_text.max(in_header).filter(|until| *until > failure.now)
    }
}

fn insufficient_scope(failure: &Failure<'_>) -> bool {
    let challenge = failure
        .headers
        .get(WWW_AUTHENTICATE)
        .and_then(|value| value.to_str().ok());
    challenge.is_some_and(|challenge| challenge.contains("error=\"insufficient_scope\""))
}

pub(crate) fn missing_scope(method: Option<Method>) -> ErrorKind {
    OAuthError::InsufficientPrivileges {
        missing: method
            .map(|method| scopes::narrowest(method).to_owned())
            .into_iter()
            .collect(),
    }
    .into()
}

fn rejected(field: &str, code: &str) -> ErrorKind {
    ErrorKind::Rejected {
        fields: vec![FieldFault {
            field: field.to_owned(),
            code: code.to_owned(),
        }],
    }
}

fn rejected_as_a_whole() -> ErrorKind {
    ErrorKind::Rejected { fields: Vec::new() }
}
