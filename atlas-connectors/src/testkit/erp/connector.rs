//! The client's side: checks before the call, one request an effect, and the look-up after a lost answer.

use std::sync::Arc;

use async_trait::async_trait;

use crate::action::{Approved, HandleState, Prepared, Reconciled};
use crate::connection::ConnectionRef;
use crate::erp::{
    Base, Capability, Catalog, CatalogScope, ChangePoint, Company, Create, DocumentMap, EntityName, ErpCapabilities,
    ErpConnector, FieldName, PartOutcome, ProbeOutcome, Probes, Query, QueryPlan, Record, RecordChanges, RecordKey,
    RecordRef, Shape, TestReport, Update, Value, Verb, Write, Written,
};
use crate::error::{BadPayload, Effect, Error, ErrorKind, Result, Unreachable};
use crate::ids::CompanyId;
use crate::page::{Page, PageToken};
use crate::testkit::erp::check::{self, unsupported};
use crate::testkit::erp::data::Stored;
use crate::testkit::erp::memory::{ErpFault, MemoryErp};
use crate::testkit::erp::read::etag;
use crate::testkit::erp::server::{Server, gone, part_marker, stored_as};

impl MemoryErp {
    /// One request that reads. Others run before and after it.
    async fn asked<T>(&self, read: impl FnOnce(&Server) -> Result<T> + Send) -> Result<T> {
        tokio::task::yield_now().await;
        let answer = {
            let mut server = self.server();
            server.requests += 1;
            match server.read_faults.pop_front() {
                Some(kind) => Err(Error::new(kind, "memory.read")),
                None => read(&server),
            }
        };
        tokio::task::yield_now().await;
        answer
    }

    fn catalog_now(&self) -> Arc<Catalog> {
        Arc::clone(&self.server().catalog)
    }

    fn checked(&self, query: &Query) -> Result<Option<CompanyId>> {
        check::query(&self.catalog_now(), query)?;
        if query.count && !self.can.count {
            return Err(unsupported("counting"));
        }
        self.company(query.company.as_ref())
    }

    fn size(&self, query: &Query) -> u32 {
        query.page_size.unwrap_or(self.page_size).min(self.page_size)
    }

    fn company_of(&self, write: &Write) -> Result<Option<CompanyId>> {
        self.company(write.company())
    }

    /// Reads a written record back; that this fails does not undo it.
    async fn read_back(&self, write: &Write, written: Written) -> Written {
        let (Some(key), Some(name)) = (written.key.clone(), write.entity()) else {
            return written;
        };
        let asked: Vec<(&FieldName, &Value)> = match write {
            Write::Create(create) => create.fields.iter().map(|(field, value)| (field, value)).collect(),
            Write::Update(update) => update
                .changes
                .iter()
                .map(|change| (&change.field, &change.new))
                .collect(),
            Write::Action(_) => Vec::new(),
            Write::Delete(_) | Write::Batch(_) => return written,
        };
        let mut at = RecordRef::new(name.clone(), key);
        at.company = write.company().cloned();
        match self.get(&at, &Shape::usual()).await {
            Ok(record) => written.read_back(record, asked),
            Err(_) => written,
        }
    }
}

#[async_trait]
impl ErpConnector for MemoryErp {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    fn capabilities(&self) -> ErpCapabilities {
        self.can
    }

    fn documents(&self) -> &DocumentMap {
        &self.map
    }

    async fn test(&self, probes: &Probes) -> Result<TestReport> {
        let mut report = TestReport::new(self.clock.now());
        report.row(Capability::SignIn, ProbeOutcome::Allowed);
        let company = self.company(probes.company.as_ref());
        if self.can.companies {
            report.row(Capability::Company, ProbeOutcome::of_result(&company));
        }
        let catalog = self.asked(|server| Ok(Arc::clone(&server.catalog))).await;
        report.row(Capability::Catalog, ProbeOutcome::of_result(&catalog));
        for (entity, verbs) in &probes.entities {
            let read = !verbs.contains(&Verb::Read);
            for verb in read.then_some(Verb::Read).into_iter().chain(verbs.iter().copied()) {
                let probed = self
                    .asked(|server| {
                        check::entity(&server.catalog, entity)?;
                        server.may(entity, verb.as_str())
                    })
                    .await;
                let entity = entity.clone();
                report.row(Capability::Entity { entity, verb }, ProbeOutcome::of_result(&probed));
            }
        }
        Ok(report)
    }

