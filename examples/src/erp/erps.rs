//! All ERPs of a host: connected once, opened as often as needed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use atlas_connectors::connection::{
    CompanyChoice, ConnectionEvent, ConnectionSummary, Connections, Enrolment, Pause, Proof, ProofKind, Status,
};
use atlas_connectors::credential::{Credential, CredentialKey};
use atlas_connectors::erp::{Company, ErpConnector};
use atlas_connectors::http::HttpTransport;
use atlas_connectors::oauth::{SignIn, Workflow};
use atlas_connectors::store::SqliteStore;
use atlas_connectors::{
    Clock as _, CompanyId, ConnectionId, ConnectionRef, Epoch, Error, ErrorKind, Identity, ProviderId, Result,
    SystemClock, TenantId, Timestamp,
};

use crate::erp::{Place, System, business_central, odoo, sap};

/// What a connection to an ERP is used for.
pub(super) const WORKFLOWS: [Workflow; 2] = [Workflow::ReadRecords, Workflow::WriteRecords];

/// The ERPs of a host. Cheap to clone.
#[derive(Clone)]
pub struct Erps(Arc<Parts>);

pub(super) struct Parts {
    pub(super) connections: Connections,
    pub(super) store: Arc<SqliteStore>,
    transport: Arc<dyn HttpTransport>,
    /// One connector for each connection, epoch and company, so that quota, sessions and catalogs are shared.
    open: Mutex<HashMap<Slot, Arc<dyn ErpConnector>>>,
}

type Slot = (ConnectionId, Epoch, Option<CompanyId>);

/// An ERP that is connected with a key, a password or an app's own secret.
#[derive(Debug)]
pub struct NewErp {
    /// The tenant that the connection belongs to.
    pub tenant: TenantId,
    /// Where it is.
    pub place: Place,
    /// What opens it.
    pub credential: Credential,
    /// The connection that gets a new credential; `None` for a new one.
    pub renewing: Option<ConnectionId>,
    /// The company to work in, where it is known already.
    pub company: Option<CompanyId>,
}

/// How connecting ended.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The connection.
    pub connection: ConnectionRef,
    /// The companies that the account can work in.
    pub companies: Vec<Company>,
    /// The one it works in; `None` where one has to be chosen, or where the system has none.
    pub company: Option<CompanyId>,
}

/// What a connector is made of, beside its place.
pub(super) struct Opening<'a> {
    pub(super) connection: &'a ConnectionRef,
    pub(super) identity: Option<&'a Identity>,
    pub(super) company: Option<&'a CompanyId>,
    pub(super) transport: Arc<dyn HttpTransport>,
}

impl Erps {
    /// The ERPs of these connections.
    pub fn new(connections: Connections, store: Arc<SqliteStore>, transport: Arc<dyn HttpTransport>) -> Self {
        Self(Arc::new(Parts {
            connections,
            store,
            transport,
            open: Mutex::default(),
        }))
    }

    /// Whether connections of this provider are ERPs.
    pub fn is_erp(provider: &ProviderId) -> bool {
        use atlas_connectors_erp::{business_central, odoo, sap};

        [odoo::PROVIDER, sap::PROVIDER, business_central::PROVIDER].contains(&provider.as_str())
    }

    /// Where a connection leads.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; settings that another program wrote; the store's.
    pub async fn place(&self, connection: &ConnectionRef) -> Result<Place> {
        let settings = self
            .0
            .connections
            .settings(&connection.tenant, &connection.connection)
            .await?;
        Place::parse(settings.as_deref().unwrap_or_default())
    }

