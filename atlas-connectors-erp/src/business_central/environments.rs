//! The environments of a tenant, so that a person can choose one.
//!
//! Source: `business-central.md`, section 2. Whether a token without a user may ask is not known.

use atlas_connectors::Result;
use atlas_connectors::error::ErrorKind;
use serde::Deserialize;

use super::company::unreadable;
use super::operation::ENVIRONMENTS;
use super::service::{Read, Service};

/// An environment as the cloud lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Environment {
    /// The tenant it belongs to.
    #[serde(rename = "aadTenantId")]
    pub tenant: String,
    /// Its name, which is part of every address.
    pub name: String,
    /// `Production` or `Sandbox`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The country whose version it is.
    #[serde(default)]
    pub country_code: Option<String>,
    /// Where people work in it.
    #[serde(default)]
    pub web_client_login_url: Option<String>,
}

#[derive(Deserialize)]
struct List {
    value: Vec<Environment>,
}

pub(super) async fn list(service: &Service) -> Result<Vec<Environment>> {
    let Some(url) = service.address().environments() else {
        let what = "a list of environments on a server of one's own";
        return Err(super::failed(ErrorKind::Unsupported { what }, ENVIRONMENTS));
    };
    let read = Read {
        operation: ENVIRONMENTS,
        url,
        prefer: None,
        replica: false,
    };
    let answer = service.read(read).await?;
    let list: List = serde_json::from_slice(&answer.body).map_err(|error| unreadable(ENVIRONMENTS, &error))?;
    Ok(list.value)
}
