//! Replies in the shape in which an ABAP system gives them.

use std::fmt::Write as _;

/// A reply before it becomes an answer of the server or a part of a batch.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// A message of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) code: String,
    pub(super) text: String,
    pub(super) target: String,
    pub(super) warning: bool,
}

impl Note {
    pub(super) fn error(code: &str, text: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            text: text.into(),
            target: target.into(),
            warning: false,
        }
    }

    pub(super) fn warning(code: &str, text: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            warning: true,
            ..Self::error(code, text, target)
        }
    }
}

/// A refusal before its envelope is chosen.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) notes: Vec<Note>,
    /// The content id of the change that failed, for change sets.
    pub(super) content_id: Option<String>,
}

/// The framework's own id for an address or a property that it does not know: 32 hexadecimal digits.
pub(super) const FRAMEWORK_ID: &str = "005056A509B11EE1B9A8FEC11C21D78E";

impl Refusal {
    pub(super) fn new(status: u16, code: &str, text: impl Into<String>) -> Self {
        Self::of(status, vec![Note::error(code, text, "")])
    }

    pub(super) fn of(status: u16, notes: Vec<Note>) -> Self {
        Self {
            status,
            notes,
            content_id: None,
        }
    }

    pub(super) fn not_found(type_name: &str) -> Self {
        Self::new(
            404,
            "/IWBEP/CM_MGW_RT/020",
            format!("Resource not found for segment '{type_name}'"),
        )
    }

    pub(super) fn property(name: &str, type_name: &str) -> Self {
        Self::new(
            400,
            FRAMEWORK_ID,
            format!("Property {name} not found in type {type_name}"),
        )
    }

    pub(super) fn syntax(text: &str) -> Self {
        Self::new(400, FRAMEWORK_ID, text)
    }

    pub(super) fn reply(&self, v4: bool) -> Reply {
        let body = match v4 {
            true => self.v4(),
            false => self.v2(),
        };
        Reply::json(self.status, v4, body)
    }

    fn v2(&self) -> String {
        let first = self.notes.first().cloned().unwrap_or_else(|| Note::error("", "", ""));
        let content_id = self.content_id.as_deref().unwrap_or_default();
        let mut details = String::new();
        for (at, note) in self.notes.iter().enumerate() {
            let code = match at {
                0 if self.notes.len() == 1 => "/IWBEP/CX_MGW_BUSI_EXCEPTION",
                _ => note.code.as_str(),
            };
            if at > 0 {
                details.push(',');
            }
            let _ = write!(
                details,
                "{{\"ContentID\":{},\"code\":{},\"message\":{},\"longtext_url\":\"\",\"propertyref\":{},\
                 \"severity\":\"{}\",\"transition\":false,\"target\":{}}}",
                text(content_id),
                text(code),
                text(&note.text),
                text(&note.target),
                severity(note),
                text(&note.target),
            );
        }
        format!(
            "{{\"error\":{{\"code\":{},\"message\":{{\"lang\":\"en\",\"value\":{}}},\"innererror\":{{\"application\":\
             {{\"component_id\":\"ATLAS\",\"service_namespace\":\"/SAP/\",\"service_id\":\"MOCK\",\"service_version\":\"0001\"}},\
             \"transactionid\":\"A1B2C3D4E5F60000E0067DD0610AFCCA\",\"timestamp\":\"\",\"Error_Resolution\":{{}},\
             \"errordetails\":[{details}]}}}}}}",
            text(&first.code),
            text(&first.text),
        )
    }

    fn v4(&self) -> String {
        let first = self.notes.first().cloned().unwrap_or_else(|| Note::error("", "", ""));
        let mut out = format!(
            "{{\"error\":{{\"code\":{},\"message\":{}",
            text(&first.code),
            text(&first.text)
        );
        if !first.target.is_empty() {
            let _ = write!(out, ",\"target\":{}", text(&first.target));
        }
        if let Some(id) = &self.content_id {
            let _ = write!(out, ",\"@SAP__core.ContentID\":{}", text(id));
        }
        out.push_str(",\"@SAP__common.ExceptionCategory\":\"Provider_Application_Error\"");
        let rest: Vec<String> = self.notes.iter().skip(1).map(v4_note).collect();
        if !rest.is_empty() {
            let _ = write!(out, ",\"details\":[{}]", rest.join(","));
        }
        out.push_str(
            ",\"innererror\":{\"ErrorDetails\":{\"@SAP__common.TransactionId\":\"F14022DB810C0000E00693874FE409C6\",\
             \"@SAP__common.Timestamp\":\"20261126120633.724984\"}}}}",
        );
        out
    }
}

impl Reply {
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(super) fn json(status: u16, v4: bool, body: String) -> Self {
        let (kind, version) = match v4 {
            true => (
                "application/json;odata.metadata=minimal;charset=utf-8",
                ("odata-version", "4.0".to_owned()),
            ),
            false => (
                "application/json;charset=utf-8",
                ("dataserviceversion", "2.0".to_owned()),
            ),
        };
        Self {
            status,
            headers: vec![("content-type", kind.to_owned()), version],
            body,
        }
    }

    pub(super) fn plain(status: u16, kind: &str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", kind.to_owned())],
            body: body.into(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What the application says beside a success.
    pub(super) fn with_notes(self, notes: &[Note], v4: bool) -> Self {
        let Some((first, rest)) = notes.split_first() else {
            return self;
        };
        if v4 {
            let all: Vec<String> = notes.iter().map(v4_note).collect();
            return self.with("sap-messages", format!("[{}]", all.join(",")));
        }
        let detail = |note: &Note| {
            format!(
                "\"code\":{},\"message\":{},\"severity\":\"{}\",\"target\":{}",
                text(&note.code),
                text(&note.text),
                severity(note),
                text(&note.target)
            )
        };
        let details: Vec<String> = rest.iter().map(|note| format!("{{{}}}", detail(note))).collect();
        self.with(
            "sap-message",
            format!("{{{},\"details\":[{}]}}", detail(first), details.join(",")),
        )
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

fn v4_note(note: &Note) -> String {
    let severity = match (note.warning, note.code.as_str()) {
        (true, _) => 3,
        (false, "V1/311" | "06/017") => 1,
        (false, _) => 4,
    };
    format!(
        "{{\"code\":{},\"message\":{},\"target\":{},\"@SAP__common.numericSeverity\":{severity},\"numericSeverity\":{severity}}}",
        text(&note.code),
        text(&note.text),
        text(&note.target)
    )
}

fn severity(note: &Note) -> &'static str {
    match (note.warning, note.code.as_str()) {
        (true, _) => "warning",
        (false, "V1/311" | "06/017") => "info",
        (false, _) => "error",
    }
}

/// A JSON text. Header values hold ASCII only.
pub(super) fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "\"\"".to_owned())
}
