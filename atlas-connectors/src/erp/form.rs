//! What a host asks a person for to connect an ERP, so that it can draw the card itself.

use serde::{Deserialize, Serialize};

use crate::ids::ProviderId;

/// The form of a provider: what has to be known to connect to it.
///
/// ```
/// use atlas_connectors::erp::{ConnectorForm, FormField, FormKind};
///
/// let form = ConnectorForm::new("odoo", "Odoo").field(
///     FormField::new("url", "Address", FormKind::Url).required().help("As in the browser: https://acme.odoo.com"),
/// );
/// let faults = form.check([("url", "acme")]);
/// assert_eq!(faults[0].message, "An address such as https://erp.example.com is expected.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectorForm {
    /// The provider.
    pub provider: ProviderId,
    /// What people call it.
    pub title: String,
    /// The fields, in order.
    pub fields: Vec<FormField>,
}

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FormField {
    /// Its name in code.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// What is entered.
    pub kind: FormKind,
    /// One line of help: what it is, and where it is found.
    pub help: String,
    /// Whether it must be filled in.
    pub required: bool,
    /// What it holds if nothing is entered.
    pub default: Option<String>,
    /// When it is shown: only if another field holds this value.
    pub only_if: Option<(String, String)>,
}

/// What is entered in a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FormKind {
    /// Text.
    Text,
    /// An address beginning with `https://`.
    Url,
    /// Something that is never shown again: a password, a key.
    Secret,
    /// A whole number within bounds.
    Number {
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
    /// One of these: a value and its label.
    Choice(Vec<(String, String)>),
    /// A sign-in at the provider begins instead of something being entered.
    SignIn,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormFault {
    /// The field.
    pub field: String,
    /// What to show beside it.
    pub message: String,
}

impl ConnectorForm {
    /// A form without fields.
    pub fn new(provider: impl Into<ProviderId>, title: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            title: title.into(),
            fields: Vec::new(),
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: FormField) -> Self {
        self.fields.push(field);
        self
    }

    /// What is wrong with these entries; empty if nothing is. Pass a secret as any text that is not empty: its content is not looked at.
    pub fn check<'a>(&self, entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<FormFault> {
        let entries: Vec<(&str, &str)> = entries.into_iter().collect();
        let entry = |name: &str| {
            let held = entries.iter().find(|(known, _)| *known == name);
            let default = self.fields.iter().find(|field| field.name == name);
            match held {
                Some((_, value)) if !value.trim().is_empty() => Some(value.trim()),
                _ => default.and_then(|field| field.default.as_deref()),
            }
        };
        let mut faults = Vec::new();
        for field in &self.fields {
            let shown = field
                .only_if
                .as_ref()
                .is_none_or(|(other, value)| entry(other) == Some(value.as_str()));
            if shown && let Some(message) = field.fault(entry(&field.name)) {
                faults.push(FormFault {
                    field: field.name.clone(),
                    message,
                });
            }
        }
        faults
    }
}

impl FormField {
    /// A field that may be left empty.
    pub fn new(name: impl Into<String>, label: impl Into<String>, kind: FormKind) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            kind,
            help: String::new(),
            required: false,
            default: None,
            only_if: None,
        }
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// One line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// What it holds if nothing is entered.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<String>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Shown only if another field holds this value.
    #[must_use]
    pub fn only_if(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.only_if = Some((field.into(), value.into()));
        self
    }

    /// Whether it must never be shown again.
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, FormKind::Secret)
    }

    fn fault(&self, entry: Option<&str>) -> Option<String> {
        let Some(entry) = entry else {
            let asked = self.required && self.kind != FormKind::SignIn;
            return asked.then(|| format!("{} is needed.", self.label));
        };
        match &self.kind {
            FormKind::Text | FormKind::Secret | FormKind::SignIn => None,
            FormKind::Url => {
                let url = url::Url::parse(entry).ok();
                let fine = url.is_some_and(|url| {
                    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
                    url.host().is_some() && matches!(url.scheme(), "https" | "http") && plain
                });
                (!fine).then(|| "An address such as https://erp.example.com is expected.".to_owned())
            }
            FormKind::Number { least, most } => {
                let fine = entry
                    .parse::<u32>()
                    .is_ok_and(|number| (*least..=*most).contains(&number));
                (!fine).then(|| format!("A whole number from {least} to {most} is expected."))
            }
            FormKind::Choice(choices) => {
                let fine = choices.iter().any(|(value, _)| value == entry);
                let labels: Vec<&str> = choices.iter().map(|(_, label)| label.as_str()).collect();
                (!fine).then(|| format!("One of these is expected: {}.", labels.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> ConnectorForm {
        let auth = FormKind::Choice(vec![
            ("basic".into(), "User and password".into()),
            ("oauth".into(), "OAuth".into()),
        ]);
        ConnectorForm::new("sap", "SAP")
            .field(FormField::new("url", "Address", FormKind::Url).required())
            .field(
                FormField::new("auth", "Sign-in", auth)
                    .required()
                    .default_value("basic"),
            )
            .field(
                FormField::new("password", "Password", FormKind::Secret)
                    .required()
                    .only_if("auth", "basic"),
            )
            .field(FormField::new(
                "client",
                "Client",
                FormKind::Number { least: 0, most: 999 },
            ))
    }

    fn faulty(entries: &[(&str, &str)]) -> Vec<String> {
        form()
            .check(entries.iter().copied())
            .into_iter()
            .map(|fault| fault.field)
            .collect()
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert_eq!(faulty(&[]), ["url", "password"]);
        assert_eq!(
            faulty(&[("url", "https://erp.example"), ("auth", "oauth")]),
            Vec::<String>::new()
        );
        assert_eq!(
            faulty(&[
                ("url", "https://user:pw@erp.example"),
                ("auth", "saml"),
                ("client", "1000")
            ]),
            ["url", "auth", "client"]
        );
    }
}
