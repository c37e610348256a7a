//! What a provider says to people: kept for the screen, kept out of logs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ProviderCode;

/// Longest text that is kept, in characters.
const LONGEST: usize = 2_000;

/// A message of the provider for the person who works with the record: why a value was refused, what was changed on the way.
///
/// It is not part of `Display` or `Debug` of an [`Error`](crate::Error): the text may repeat what was typed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProviderMessage {
    /// How serious it is.
    pub severity: Severity,
    /// The provider's code, such as `V1/313`.
    pub code: Option<ProviderCode>,
    /// The field it is about, in the provider's spelling.
    pub field: Option<String>,
    /// What it says, in the language of the connection.
    pub text: ProviderText,
}

impl ProviderMessage {
    /// A message without code and field.
    pub fn new(severity: Severity, text: impl AsRef<str>) -> Self {
        Self {
            severity,
            code: None,
            field: None,
            text: ProviderText::new(text),
        }
    }

    /// Keeps the code if it passes [`ProviderCode::new`].
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.code = ProviderCode::new(code);
        self
    }

    /// Names the field.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// It went well.
    Success,
    /// To be known.
    Info,
    /// It was done, and somebody should look.
    Warning,
    /// It was not done.
    Error,
}

/// Free text of a provider. Shown with [`ProviderText::reveal`] only; `Debug` tells its length.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderText(Box<str>);

impl ProviderText {
    /// Keeps the text without control characters, at most 2,000 characters of it.
    pub fn new(text: impl AsRef<str>) -> Self {
        let kept: String = text
            .as_ref()
            .trim()
            .chars()
            .filter(|c| !c.is_control() || *c == '\n')
            .take(LONGEST)
            .collect();
        Self(kept.into())
    }

    /// The text, for the screen of the person who works with the record. Never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProviderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderText({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_hidden() {
        let message =
            ProviderMessage::new(Severity::Error, format!("  a\u{0}b{}", "x".repeat(3_000))).with_code("V1/313");
        assert!(message.text.reveal().starts_with("abx"));
        assert_eq!(message.text.reveal().chars().count(), LONGEST);
        assert!(!format!("{message:?}").contains("abx"));
        assert_eq!(message.code.as_ref().map(ProviderCode::as_str), Some("V1/313"));
    }
}
