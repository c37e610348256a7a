//! Opening an SAP system.

use std::sync::Arc;

use atlas_connectors::credential::Credential;
use atlas_connectors::erp::ErpConnector;
use atlas_connectors::{Identity, Result};

use crate::erp::SapPlace;
use crate::erp::erps::{Opening, wrong_credential};

pub(super) fn open(_: &Opening<'_>, _: &SapPlace, _: &Credential) -> Result<Arc<dyn ErpConnector>> {
    Err(wrong_credential())
}

pub(super) async fn identity(_: &dyn ErpConnector, _: &SapPlace) -> Result<Identity> {
    Err(wrong_credential())
}