    /// The connector of a connection as it is now, whatever its status: whoever works with it asks
    /// [`Connections::admit`] first.
    ///
    /// # Errors
    /// No credential, settings that another program wrote, the store's.
    pub async fn open(&self, summary: &ConnectionSummary) -> Result<Arc<dyn ErpConnector>> {
        let reference = &summary.reference;
        let slot = (reference.connection.clone(), reference.epoch, summary.company.clone());
        if let Some(connector) = self.opened().get(&slot) {
            return Ok(Arc::clone(connector));
        }
        let place = self.place(reference).await?;
        let opening = Opening {
            connection: reference,
            identity: summary.identity.as_ref(),
            company: summary.company.as_ref(),
            transport: place.reach.transport(&self.0.transport)?,
        };
        let connector = match business_central::signed_in(&self.0, &opening, &place)? {
            Some(connector) => connector,
            None => {
                let credential = self.credential(reference, &place).await?;
                connector(&opening, &place, &credential)?
            }
        };
        let mut open = self.opened();
        open.retain(|(connection, _, _), _| *connection != slot.0);
        Ok(Arc::clone(open.entry(slot).or_insert(connector)))
    }

    /// Tries a credential with live calls, pins whose it is, stores it, and settles the company: the one that was named, the
    /// only one there is, or a pause until somebody has chosen.
    ///
    /// # Errors
    /// Address, credential or company are wrong, or the system cannot be reached: nothing is stored then.
    /// As [`Connections::enrol`].
    pub async fn connect(&self, new: NewErp) -> Result<Connected> {
        let tried = SystemClock.now();
        let trial = ConnectionRef {
            tenant: new.tenant.clone(),
            connection: ConnectionId::random(),
            epoch: Epoch::FIRST,
            provider: new.place.provider(),
        };
        let opening = Opening {
            connection: &trial,
            identity: None,
            company: new.company.as_ref(),
            transport: new.place.reach.transport(&self.0.transport)?,
        };
        let connector = connector(&opening, &new.place, &new.credential)?;
        let companies = connector.companies().await?;
        let identity = match &new.place.system {
            System::Odoo(place) => odoo::identity(&*connector, place, &companies).await?,
            System::Sap(place) => sap::identity(&*connector, place).await?,
            System::BusinessCentral(place) => business_central::identity(place)?,
        };
        let company = named(&companies, new.company)?;
        let mut request =
            Enrolment::new(new.tenant, new.place.provider(), WORKFLOWS).with_settings(new.place.to_json());
        request.connection = new.renewing;
        let connection = self
            .0
            .connections
            .enrol(&request, &new.credential, &identity, tried)
            .await?;
        self.settle(connection, companies, company).await
    }

    /// Signing in by a person, for systems that have it: Business Central.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for the others; addresses that do not fit together.
    pub fn sign_in(&self, place: &Place) -> Result<SignIn> {
        business_central::sign_in(&self.0, place, place.reach.transport(&self.0.transport)?)
    }

    /// What follows a sign-in by a person: where the connection leads is kept, the system is asked for its companies, and the company
    /// is settled as in [`Erps::connect`].
    ///
    /// # Errors
    /// The system cannot be reached or refuses the account: the connection is there, and says so.
    pub async fn signed_in(
        &self,
        connection: ConnectionRef,
        place: &Place,
        company: Option<CompanyId>,
    ) -> Result<Connected> {
        let connections = &self.0.connections;
        connections.keep_settings(&connection, &place.to_json()).await?;
        let summary = connections.summary(&connection.tenant, &connection.connection).await?;
        let asked = SystemClock.now();
        let companies = match self.open(&summary).await?.companies().await {
            Ok(companies) => companies,
            Err(error) => {
                connections.failed(&connection, &error).await?;
                return Err(error);
            }
        };
        let company = named(&companies, company)?;
        self.answered(&connection, asked).await?;
        self.settle(connection, companies, company).await
    }

    /// Chooses the company that a connection works in.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the account does not see it; the system's; the store's.
    pub async fn select_company(&self, summary: &ConnectionSummary, company: &CompanyId) -> Result<()> {
        let asked = SystemClock.now();
        let companies = self.open(summary).await?.companies().await?;
        named(&companies, Some(company.clone()))?;
        let connections = &self.0.connections;
        if let Status::Paused(Pause::SelectCompany { .. }) = summary.status {
            // The list may be newer than the pause: what can be chosen is what is there now.
            let choices: Vec<CompanyChoice> = companies.into_iter().map(Into::into).collect();
            let reference = &summary.reference;
            connections
                .apply(reference, ConnectionEvent::CompanyNeeded(choices))
                .await?;
            let chosen = ConnectionEvent::CompanySelected(company.clone());
            connections.apply(reference, chosen).await?;
            return self.accepted(reference, asked).await;
        }
        connections.pin_company(&summary.reference, company).await
    }

