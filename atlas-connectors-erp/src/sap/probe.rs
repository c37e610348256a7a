//! The connection test: live calls that change nothing.
//!
//! Readable metadata proves nothing about data, so one row of each entity is read (`sap-odata.md`, section 2).

use atlas_connectors::Result;
use atlas_connectors::erp::{Capability, ProbeOutcome, Probes, Query, TestReport, Verb};
use atlas_connectors::{Error, ErrorKind};
use bytes::Bytes;
use http::Request;
use http::header::ACCEPT;

use crate::sap::classify::{SapErrors, Situation};
use crate::sap::connector::Inner;
use crate::sap::schema::Known;
use crate::sap::session::bad_request;

const OPERATION: &str = "sap.test";

impl Inner {
    pub(super) async fn test(&self, probes: &Probes) -> Result<TestReport> {
        let mut report = TestReport::new(self.session.clock().now());
        report.system = self.session.system().client().map(|client| format!("client {client}"));
        let signed_in = self.sign_in().await;
        let outcome = match &signed_in {
            // Whoever is told that a service is missing or closed has been let in.
            Err(error) if SapErrors::situation(error) != Situation::Other => ProbeOutcome::Allowed,
            other => ProbeOutcome::of_result(other),
        };
        let refused = outcome != ProbeOutcome::Allowed;
        report.row(Capability::SignIn, outcome);
        if let Some(company) = &probes.company {
            let outcome = ProbeOutcome::of_result(&self.check_company(Some(company)));
            report.row(Capability::Company, outcome);
        }
        if refused {
            // Nothing else is tried: each further try with a wrong password counts at the system.
            let skipped = || ProbeOutcome::NotProbed {
                note: "the sign-in failed".into(),
            };
            report.row(Capability::Catalog, skipped());
            for (entity, verbs) in &probes.entities {
                for verb in verbs {
                    let (entity, verb) = (entity.clone(), *verb);
                    report.row(Capability::Entity { entity, verb }, skipped());
                }
            }
            return Ok(report);
        }
        report.row(Capability::Catalog, self.probe_catalog().await);
        for (entity, verbs) in &probes.entities {
            for verb in verbs {
                let outcome = self.probe_entity(entity.as_str(), *verb).await;
                let (entity, verb) = (entity.clone(), *verb);
                report.row(Capability::Entity { entity, verb }, outcome);
            }
        }
        Ok(report)
    }

    /// The root of the first service.
    async fn sign_in(&self) -> Result<()> {
        let Some(service) = self.services.all().next() else {
            return Ok(());
        };
        let request = Request::builder()
            .uri(self.session.system().root(&service.address))
            .header(ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|_| bad_request(OPERATION))?;
        self.session.read(service, OPERATION, request).await.map(|_| ())
    }

    async fn probe_catalog(&self) -> ProbeOutcome {
        match self.services.load(true).await {
            Err(error) => ProbeOutcome::of(&error),
            Ok(known) => {
                let absent = known.iter().find(|(_, state)| !matches!(state, Known::Loaded(_)));
                match absent {
                    Some((service, state)) => ProbeOutcome::of(&state.error(&service.address)),
                    None => ProbeOutcome::Allowed,
                }
            }
        }
    }

    async fn probe_entity(&self, entity: &str, verb: Verb) -> ProbeOutcome {
        let loaded = match self.services.holding(entity).await {
            Ok(loaded) => loaded,
            Err(error) => return ProbeOutcome::of(&error),
        };
        let declared = loaded.entity(entity).map(|model| model.entity().verbs.allows(verb));
        match (declared, verb) {
            (Err(error), _) => ProbeOutcome::of(&error),
            (Ok(false), _) => {
                let kind = ErrorKind::PermissionDenied {
                    object: entity.to_owned(),
                    verb: verb.as_str(),
                };
                ProbeOutcome::of(&Error::new(kind, OPERATION))
            }
            (Ok(true), Verb::Read) => {
                let query = Query::of(entity).page_size(1).limit(1);
                ProbeOutcome::of_result(&self.read_list(&query, None).await)
            }
            (Ok(true), _) => ProbeOutcome::NotProbed {
                note: "the service declares it; nothing harmless can try it".into(),
            },
        }
    }
}
