//! From the body of a success to the value in it.

use atlas_connectors::Result;
use atlas_connectors::error::{BadPayload, Effect, Error, ErrorKind, OperationClass, SchemaFault};
use atlas_connectors::http::{CallClass, Response};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::odoo::classify;
use crate::odoo::wire::{Fault, Json, Protocol};

/// A successful answer: the bytes of the value that the method returned.
#[derive(Clone)]
pub struct Answer {
    operation: &'static str,
    class: CallClass,
    status: StatusCode,
    body: Bytes,
    /// Where the value stands in the body; `None` for JSON-RPC without a `result`, which is null.
    value: Option<std::ops::Range<usize>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl Answer {
    /// Opens the answer to a call. JSON-RPC answers errors with status 200: they are told here.
    ///
    /// # Errors
    /// What the table of errors says of an error inside (it proves that nothing happened: one call is one transaction);
    /// [`BadPayload`] for a body that is not JSON. JSON-2's body is the value itself, and is read with it.
    pub fn open(protocol: Protocol, operation: &'static str, class: CallClass, response: &Response) -> Result<Self> {
        let body = response.body.clone();
        let status = response.status;
        let value = match protocol {
            Protocol::Json2 => Some(0..body.len()),
            Protocol::JsonRpc => {
                let envelope: Envelope<'_> = serde_json::from_slice(&body)
                    .map_err(|error| unreadable(operation, class, status, &body, &error))?;
                if envelope.error.is_some() {
                    let fault = Fault::read(&body).unwrap_or_default();
                    return Err(classify::of_fault(&fault, operation, None)
                        .with_class(work(class))
                        .with_status(status.as_u16()));
                }
                envelope.result.and_then(|result| within(&body, result.get()))
            }
        };
        Ok(Self {
            operation,
            class,
            status,
            body,
            value,
        })
    }

    /// The bytes of the value; `null` where Odoo left it out.
    pub fn bytes(&self) -> &[u8] {
        match &self.value {
            Some(range) => self.body.get(range.clone()).unwrap_or(b"null"),
            None => b"null",
        }
    }

    /// The value. Rows have a decoder of their own; this is for small answers.
    ///
    /// # Errors
    /// [`BadPayload`] for a body that is not JSON, as a login page that somebody put in its place. For an effect that was
    /// accepted and cannot be read, the error says that it happened.
    pub fn value(&self) -> Result<Json> {
        serde_json::from_slice(self.bytes()).map_err(|error| self.unread(&error))
    }

    /// A body that could not be read.
    pub(crate) fn unread(&self, error: &serde_json::Error) -> Error {
        unreadable(self.operation, self.class, self.status, &self.body, error)
    }

    /// A value of another type than the method returns.
    pub(crate) fn wrong_type(&self, path: &str) -> Error {
        settle(wrong_type(self.operation, path), self.class)
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("operation", &self.operation)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A success whose body cannot be read; holds its length and nothing of its text.
fn unreadable(
    operation: &'static str,
    class: CallClass,
    status: StatusCode,
    body: &[u8],
    error: &serde_json::Error,
) -> Error {
    use serde_json::error::Category;
    let json_like = body
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9'));
    let fault = match error.classify() {
        Category::Eof if json_like => BadPayload::Truncated,
        Category::Data | Category::Io => BadPayload::Type,
        Category::Eof | Category::Syntax if json_like => BadPayload::Syntax,
        Category::Eof | Category::Syntax => BadPayload::Type,
    };
    let error = Error::new(fault, operation)
        .with_status(status.as_u16())
        .with_context("bytes", body.len());
    settle(error, class)
}

pub(super) fn wrong_type(operation: &'static str, path: &str) -> Error {
    let kind = ErrorKind::SchemaMismatch {
        path: path.to_owned(),
        fault: SchemaFault::Type,
    };
    Error::new(kind, operation)
        .with_provider(crate::odoo::provider())
        .with_class(OperationClass::Read)
}

fn settle(error: Error, class: CallClass) -> Error {
    let error = error.with_provider(crate::odoo::provider()).with_class(work(class));
    match class {
        CallClass::Read => error,
        CallClass::Effect => error
            .with_effect(Effect::Happened)
            .with_retry(atlas_connectors::error::Retry::Never),
    }
}

fn work(class: CallClass) -> OperationClass {
    match class {
        CallClass::Read => OperationClass::Read,
        CallClass::Effect => OperationClass::Write,
    }
}

/// Where a borrowed part stands in the whole.
fn within(whole: &[u8], part: &str) -> Option<std::ops::Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}
