//! What a provider says beside a success: a warning on a 201 is worth showing (`sap-odata.md`, section 12).

use atlas_connectors::error::ProviderMessage;
use http::HeaderMap;
use serde_json::Value;

use crate::odata::error::{FailureDetail, message_array, message_detail};

/// A longer header value is not read.
const LONGEST: usize = 64 * 1024;

/// The messages in the headers of an answer: V2's `sap-message` (one object, further ones in `details[]`) and V4's
/// `sap-messages` (a list). Each once.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use atlas_connectors_erp::odata::header_messages;
///
/// let mut headers = HeaderMap::new();
/// let value = r#"[{"code":"V1/555","message":"No items","target":"_Item","numericSeverity":3}]"#;
/// headers.insert("sap-messages", HeaderValue::from_static(value));
/// assert_eq!(header_messages(&headers)[0].text.reveal(), "No items");
/// ```
pub fn header_messages(headers: &HeaderMap) -> Vec<ProviderMessage> {
    header_details(headers).iter().map(FailureDetail::message).collect()
}

/// The messages in a row's `SAP__Messages` member, given as its JSON text. Nothing for anything that is no such list.
pub fn row_messages(json: &str) -> Vec<ProviderMessage> {
    let list: Option<Value> = serde_json::from_str(json).ok();
    message_array(list.as_ref())
        .iter()
        .map(FailureDetail::message)
        .collect()
}

/// The same with all their parts.
pub(super) fn header_details(headers: &HeaderMap) -> Vec<FailureDetail> {
    let mut out: Vec<FailureDetail> = Vec::new();
    let values = headers
        .get_all("sap-message")
        .iter()
        .chain(headers.get_all("sap-messages"));
    for value in values.filter(|value| value.len() <= LONGEST) {
        let Ok(value) = serde_json::from_slice::<Value>(value.as_bytes()) else {
            continue;
        };
        let first = message_detail(&value);
        for detail in first
            .into_iter()
            .chain(message_array(value.get("details")))
            .chain(if value.is_array() {
                message_array(Some(&value))
            } else {
                Vec::new()
            })
        {
            if !out
                .iter()
                .any(|known| known.message == detail.message && known.target == detail.target)
            {
                out.push(detail);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use atlas_connectors::error::{ProviderCode, Severity};
    use http::HeaderValue;

    use super::*;

    fn seen(messages: &[ProviderMessage]) -> Vec<(Severity, Option<&str>, Option<&str>, &str)> {
        messages
            .iter()
            .map(|message| {
                (
                    message.severity,
                    message.code.as_ref().map(ProviderCode::as_str),
                    message.field.as_deref(),
                    message.text.reveal(),
                )
            })
            .collect()
    }

    /// Recorded: CAP V2 `messages_header`, CAP V4 `action_messages`.
    #[test]
    fn headers_give_each_message_once() {
        let expected = [
            (Severity::Warning, Some("ZATLAS/010"), Some("Text"), "watch out"),
            (Severity::Info, Some("ZATLAS/011"), None, "Done"),
        ];
        let v2 = r##"{"code":"ZATLAS/010","message":"watch out","target":"Text","details":[{"code":"ZATLAS/010","message":"watch out","target":"Text","severity":"warning"},{"code":"ZATLAS/011","message":"Done","severity":"info","target":"/#TRANSIENT#"}],"severity":"warning"}"##;
        let v4 = r#"[{"code":"ZATLAS/010","message":"watch out","target":"Text","numericSeverity":3},{"code":"ZATLAS/011","message":"Done","numericSeverity":2}]"#;
        for (name, value) in [("sap-message", v2), ("sap-messages", v4)] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(seen(&header_messages(&headers)), expected, "{name}");
        }
    }

    #[test]
    fn rows_hold_messages_too_and_rubbish_is_none() {
        let messages = row_messages(
            r#"[{"code":"SD/1","message":"Checked","target":"SoldToParty","additionalTargets":[],"transition":true,"numericSeverity":1,"longtextUrl":""}]"#,
        );
        assert_eq!(
            seen(&messages),
            [(Severity::Success, Some("SD/1"), Some("SoldToParty"), "Checked")]
        );
        for rubbish in ["", "[]", "null", "[1,\"x\",{\"message\":5}]", "[{", "{}"] {
            assert!(row_messages(rubbish).is_empty(), "{rubbish}");
        }
    }
}
