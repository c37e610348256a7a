//! The system's own list of V2 services, where there is one (`sap-odata.md`, section 2).

use atlas_connectors::Result;
use atlas_connectors::error::BadPayload;
use atlas_connectors::{Error, ErrorKind};
use bytes::Bytes;
use http::Request;
use http::header::ACCEPT;
use serde::Deserialize;

use crate::odata::LinkGuard;
use crate::sap::address::ServiceAddress;
use crate::sap::classify::{SapErrors, Situation};
use crate::sap::connector::Inner;
use crate::sap::session::bad_request;

const OPERATION: &str = "sap.services";
/// One system listed 3360; this many is none.
const MOST: usize = 50_000;

/// A service that the system lists. Being listed does not mean that this user may start it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedService {
    /// The address to connect it by.
    pub address: ServiceAddress,
    /// Its title.
    pub title: String,
    /// Whether SAP made it.
    pub by_sap: bool,
}

#[derive(Deserialize)]
struct Answer {
    d: Page,
}

#[derive(Deserialize)]
struct Page {
    results: Vec<Row>,
    #[serde(default, rename = "__next")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(default)]
    title: String,
    #[serde(default)]
    service_url: String,
    #[serde(default)]
    is_sap_service: bool,
}

impl Inner {
    pub(super) async fn listed_services(&self) -> Result<Option<Vec<ListedService>>> {
        let service = self.session.service(&ServiceAddress::v2("IWFND/CATALOGSERVICE;v=2")?)?;
        let query = "$select=Title,ServiceUrl,IsSapService";
        let mut address = self
            .session
            .system()
            .resource(&service.address, "ServiceCollection", query);
        let mut guard = LinkGuard::new();
        let mut out = Vec::new();
        loop {
            let request = Request::builder()
                .uri(&address)
                .header(ACCEPT, "application/json")
                .body(Bytes::new())
                .map_err(|_| bad_request(OPERATION))?;
            let answer = match self.session.read(&service, OPERATION, request).await {
                Ok(answer) => answer,
                Err(error) => {
                    let absent = SapErrors::situation(&error) != Situation::Other
                        || matches!(error.kind(), ErrorKind::NotFound { .. });
                    return if absent && out.is_empty() { Ok(None) } else { Err(error) };
                }
            };
            let Ok(Answer { d: page }) = serde_json::from_slice::<Answer>(&answer.body) else {
                return Err(Error::new(BadPayload::Syntax, OPERATION).with_provider(crate::sap::provider()));
            };
            let first = page.results.first().map(|row| row.service_url.clone());
            guard.page(OPERATION, first.as_deref(), page.next.as_deref())?;
            // An entry whose address cannot be read cannot be connected either.
            out.extend(page.results.into_iter().filter_map(|row| {
                Some(ListedService {
                    address: ServiceAddress::parse(&row.service_url).ok()?,
                    title: row.title,
                    by_sap: row.is_sap_service,
                })
            }));
            if out.len() > MOST {
                return Err(Error::new(BadPayload::TooLarge, OPERATION).with_provider(crate::sap::provider()));
            }
            let Some(next) = page.next else { return Ok(Some(out)) };
            address = service.root.resolve(OPERATION, &next)?.to_string();
        }
    }
}