    /// No workflow's catalog is waited for: `check` pauses the connection if one does not fit.
    async fn accepted(&self, connection: &ConnectionRef, asked: Timestamp) -> Result<()> {
        let connections = &self.0.connections;
        let summary = connections.summary(&connection.tenant, &connection.connection).await?;
        if let Status::Paused(Pause::CatalogCheck { .. }) = summary.status {
            // It counts from just before the call that was answered.
            let at = Timestamp::from_unix_millis(asked.unix_millis().saturating_sub(1));
            connections
                .apply(connection, ConnectionEvent::CatalogAccepted { at })
                .await?;
            self.answered(connection, asked).await?;
        }
        Ok(())
    }

    /// Tells a connection that its system has answered a request that was sent at this moment.
    ///
    /// # Errors
    /// As [`Connections::apply`].
    pub async fn answered(&self, connection: &ConnectionRef, asked: Timestamp) -> Result<()> {
        let proof = Proof::new(ProofKind::Answer, asked);
        self.0
            .connections
            .apply(connection, ConnectionEvent::Proven(proof))
            .await?;
        Ok(())
    }

    async fn settle(
        &self,
        connection: ConnectionRef,
        companies: Vec<Company>,
        company: Option<CompanyId>,
    ) -> Result<Connected> {
        let connections = &self.0.connections;
        let company = match company {
            Some(company) => {
                connections.pin_company(&connection, &company).await?;
                Some(company)
            }
            None => connections.settle_company(&connection, &companies).await?,
        };
        Ok(Connected {
            connection,
            companies,
            company,
        })
    }

    /// The newest credential of a connection: an older one of another kind may still lie beside it.
    async fn credential(&self, connection: &ConnectionRef, place: &Place) -> Result<Credential> {
        let kinds: &[&str] = match &place.system {
            System::Odoo(_) => &["api_key", "basic"],
            System::Sap(_) => &["basic", "client_credentials"],
            System::BusinessCentral(_) => &["client_credentials", "basic"],
        };
        for kind in kinds {
            let key = CredentialKey {
                tenant: connection.tenant.clone(),
                connection: connection.connection.clone(),
                field: (*kind).into(),
            };
            if let Some(stored) = self.0.connections.vault().load(&key).await?
                && stored.epoch == connection.epoch
            {
                return Ok(stored.credential);
            }
        }
        Err(Error::new(ErrorKind::Paused { why: "sign_in" }, "erp.open"))
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashMap<Slot, Arc<dyn ErpConnector>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The company that was named, if the account sees it. A system without companies takes any.
fn named(found: &[Company], company: Option<CompanyId>) -> Result<Option<CompanyId>> {
    match company {
        Some(company) if !found.is_empty() && !found.iter().any(|one| one.id == company) => {
            let why = "the account does not see a company of this id";
            Err(Error::new(ErrorKind::Invalid { what: "company", why }, "erp.company"))
        }
        company => Ok(company),
    }
}

fn connector(opening: &Opening<'_>, place: &Place, credential: &Credential) -> Result<Arc<dyn ErpConnector>> {
    match &place.system {
        System::Odoo(place) => odoo::open(opening, place, credential),
        System::Sap(place) => sap::open(opening, place, credential),
        System::BusinessCentral(place) => business_central::open(opening, place, credential),
    }
}

/// A credential of a kind that the system has no use for.
pub(super) fn wrong_credential() -> Error {
    let why = "it is of a kind that this system does not take; connect again";
    let what = "credential";
    Error::new(ErrorKind::Invalid { what, why }, "erp.open")
}

impl fmt::Debug for Erps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Erps")
    }
}
