//! The built-in policy: how much may happen without a person.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::action::content::sha256;
use crate::action::warning::domain_of;
use crate::action::{ApprovalPolicy, ProposedAction, Verdict};
use crate::clock::Timestamp;
use crate::error::Result;

/// How much may happen without a person. The default asks for everything.
///
/// ```
/// use std::time::Duration;
/// use atlas_connectors::action::{Autonomy, Limits};
///
/// let cautious = Autonomy::default();
/// let standing_grant = Autonomy::AskExcept(
///     Limits::new("order-confirmations")
///         .with_domains(["nordmetall.example"])
///         .with_max_recipients(3)
///         .with_rate(20, Duration::from_secs(3600)),
/// );
/// # assert_ne!(cautious, standing_grant);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Autonomy {
    /// Nothing outside is changed, whoever approves.
    ReadOnly,
    /// Actions may be proposed and reviewed, and nothing leaves, whoever approves.
    DraftOnly,
    /// A person reviews everything.
    #[default]
    AskForEverything,
    /// A person reviews everything that is outside these limits.
    AskExcept(Limits),
}

/// What may leave without a person. All limits hold together; what is outside any of them is held, not denied.
///
/// A recipient passes if it is in `recipients` or its domain is in `domains`; with both empty nobody passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    /// Name of the rule, as it is recorded.
    pub rule: String,
    /// Kinds of action it is about. Default: `mail.send` only.
    pub kinds: Vec<String>,
    /// Addresses that may be reached.
    pub recipients: Vec<String>,
    /// Domains whose every address may be reached; subdomains count apart.
    pub domains: Vec<String>,
    /// Most recipients of one action. Default: 1.
    pub max_recipients: usize,
    /// Most actions within a time. Default: 10 an hour.
    pub rate: Rate,
    /// When the standing grant ends, if it does.
    pub expires: Option<Timestamp>,
}

/// So many within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// Within which time.
    pub window: Duration,
}

impl Limits {
    /// Limits under which nobody may be reached yet.
    pub fn new(rule: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            kinds: vec!["mail.send".to_owned()],
            recipients: Vec::new(),
            domains: Vec::new(),
            max_recipients: 1,
            rate: Rate {
                count: 10,
                window: Duration::from_secs(3600),
            },
            expires: None,
        }
    }

    /// Sets the kinds of action.
    #[must_use]
    pub fn with_kinds<K: Into<String>>(mut self, kinds: impl IntoIterator<Item = K>) -> Self {
        self.kinds = kinds.into_iter().map(Into::into).collect();
        self
    }

    /// Adds addresses that may be reached.
    #[must_use]
    pub fn with_recipients<R: Into<String>>(mut self, recipients: impl IntoIterator<Item = R>) -> Self {
        self.recipients.extend(recipients.into_iter().map(Into::into));
        self
    }

    /// Adds domains whose every address may be reached.
    #[must_use]
    pub fn with_domains<D: Into<String>>(mut self, domains: impl IntoIterator<Item = D>) -> Self {
        self.domains.extend(domains.into_iter().map(Into::into));
        self
    }

    /// Sets the most recipients of one action.
    #[must_use]
    pub fn with_max_recipients(mut self, max: usize) -> Self {
        self.max_recipients = max;
        self
    }

    /// Sets how many actions may leave within a time.
    #[must_use]
    pub fn with_rate(mut self, count: u64, window: Duration) -> Self {
        self.rate = Rate { count, window };
        self
    }

    /// Sets when the standing grant ends.
    #[must_use]
    pub fn until(mut self, expires: Timestamp) -> Self {
        self.expires = Some(expires);
        self
    }

    /// The limit that the action is outside of, if any.
    async fn broken(&self, action: &ProposedAction<'_>) -> Result<Option<&'static str>> {
        if !self.kinds.iter().any(|kind| kind == action.kind) {
            return Ok(Some("kind"));
        }
        if self.expires.is_some_and(|expires| action.now >= expires) {
            return Ok(Some("expired"));
        }
        if action.recipients.len() > self.max_recipients {
            return Ok(Some("max-recipients"));
        }
        if !action.recipients.iter().all(|address| self.reaches(address)) {
            return Ok(Some("recipient"));
        }
        if action.history.automatic(self.rate.window).await? >= self.rate.count {
            return Ok(Some("rate"));
        }
        Ok(None)
    }

    fn reaches(&self, address: &str) -> bool {
        let domain = domain_of(address);
        !domain.is_empty()
            && (self.recipients.iter().any(|known| known.eq_ignore_ascii_case(address))
                || self.domains.iter().any(|known| known.eq_ignore_ascii_case(domain)))
    }
}

#[async_trait]
impl ApprovalPolicy for Autonomy {
    async fn evaluate(&self, action: &ProposedAction<'_>) -> Result<Verdict> {
        let rule = |name: &str| name.to_owned();
        Ok(match self {
            Self::ReadOnly => Verdict::Deny {
                rule: rule("read-only"),
            },
            Self::DraftOnly if action.leaving => Verdict::Deny {
                rule: rule("draft-only"),
            },
            Self::DraftOnly => Verdict::Hold {
                rule: rule("draft-only"),
            },
            Self::AskForEverything => Verdict::Hold {
                rule: rule("ask-for-everything"),
            },
            Self::AskExcept(limits) => match limits.broken(action).await? {
                None => Verdict::Allow {
                    rule: limits.rule.clone(),
                },
                Some(limit) => Verdict::Hold {
                    rule: format!("{}:{limit}", limits.rule),
                },
            },
        })
    }

    fn version(&self) -> String {
        // Serialising plain data does not fail; were it to, the version would only be less telling.
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("autonomy:{}", sha256(&json))
    }
}
