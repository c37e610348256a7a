//! The companies of an environment, and which one a call works in.
//!
//! Source: `business-central.md`, sections 1 and 2. Without a company in the path the service takes the user's default, and
//! says of no row which one that was: so each call names its company, by id.

use atlas_connectors::erp::Company;
use atlas_connectors::error::{BadPayload, ErrorKind};
use atlas_connectors::{CompanyId, Error, Result};
use serde::Deserialize;

use super::connector::Inner;
use super::operation;
use super::unset::is_guid;

/// Pages of the list that are followed; an environment has 300 companies at most.
const PAGES: usize = 10;

#[derive(Deserialize)]
struct List {
    value: Vec<Wire>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    system_version: Option<String>,
}

/// The companies that the user may enter, and the version that the service names beside them.
#[derive(Debug)]
pub(super) struct Companies {
    pub(super) list: Vec<Company>,
    pub(super) system: Option<String>,
}

impl Inner {
    pub(super) async fn companies(&self, operation: &'static str) -> Result<Companies> {
        let mut url = self.service.address().at("companies")?;
        let mut found = Companies {
            list: Vec::new(),
            system: None,
        };
        for _ in 0..PAGES {
            let read = super::service::Read {
                operation,
                url: &url,
                prefer: None,
                replica: false,
            };
            let answer = self.service.read(read).await?;
            let list: List = serde_json::from_slice(&answer.body).map_err(|error| unreadable(operation, &error))?;
            for one in list.value {
                found.system = found.system.or(one.system_version);
                // The display name is often empty.
                let name = if one.display_name.trim().is_empty() {
                    one.name
                } else {
                    one.display_name
                };
                found.list.push(Company::new(one.id.to_ascii_lowercase(), name));
            }
            match list.next {
                Some(next) => url = self.service.address().within(&next)?,
                None => break,
            }
        }
        Ok(found)
    }

    /// The company of a call: the one it names, else the pinned one.
    ///
    /// # Errors
    /// [`ErrorKind::Paused`] (`select_company`) if there is none; [`ErrorKind::Invalid`] for what is no id.
    pub(super) fn company(&self, named: Option<&CompanyId>, operation: &'static str) -> Result<CompanyId> {
        let Some(company) = named.or(self.settings.company.as_ref()) else {
            return Err(super::failed(ErrorKind::Paused { why: "select_company" }, operation));
        };
        if !is_guid(company.as_str()) {
            return Err(super::invalid(
                operation,
                "company",
                "its id is expected, a GUID, and not its name",
            ));
        }
        Ok(CompanyId::new(company.as_str().to_ascii_lowercase()))
    }

    /// Whether the pinned company is among these.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is gone or not open to this user: somebody has to choose again.
    pub(super) fn check_pinned(&self, list: &[Company], named: Option<&CompanyId>) -> Result<()> {
        let company = self.company(named, operation::COMPANIES)?;
        if list.iter().any(|one| one.id == company) {
            return Ok(());
        }
        Err(super::invalid(
            operation::COMPANIES,
            "company",
            "it is gone or not open to this user: select a company again",
        ))
    }
}

pub(super) fn unreadable(operation: &'static str, error: &serde_json::Error) -> Error {
    let fault = if error.is_eof() {
        BadPayload::Truncated
    } else {
        BadPayload::Syntax
    };
    super::failed(fault, operation)
}
