//! What a server we trust found out about the sender (RFC 8601).

use serde::{Deserialize, Serialize};

/// The results of the topmost `Authentication-Results` field whose server is trusted. Fields of other servers are not
/// looked at: whoever wrote the mail may have written them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Authentication {
    /// The trusted server that checked.
    pub server: String,
    /// SPF: whether the sending host may send for the envelope sender's domain.
    pub spf: Option<AuthVerdict>,
    /// DKIM: `Pass` if any signature passed, else the first result.
    pub dkim: Option<AuthVerdict>,
    /// Domains whose DKIM signature passed, in lower case.
    pub dkim_domains: Vec<String>,
    /// DMARC: whether SPF or DKIM vouches for the domain in `From`.
    pub dmarc: Option<AuthVerdict>,
}

impl Authentication {
    pub(crate) fn new(server: String) -> Self {
        Self {
            server,
            spf: None,
            dkim: None,
            dkim_domains: Vec::new(),
            dmarc: None,
        }
    }

    /// Whether the domain in `From` is vouched for.
    pub fn is_from_verified(&self) -> bool {
        self.dmarc == Some(AuthVerdict::Pass)
    }
}

/// One result, in the words of RFC 8601, section 2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthVerdict {
    /// Passed.
    Pass,
    /// Failed.
    Fail,
    /// Probably not authorized (SPF).
    SoftFail,
    /// Nothing can be said.
    Neutral,
    /// Nothing to check.
    None,
    /// Refused by local policy.
    Policy,
    /// Could not be checked for the moment.
    TempError,
    /// Cannot be checked: the records are wrong.
    PermError,
    /// A word that is not in the list.
    Other,
}

impl AuthVerdict {
    pub(crate) fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "pass" => Self::Pass,
            "fail" | "hardfail" => Self::Fail,
            "softfail" => Self::SoftFail,
            "neutral" => Self::Neutral,
            "none" => Self::None,
            "policy" => Self::Policy,
            "temperror" => Self::TempError,
            "permerror" => Self::PermError,
            _ => Self::Other,
        }
    }
}
