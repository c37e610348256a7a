//! Error bodies in JSON, V4 and V2.

use atlas_connectors::error::{ProviderText, Severity};
use serde_json::Value;

use crate::odata::error::failure::{DETAILS, Envelope, FailureDetail, ODataFailure};

/// How far a body could be read.
pub(super) enum Read {
    /// To its end.
    Whole(ODataFailure),
    /// It ended early; what could be found in it.
    Cut(ODataFailure),
    /// JSON, but no error in it; or something else that begins with a brace.
    Foreign,
}

/// Reads `{"error":{…}}`, also below `odata.error`, and the bare `{"code","message"}` of administration services.
pub(super) fn failure(text: &str) -> Read {
    let root: Value = match serde_json::from_str(text) {
        Ok(root) => root,
        Err(error) if error.is_eof() => return salvage(text).map_or(Read::Foreign, Read::Cut),
        Err(_) => return Read::Foreign,
    };
    let error = ["error", "odata.error"].iter().find_map(|name| root.get(name));
    let error = match error {
        Some(error) if error.is_object() => error,
        // OAuth's `{"error":"invalid_client"}` has a word there.
        Some(Value::String(word)) => {
            let mut failure = ODataFailure::new(Envelope::V4);
            failure.code = Some(word.clone());
            failure.message = root
                .get("error_description")
                .and_then(Value::as_str)
                .map(ProviderText::new);
            return Read::Whole(failure);
        }
        Some(_) => return Read::Foreign,
        None if root.get("code").is_some() || root.get("message").is_some() => &root,
        None => return Read::Foreign,
    };
    Read::Whole(from_error(error))
}

fn from_error(error: &Value) -> ODataFailure {
    let v2 = error.get("message").is_some_and(Value::is_object) || error.pointer("/innererror/errordetails").is_some();
    let mut failure = ODataFailure::new(if v2 { Envelope::V2 } else { Envelope::V4 });
    failure.code = text_of(error, "code");
    failure.message = spoken(error.get("message")).map(ProviderText::new);
    failure.target = target(error);
    failure.content_id = content_id(error);
    let inner = error.get("innererror").unwrap_or(&Value::Null);
    let provider = inner.get("ErrorDetails").unwrap_or(&Value::Null);
    failure.transaction_id = text_of(inner, "transactionid").or_else(|| {
        ["@SAP__common.TransactionId", "TransactionId"]
            .iter()
            .find_map(|name| text_of(provider, name).or_else(|| text_of(inner, name)))
    });
    failure.service_id = inner
        .pointer("/application/service_id")
        .or_else(|| provider.pointer("/@SAP__common.Application/ServiceId"))
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
        .map(str::to_owned);
    failure.details = array(error.get("details"));
    // Old services wrap the list once more.
    let errordetails = inner.get("errordetails").unwrap_or(&Value::Null);
    failure
        .details
        .extend(array(Some(errordetails.get("errordetail").unwrap_or(errordetails))));
    failure
}

/// The messages of a list; a single object counts as a list of one.
pub(in crate::odata) fn array(list: Option<&Value>) -> Vec<FailureDetail> {
    match list {
        Some(Value::Array(list)) => list.iter().take(DETAILS).filter_map(detail).collect(),
        Some(one @ Value::Object(_)) => detail(one).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// One message, if it says anything.
pub(in crate::odata) fn detail(one: &Value) -> Option<FailureDetail> {
    Some(FailureDetail {
        code: text_of(one, "code"),
        message: ProviderText::new(spoken(one.get("message"))?),
        severity: severity(one),
        target: target(one),
        content_id: content_id(one),
    })
}

fn severity(one: &Value) -> Severity {
    let number = [
        "@Common.numericSeverity",
        "@SAP__common.numericSeverity",
        "numericSeverity",
        "numeric_severity",
    ]
    .iter()
    .find_map(|name| one.get(name));
    let number = number.and_then(|number| number.as_i64().or_else(|| number.as_str()?.parse().ok()));
    match number {
        Some(1) => return Severity::Success,
        Some(2) => return Severity::Info,
        Some(3) => return Severity::Warning,
        Some(_) => return Severity::Error,
        None => {}
    }
    let word = one.get("severity").and_then(Value::as_str).unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        "success" => Severity::Success,
        "info" | "information" => Severity::Info,
        "warning" => Severity::Warning,
        _ => Severity::Error,
    }
}

fn target(one: &Value) -> Option<String> {
    text_of(one, "target").or_else(|| text_of(one, "propertyref"))
}

fn content_id(one: &Value) -> Option<String> {
    [
        "ContentID",
        "@Core.ContentID",
        "@Org.OData.Core.V1.ContentID",
        "@SAP__core.ContentID",
    ]
    .iter()
    .find_map(|name| text_of(one, name))
}

/// A member that is a text with something in it; a number counts as its digits.
fn text_of(object: &Value, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// V4 says a plain text; V2 says `{lang,value}` for the first message and either for the others.
fn spoken(message: Option<&Value>) -> Option<&str> {
    let text = match message? {
        Value::String(text) => text,
        Value::Object(object) => object.get("value")?.as_str()?,
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}

/// What can still be found in an error body that ended early: the first code and the first text after it.
fn salvage(text: &str) -> Option<ODataFailure> {
    let rest = text.get(text.find("\"error\"")?..)?;
    let v2 = rest.contains("\"lang\"");
    let mut failure = ODataFailure::new(if v2 { Envelope::V2 } else { Envelope::V4 });
    failure.code = string_after(rest, "\"code\"");
    failure.message = string_after(rest, if v2 { "\"value\"" } else { "\"message\"" }).map(ProviderText::new);
    failure.code.is_some().then_some(failure)
}

/// The string that is the value of the first member of this name, if it is complete.
fn string_after(text: &str, name: &str) -> Option<String> {
    let rest = text.get(text.find(name)? + name.len()..)?;
    let value = rest.trim_start().strip_prefix(':')?;
    serde_json::Deserializer::from_str(value)
        .into_iter::<String>()
        .next()?
        .ok()
}
