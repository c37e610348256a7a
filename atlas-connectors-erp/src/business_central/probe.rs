//! Trying each capability with a live call that changes nothing.

use atlas_connectors::erp::{Capability, EntityKind, ProbeOutcome, Probes, Query, TestReport, Verb};
use atlas_connectors::error::ErrorKind;
use atlas_connectors::{CompanyId, Error, Result};

use super::connector::Inner;
use super::described::Described;
use super::{catalog, operation};

impl Inner {
    pub(super) async fn test(&self, probes: &Probes) -> Result<TestReport> {
        let mut report = TestReport::new(self.clock.now());
        let companies = self.companies(operation::TEST).await;
        report.row(Capability::SignIn, ProbeOutcome::of_result(&companies));
        let Ok(companies) = companies else {
            return Ok(report);
        };
        report.system.clone_from(&companies.system);
        let named = probes.company.as_ref();
        let pinned = match self.company(named, operation::TEST) {
            Ok(company) => {
                let there = self.check_pinned(&companies.list, named);
                report.row(Capability::Company, ProbeOutcome::of_result(&there));
                there.is_ok().then_some(company)
            }
            Err(error) => {
                let outcome = match error.kind() {
                    ErrorKind::Paused { .. } => ProbeOutcome::NotProbed {
                        note: "no company is selected yet".into(),
                    },
                    _ => ProbeOutcome::of(&error),
                };
                report.row(Capability::Company, outcome);
                None
            }
        };
        let described = self.described(true).await;
        report.row(Capability::Catalog, ProbeOutcome::of_result(&described));
        let (Ok(described), Some(company)) = (described, pinned) else {
            return Ok(report);
        };
        for (entity, verbs) in &probes.entities {
            let read = self.try_read(&described, &company, entity.as_str()).await;
            let outcome = read
                .as_ref()
                .err()
                .map_or(ProbeOutcome::Allowed, |error| outcome(entity.as_str(), error));
            let reads = Capability::Entity {
                entity: entity.clone(),
                verb: Verb::Read,
            };
            report.row(reads, outcome);
            for verb in verbs.iter().filter(|verb| **verb != Verb::Read) {
                let capability = Capability::Entity {
                    entity: entity.clone(),
                    verb: *verb,
                };
                report.row(capability, by_metadata(&described, entity.as_str(), *verb));
            }
        }
        Ok(report)
    }

    /// One row, which shows rights, pending upgrades and hidden pages. Lines are read with one document.
    async fn try_read(&self, described: &Described, company: &CompanyId, entity: &str) -> Result<()> {
        let model = described.model.entity(operation::TEST, entity)?;
        let query = match catalog::document_of(&described.model, model) {
            Some((document, relation)) => {
                let lines = atlas_connectors::erp::Expand::of(relation).select(["id"]);
                Query::of(document).select(["id"]).expand(lines)
            }
            None => Query::of(entity).select(model.entity().key.clone()),
        };
        let compiled = self.compile(described, company, &query.page_size(1), operation::TEST)?;
        self.rows(&compiled, None, false, operation::TEST).await.map(|_| ())
    }
}

/// An entity that the metadata does not name is a page that is hidden or not installed.
fn outcome(entity: &str, error: &Error) -> ProbeOutcome {
    match error.kind() {
        ErrorKind::SchemaMismatch { path, .. } if path == entity => ProbeOutcome::MissingService {
            service: entity.to_owned(),
        },
        _ => ProbeOutcome::of(error),
    }
}

fn by_metadata(described: &Described, entity: &str, verb: Verb) -> ProbeOutcome {
    let Some(known) = described.catalog.entity(entity) else {
        return ProbeOutcome::MissingService {
            service: entity.to_owned(),
        };
    };
    if !known.verbs.allows(verb) {
        return ProbeOutcome::Denied {
            code: "unsupported".into(),
            provider_code: None,
        };
    }
    ProbeOutcome::NotProbed {
        note: match known.kind {
            EntityKind::Line => {
                "the page offers it; whether the user may, and whether its document lets it, shows when it is done"
            }
            _ => "the page offers it; whether the user may, shows when it is done",
        }
        .into(),
    }
}