    async fn companies(&self) -> Result<Vec<Company>> {
        self.asked(|_| Ok(self.all_companies.to_vec())).await
    }

    async fn catalog(&self, scope: &CatalogScope) -> Result<Arc<Catalog>> {
        let company = self.company(scope.company.as_ref())?;
        self.asked(|server| {
            let mut catalog = Catalog::clone(&server.catalog);
            catalog.company = company;
            if !scope.entities.is_empty() {
                catalog.entities.retain(|entity| scope.entities.contains(&entity.name));
            }
            Ok(Arc::new(catalog))
        })
        .await
    }

    async fn explain(&self, query: &Query) -> Result<QueryPlan> {
        self.checked(query)?;
        let catalog = self.catalog_now();
        let entity = check::entity(&catalog, &query.entity)?;
        let mut plan = QueryPlan::new(format!("memory: {}", query.entity), self.size(query));
        for name in query.filter.iter().flat_map(|filter| filter.fields()) {
            let field = check::field(&catalog, entity, name.as_str())?;
            let what = format!("filter {name}");
            plan = if entity.support.filtering && field.filterable {
                plan.server(what, "the field can be filtered by")
            } else {
                plan.client(what, "the server cannot filter by it")
            };
        }
        for order in &query.order {
            plan = plan.server(format!("order by {}", order.field), "as asked");
        }
        Ok(plan.server("page by key", "it stays whole while records change"))
    }

    async fn read(&self, query: &Query, page: Option<&PageToken>) -> Result<Page<Record>> {
        let company = self.checked(query)?;
        let size = self.size(query);
        self.asked(|server| {
            server.may(&query.entity, "read")?;
            server.page(query, company.as_ref(), page, size)
        })
        .await
    }

    async fn get(&self, at: &RecordRef, shape: &Shape) -> Result<Record> {
        let company = self.company(at.company.as_ref())?;
        check::shape_of(&self.catalog_now(), &at.entity, shape)?;
        self.asked(|server| {
            server.may(&at.entity, "read")?;
            let entity = check::entity(&server.catalog, &at.entity)?;
            let stored = found(server, &at.entity, company.as_ref(), &at.key)?;
            let columns = server.columns(entity, &shape.select, &shape.expand);
            Ok(server.record(entity, company.as_ref(), stored, &columns, &shape.expand))
        })
        .await
    }

    async fn changes(&self, query: &Query, since: &ChangePoint, page: Option<&PageToken>) -> Result<RecordChanges> {
        if !self.can.changes {
            return Err(unsupported("changes"));
        }
        let company = self.checked(query)?;
        let (size, deletions) = (self.size(query), self.can.deletions);
        self.asked(|server| {
            server.may(&query.entity, "read")?;
            let since = match since {
                ChangePoint::Beginning => 0,
                ChangePoint::After(cursor) => {
                    let tick: Option<u64> = cursor.as_str().parse().ok();
                    tick.filter(|tick| *tick >= server.oldest && *tick <= server.data.tick)
                        .ok_or_else(|| Error::new(ErrorKind::CursorExpired, "memory.changes"))?
                }
            };
            server.changed(query, company.as_ref(), since, page, size, deletions)
        })
        .await
    }

    async fn prepare(&self, write: &Approved<Write>) -> Result<Prepared<Write>> {
        let action = write.action();
        check::write(&self.catalog_now(), action)?;
        let company = self.company_of(action)?;
        for part in action.parts() {
            match part {
                Write::Create(create) if !create.lines.is_empty() && !self.can.deep_create => {
                    return Err(unsupported("creating with lines"));
                }
                Write::Action(_) if !self.can.actions => return Err(unsupported("actions")),
                _ => {}
            }
        }
        match action {
            Write::Batch(batch) if !self.can.batch || (batch.atomic && !self.can.atomic_batch) => {
                return Err(unsupported("batch"));
            }
            _ => {}
        }
        // A key that is taken already would make somebody else's record look like ours.
        for part in action.parts() {
            if let Write::Create(create) = part
                && create.natural_key.is_some()
            {
                let taken = self
                    .asked(|server| Ok(by_natural_key(server, create, company.as_ref()).is_some()))
                    .await?;
                if taken {
                    return Err(Error::new(ErrorKind::Conflict, "memory.prepare"));
                }
            }
        }
        let marker = self.can.finds_creates.then(|| write.intent().to_string());
        Ok(write.prepared(marker))
    }

