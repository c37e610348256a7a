//! Error bodies in XML: V2 without `Accept`, and the web server in front of the OData layer.

use atlas_connectors::error::{ProviderText, Severity};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use crate::odata::error::failure::{DETAILS, Envelope, FailureDetail, ODataFailure};

/// Deeper nesting is not an error document.
const DEPTH: usize = 32;

/// Reads as far as it goes; a document that breaks off or declares entities gives what stood before.
pub(super) fn failure(text: &str) -> ODataFailure {
    let mut failure = ODataFailure::new(Envelope::Xml);
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut said = String::new();
    let mut detail = Parts::default();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                if path.len() >= DEPTH {
                    break;
                }
                path.push(tag.local_name().as_ref().to_ascii_lowercase());
                said.clear();
            }
            Ok(Event::Text(text)) => said.push_str(&text.xml10_content()),
            Ok(Event::CData(text)) => said.push_str(&text.xml10_content()),
            Ok(Event::GeneralRef(reference)) => match reference.resolve_char_ref() {
                Ok(Some(c)) => said.push(c),
                _ => said.push_str(resolve_predefined_entity(&reference).unwrap_or_default()),
            },
            Ok(Event::End(_)) => {
                let Some(name) = path.pop() else { break };
                let value = Some(said.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
                said.clear();
                let in_detail = path.iter().any(|above| above == "errordetail");
                match name.as_str() {
                    "errordetail" => {
                        let parts = std::mem::take(&mut detail);
                        if failure.details.len() < DETAILS {
                            failure.details.extend(parts.finish());
                        }
                    }
                    _ if in_detail => detail.take(&name, value),
                    "code" if failure.code.is_none() => failure.code = value,
                    "message" if failure.message.is_none() => failure.message = value.map(ProviderText::new),
                    "transactionid" => failure.transaction_id = value,
                    "service_id" => failure.service_id = value,
                    "target" if failure.target.is_none() => failure.target = value,
                    _ => {}
                }
            }
            Ok(Event::Eof | Event::DocType(_)) | Err(_) => break,
            Ok(_) => {}
        }
    }
    failure
}

#[derive(Default)]
struct Parts {
    code: Option<String>,
    message: Option<String>,
    target: Option<String>,
    severity: Option<String>,
    content_id: Option<String>,
}

impl Parts {
    fn take(&mut self, name: &str, value: Option<String>) {
        let into = match name {
            "code" => &mut self.code,
            "message" => &mut self.message,
            "target" | "propertyref" if self.target.is_none() => &mut self.target,
            "severity" => &mut self.severity,
            "contentid" => &mut self.content_id,
            _ => return,
        };
        *into = value;
    }

    fn finish(self) -> Option<FailureDetail> {
        Some(FailureDetail {
            code: self.code,
            message: ProviderText::new(self.message?),
            severity: match self.severity.as_deref() {
                Some("success") => Severity::Success,
                Some("info") => Severity::Info,
                Some("warning") => Severity::Warning,
                _ => Severity::Error,
            },
            target: self.target,
            content_id: self.content_id,
        })
    }
}
