//! An opened connection, and what every command asks of it.

use std::sync::Arc;

use atlas_connectors::connection::ConnectionSummary;
use atlas_connectors::erp::{Catalog, CatalogScope, Entity, ErpConnector, RecordKey};
use atlas_connectors::{Clock as _, CompanyId, Result as LibraryResult, SystemClock};

use crate::erp::args::At;
use crate::failure::Failure;
use crate::session::Session;

/// A connection that may be worked with.
pub(super) struct Work<'a> {
    session: &'a Session,
    pub(super) summary: ConnectionSummary,
    pub(super) erp: Arc<dyn ErpConnector>,
    /// The company that was named on the command line.
    pub(super) company: Option<CompanyId>,
}

impl<'a> Work<'a> {
    /// The connection that is meant, if it may work.
    pub(super) async fn open(session: &'a Session, at: &At) -> Result<Self, Failure> {
        let summary = session.resolve_erp(at.on.as_deref()).await?;
        let erp = session.host.erp(&summary.reference.connection).await?;
        Ok(Self::of(session, summary, erp, at.company.as_deref()))
    }

    /// The connection that is meant, even while it waits for somebody: for the commands that end the waiting.
    pub(super) async fn open_paused(
        session: &'a Session,
        on: Option<&str>,
        company: Option<&str>,
    ) -> Result<Self, Failure> {
        let summary = session.resolve_erp(on).await?;
        let erp = session.host.erps().open(&summary).await?;
        Ok(Self::of(session, summary, erp, company))
    }

    fn of(session: &'a Session, summary: ConnectionSummary, erp: Arc<dyn ErpConnector>, company: Option<&str>) -> Self {
        Self {
            session,
            summary,
            erp,
            company: company.map(CompanyId::new),
        }
    }

    /// Awaits a call of the system. Its answer proves that the connection works; its refusal may end that.
    pub(super) async fn ask<T>(&self, call: impl Future<Output = LibraryResult<T>>) -> Result<T, Failure> {
        let asked = SystemClock.now();
        let reference = &self.summary.reference;
        match call.await {
            Ok(answer) => {
                // An answer is an answer, whatever the pause waits for.
                if self.summary.status.may_work() {
                    self.session.host.erps().answered(reference, asked).await?;
                }
                Ok(answer)
            }
            Err(error) => {
                self.session.host.connections().failed(reference, &error).await?;
                Err(error.into())
            }
        }
    }

    /// The catalog of these entities; of all without any.
    pub(super) async fn catalog(&self, entities: &[&str]) -> Result<Arc<Catalog>, Failure> {
        let mut scope = CatalogScope::entities(entities.iter().copied());
        scope.company.clone_from(&self.company);
        self.ask(self.erp.catalog(&scope)).await
    }
}

/// The entity, which the catalog must have.
pub(super) fn entity<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c Entity, Failure> {
    catalog.entity(name).ok_or_else(|| {
        Failure::Usage(format!(
            "there is no entity {name}; `atlas erp catalog --find TEXT` shows all"
        ))
    })
}

/// A key as it was typed.
pub(super) fn key_of(entity: &Entity, text: &str) -> Result<RecordKey, Failure> {
    let [_, _, ..] = entity.key.as_slice() else {
        return Ok(RecordKey::single(text));
    };
    let mut parts = Vec::new();
    for field in &entity.key {
        let value = text.split(',').find_map(|part| {
            let (name, value) = part.split_once('=')?;
            (name.trim() == field.as_str()).then(|| value.trim().to_owned())
        });
        let Some(value) = value else {
            let names: Vec<String> = entity.key.iter().map(|name| format!("{name}=…")).collect();
            return Err(Failure::Usage(format!(
                "the key of {} is {}",
                entity.name,
                names.join(",")
            )));
        };
        parts.push((field.clone(), value));
    }
    Ok(RecordKey::composite(parts))
}