    async fn check_base(&self, prepared: &Prepared<Write>) -> Result<HandleState> {
        let company = self.company_of(prepared.action())?;
        let mut state = HandleState::AsApproved;
        for part in prepared.action().parts() {
            let found = self.asked(|server| base_of(server, part, company.as_ref())).await?;
            match found {
                HandleState::Gone => return Ok(HandleState::Gone),
                HandleState::Changed => state = HandleState::Changed,
                HandleState::AsApproved => {}
            }
        }
        Ok(state)
    }

    async fn commit(&self, prepared: Prepared<Write>) -> Result<Written> {
        let company = self.company_of(prepared.action())?;
        tokio::task::yield_now().await;
        let (written, fault) = {
            let mut server = self.server();
            server.requests += 1;
            let fault = server.write_faults.pop_front();
            match &fault {
                Some(ErpFault::LostBefore) => return Err(lost()),
                Some(ErpFault::Refused(kind)) => return Err(Error::new(kind.clone(), "memory.commit")),
                _ => {}
            }
            (
                server.apply(prepared.action(), company.as_ref(), prepared.handle()),
                fault,
            )
        };
        tokio::task::yield_now().await;
        match fault {
            Some(ErpFault::LostAfter) => return Err(lost()),
            Some(ErpFault::Unreadable) if written.is_ok() => {
                return Err(Error::new(BadPayload::Truncated, "memory.commit").with_effect(Effect::Happened));
            }
            Some(ErpFault::Slow(time)) => self.clock.sleep(time).await,
            _ => {}
        }
        let mut written = self.read_back(prepared.action(), written?).await;
        for (part, outcome) in prepared.action().parts().iter().zip(&mut written.parts) {
            if let PartOutcome::Done(done) = outcome {
                **done = self.read_back(part, std::mem::take(done)).await;
            }
        }
        Ok(written)
    }

    async fn reconcile(&self, prepared: &Prepared<Write>) -> Result<Reconciled<Written>> {
        let company = self.company_of(prepared.action())?;
        let Write::Batch(batch) = prepared.action() else {
            let found = self
                .asked(|server| Ok(look_up(server, prepared.action(), company.as_ref(), prepared.handle())))
                .await?;
            return Ok(match found {
                Reconciled::Happened(written) => Reconciled::Happened(self.read_back(prepared.action(), written).await),
                other => other,
            });
        };
        let found: Vec<Reconciled<Written>> = self
            .asked(|server| {
                let parts = batch.parts.iter().enumerate().map(|(index, part)| {
                    let marker = prepared.handle().map(|marker| part_marker(marker, index));
                    look_up(server, part, company.as_ref(), marker.as_deref())
                });
                Ok(parts.collect())
            })
            .await?;
        Ok(together(found, batch.atomic))
    }
}

/// What the parts of a batch say together.
fn together(found: Vec<Reconciled<Written>>, atomic: bool) -> Reconciled<Written> {
    if found.iter().all(|one| *one == Reconciled::DidNotHappen) {
        return Reconciled::DidNotHappen;
    }
    let some = found.iter().any(|one| matches!(one, Reconciled::Happened(_)));
    let all = found.iter().all(|one| matches!(one, Reconciled::Happened(_)));
    if !some || (atomic && !all) {
        return Reconciled::Unknown;
    }
    let mut written = Written::unread();
    written.parts = found
        .into_iter()
        .map(|one| match one {
            Reconciled::Happened(done) => PartOutcome::Done(Box::new(done)),
            Reconciled::DidNotHappen => PartOutcome::NotExecuted,
            Reconciled::Unknown => PartOutcome::Unknown,
        })
        .collect();
    Reconciled::Happened(written)
}

