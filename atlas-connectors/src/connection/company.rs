//! What an ERP's connection waits for beside a sign-in: a company that is chosen, and a catalog that fits.

use crate::connection::{ConnectionEvent, ConnectionRef, Connections, Status};
use crate::erp::{Company, FidelityReport};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::CompanyId;

const OPERATION: &str = "connection.company";

impl Connections {
    /// Makes sure that a connection works in a company: the pinned one if the account still sees it, or the only one there
    /// is. With several the connection pauses until somebody has chosen; never is the first in the list taken.
    ///
    /// Gives the company, or `None` while one has to be chosen, or where the system has none.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the pinned company is not there any more: that is a matter of settings or rights, not an empty
    /// list; [`ErrorKind::Cancelled`]; [`ErrorKind::NotFound`]; [`crate::error::StorageFault`].
    pub async fn settle_company(&self, connection: &ConnectionRef, found: &[Company]) -> Result<Option<CompanyId>> {
        let row = self.row(&connection.tenant, &connection.connection).await?.value;
        if let Some(pinned) = row.company {
            if found.iter().any(|company| company.id == pinned) {
                return Ok(Some(pinned));
            }
            let why = "the account does not see the company any more that the connection works in";
            return Err(Error::new(ErrorKind::Invalid { what: "company", why }, OPERATION));
        }
        match found {
            [] => Ok(None),
            [only] => {
                self.pin_company(connection, &only.id).await?;
                Ok(Some(only.id.clone()))
            }
            several => {
                let choices = several.iter().cloned().map(Into::into).collect();
                self.apply(connection, ConnectionEvent::CompanyNeeded(choices)).await?;
                Ok(None)
            }
        }
    }

    /// Pins the company that a connection works in, where the operator has chosen one without being asked to.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] if the connection is of a newer epoch; [`ErrorKind::NotFound`]; [`crate::error::StorageFault`].
    pub async fn pin_company(&self, connection: &ConnectionRef, company: &CompanyId) -> Result<()> {
        self.change(connection, |row| {
            row.company = Some(company.clone());
            Ok(true)
        })
        .await
    }

    /// Tells a connection how a fidelity check ended: one that failed pauses it until somebody has looked, one that passed
    /// ends such a pause. `None`: nothing changed.
    ///
    /// # Errors
    /// As [`Connections::apply`].
    pub async fn checked_catalog(&self, connection: &ConnectionRef, report: &FidelityReport) -> Result<Option<Status>> {
        if let Some(event) = report.event() {
            return self.apply(connection, event).await;
        }
        let row = self.row(&connection.tenant, &connection.connection).await?.value;
        let waits = matches!(
            row.status,
            Status::Paused(crate::connection::Pause::CatalogCheck { .. })
        );
        if !waits {
            return Ok(None);
        }
        let at = self.clock.now();
        self.apply(connection, ConnectionEvent::CatalogAccepted { at }).await
    }
}
