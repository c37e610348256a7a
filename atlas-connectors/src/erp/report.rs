//! Testing a connection: what was tried with live calls, and what came of each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::erp::{EntityName, Verb};
use crate::error::{Error, ErrorKind, ProviderCode, ProviderMessage};
use crate::ids::CompanyId;

/// What is to be tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Probes {
    /// The company to try in; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// The entities that are needed, and what for. Reading is tried of each.
    pub entities: Vec<(EntityName, Vec<Verb>)>,
}

impl Probes {
    /// Sign-in and companies only.
    pub fn sign_in() -> Self {
        Self::default()
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }

    /// Also reading of this entity, and these verbs as far as a probe exists that changes nothing.
    #[must_use]
    pub fn entity(mut self, entity: impl Into<EntityName>, verbs: impl IntoIterator<Item = Verb>) -> Self {
        self.entities.push((entity.into(), verbs.into_iter().collect()));
        self
    }
}

/// What came of a test, one row a capability. `Display` prints a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TestReport {
    /// When it was made.
    pub at: Timestamp,
    /// The system's version, as it says.
    pub system: Option<String>,
    /// The rows, in the order in which they were tried.
    pub rows: Vec<Probed>,
    /// What should be known, though nothing failed: a key that ends soon, a deprecated protocol.
    pub notes: Vec<ProviderMessage>,
}

impl TestReport {
    /// A report without rows.
    pub fn new(at: Timestamp) -> Self {
        Self {
            at,
            system: None,
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, capability: Capability, outcome: ProbeOutcome) {
        self.rows.push(Probed { capability, outcome });
    }

    /// Whether nothing that was tried failed.
    pub fn passed(&self) -> bool {
        self.rows
            .iter()
            .all(|row| matches!(row.outcome, ProbeOutcome::Allowed | ProbeOutcome::NotProbed { .. }))
    }

    /// What came of a capability.
    pub fn outcome(&self, capability: &Capability) -> Option<&ProbeOutcome> {
        self.rows
            .iter()
            .find(|row| row.capability == *capability)
            .map(|row| &row.outcome)
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{:<40}{}", row.capability.to_string(), row.outcome)?;
        }
        Ok(())
    }
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// What was tried.
    pub capability: Capability,
    /// What came of it.
    pub outcome: ProbeOutcome,
}

/// Something that an account may be able to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Capability {
    /// Signing in.
    SignIn,
    /// Listing the companies, or entering the one that is named.
    Company,
    /// Reading the metadata.
    Catalog,
    /// One verb on one entity.
    Entity {
        /// The entity.
        entity: EntityName,
        /// The verb.
        verb: Verb,
    },
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn => f.write_str("sign in"),
            Self::Company => f.write_str("company"),
            Self::Catalog => f.write_str("catalog"),
            Self::Entity { entity, verb } => write!(f, "{} {entity}", verb.as_str()),
        }
    }
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProbeOutcome {
    /// It works.
    Allowed,
    /// It was refused to this account.
    Denied {
        /// The stable code of the error.
        code: Box<str>,
        /// The provider's code.
        provider_code: Option<ProviderCode>,
    },
    /// The service, module or page is not there.
    MissingService {
        /// Its name.
        service: String,
    },
    /// It is there in another shape than expected.
    SchemaMismatch {
        /// Where.
        path: String,
    },
    /// It failed for another reason, which may pass.
    Failed {
        /// The stable code of the error.
        code: Box<str>,
        /// What the operator does.
        operator: Box<str>,
    },
    /// There is no way to try it that changes nothing.
    NotProbed {
        /// What is known of it instead, such as from the metadata.
        note: Box<str>,
    },
}

impl ProbeOutcome {
    /// What a failed probe means.
    pub fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied { .. } | ErrorKind::OAuth(_) => Self::Denied {
                code: error.code().into(),
                provider_code: error.provider_code().cloned(),
            },
            ErrorKind::ServiceMissing { service } => Self::MissingService {
                service: service.clone(),
            },
            ErrorKind::SchemaMismatch { path, .. } => Self::SchemaMismatch { path: path.clone() },
            _ => Self::Failed {
                code: error.code().into(),
                operator: error.advice().operator.into(),
            },
        }
    }

    /// What came of a call.
    pub fn of_result<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Allowed,
            Err(error) => Self::of(error),
        }
    }
}

impl fmt::Display for ProbeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied { code, provider_code } => match provider_code {
                Some(provider_code) => write!(f, "denied ({code}, {provider_code})"),
                None => write!(f, "denied ({code})"),
            },
            Self::MissingService { service } => write!(f, "{service} is missing"),
            Self::SchemaMismatch { path } => write!(f, "{path} differs"),
            Self::Failed { code, operator } => write!(f, "failed ({code}): {operator}"),
            Self::NotProbed { note } => write!(f, "not tried: {note}"),
        }
    }
}