/// Whether a write happened, by what is stored now.
fn look_up(server: &Server, write: &Write, company: Option<&CompanyId>, marker: Option<&str>) -> Reconciled<Written> {
    match write {
        Write::Create(create) => {
            let marked = marker.and_then(|marker| {
                server
                    .data
                    .rows(&create.entity, company)
                    .map(|(_, stored)| stored)
                    .find(|stored| stored.marker.as_deref() == Some(marker))
            });
            match marked.or_else(|| by_natural_key(server, create, company)) {
                Some(stored) => Reconciled::Happened(Written::at(stored.key.clone())),
                None if marker.is_some() || create.natural_key.is_some() => Reconciled::DidNotHappen,
                None => Reconciled::Unknown,
            }
        }
        Write::Update(update) => {
            let Some(stored) = server.data.find(&update.entity, company, &update.key) else {
                return Reconciled::Unknown;
            };
            // The record is as it was read: nobody has written to it, and so have we not.
            let untouched = match &update.base {
                Base::OldValues => old_values_hold(update, stored),
                base => same_state(stored, base),
            };
            if untouched {
                Reconciled::DidNotHappen
            } else if new_values_hold(server, update, stored) {
                Reconciled::Happened(Written::at(update.key.clone()))
            } else {
                Reconciled::Unknown
            }
        }
        // Keys are not used twice: what is still there was not deleted.
        Write::Delete(delete) => match server.data.find(&delete.entity, company, &delete.key) {
            Some(_) => Reconciled::DidNotHappen,
            None => Reconciled::Happened(Written::at(delete.key.clone())),
        },
        Write::Action(call) => {
            let stored = call
                .key
                .as_ref()
                .and_then(|key| server.data.find(&call.entity, company, key));
            match stored {
                Some(stored) if call.base != Base::OldValues && same_state(stored, &call.base) => {
                    Reconciled::DidNotHappen
                }
                _ => Reconciled::Unknown,
            }
        }
        Write::Batch(_) => Reconciled::Unknown,
    }
}

fn base_of(server: &Server, write: &Write, company: Option<&CompanyId>) -> Result<HandleState> {
    let (Some(entity), Some(key), Some(base)) = (write.entity(), write.key(), write.base()) else {
        return Ok(HandleState::AsApproved);
    };
    server.may(entity, "read")?;
    let Some(stored) = server.data.find(entity, company, key) else {
        return Ok(HandleState::Gone);
    };
    let same = match (base, write) {
        (Base::OldValues, Write::Update(update)) => old_values_hold(update, stored),
        (Base::OldValues, Write::Delete(delete)) => holds(server, entity, company, stored, &delete.about),
        (Base::OldValues, Write::Action(call)) => holds(server, entity, company, stored, &call.about),
        (base, _) => same_state(stored, base),
    };
    Ok(if same {
        HandleState::AsApproved
    } else {
        HandleState::Changed
    })
}

fn same_state(stored: &Stored, base: &Base) -> bool {
    match base {
        Base::Etag(read) => *read == etag(stored.tick),
        Base::Version(read) => **read == stored.tick.to_string(),
        Base::OldValues => false,
    }
}

fn holds(
    server: &Server,
    entity: &EntityName,
    company: Option<&CompanyId>,
    stored: &Stored,
    about: &[(FieldName, Value)],
) -> bool {
    let Some(entity) = server.catalog.entity(entity.as_str()) else {
        return false;
    };
    let scalar = |value: &Value| !matches!(value, Value::Record(_) | Value::Records(_));
    about.iter().filter(|(_, value)| scalar(value)).all(|(field, value)| {
        server
            .value(entity, company, stored, field.as_str())
            .says_the_same(value)
    })
}

fn old_values_hold(update: &Update, stored: &Stored) -> bool {
    update
        .changes
        .iter()
        .all(|change| match (&change.old, stored.values.get(&change.field)) {
            (Some(old), held) => held.unwrap_or(&Value::Null).says_the_same(old),
            (None, _) => false,
        })
}

fn new_values_hold(server: &Server, update: &Update, stored: &Stored) -> bool {
    let Some(entity) = server.catalog.entity(update.entity.as_str()) else {
        return false;
    };
    update.changes.iter().all(|change| {
        let asked = match entity.field(change.field.as_str()) {
            Some(field) => stored_as(field, &change.new),
            None => change.new.clone(),
        };
        let held = stored.values.get(&change.field).unwrap_or(&Value::Null);
        held.says_the_same(&asked)
    })
}

fn by_natural_key<'a>(server: &'a Server, create: &Create, company: Option<&'a CompanyId>) -> Option<&'a Stored> {
    let key = create.natural_key.as_ref()?;
    let mut same = server
        .data
        .rows(&create.entity, company)
        .map(|(_, stored)| stored)
        .filter(|stored| {
            let held = stored.values.get(&key.field);
            held.is_some_and(|held| held.says_the_same(&key.value))
        });
    same.next()
}

fn found<'a>(
    server: &'a Server,
    entity: &EntityName,
    company: Option<&CompanyId>,
    key: &RecordKey,
) -> Result<&'a Stored> {
    let stored = server.data.find(entity, company, key);
    stored.ok_or_else(gone)
}

fn lost() -> Error {
    Error::new(Unreachable::Timeout, "memory.commit").with_effect(Effect::Unknown)
}
