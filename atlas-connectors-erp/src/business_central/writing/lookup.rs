//! Finding out whether an earlier commit happened.

use atlas_connectors::action::Reconciled;
use atlas_connectors::erp::{
    ActionCall, EntityName, FieldName, Filter, NaturalKey, PartOutcome, Query, Record, RecordKey, Shape, Value, Write,
    Written,
};
use atlas_connectors::error::ErrorKind;
use atlas_connectors::{CompanyId, Result};

use super::commit::adjusted;
use super::handle::Handle;
use super::part::{BaseNow, name, says_the_same, watched};
use crate::business_central::builder::ClientIds;
use crate::business_central::connector::Inner;
use crate::business_central::described::Described;

/// Actions that leave a trace elsewhere: the set in which it is found by the record's id, and the field that holds it.
const TRACES: &[(&str, &str, &str, &str)] = &[
    ("salesOrders", "shipandinvoice", "salesInvoices", "orderId"),
    ("purchaseOrders", "receiveandinvoice", "purchaseInvoices", "orderId"),
];

/// Actions after which a document is in another state than these.
const LEFT: &[(&str, &str, &[&str])] = &[
    ("salesInvoices", "post", &["Draft", "In Review"]),
    ("salesInvoices", "postandsend", &["Draft", "In Review"]),
    ("purchaseInvoices", "post", &["Draft", "In Review"]),
    ("salesCreditMemos", "post", &["Draft", "In Review"]),
    ("salesCreditMemos", "postandsend", &["Draft", "In Review"]),
    ("purchaseCreditMemos", "post", &["Draft", "In Review"]),
    ("salesInvoices", "cancel", &["Draft", "In Review", "Open", "Paid"]),
];

impl Inner {
    /// Looks for what the write has left. Never in the replica.
    pub(in crate::business_central) async fn reconcile(
        &self,
        write: &Write,
        handle: Option<&str>,
    ) -> Result<Reconciled<Written>> {
        let handle = Handle::read(handle, name(write))?;
        let described = self.described(false).await?;
        let Write::Batch(batch) = write else {
            return self.look_for(&described, write, handle.id(0)).await;
        };
        let mut found = Vec::with_capacity(batch.parts.len());
        for (at, part) in batch.parts.iter().enumerate() {
            found.push(self.look_for(&described, part, handle.id(at)).await?);
        }
        if found.iter().all(|one| matches!(one, Reconciled::DidNotHappen)) {
            return Ok(Reconciled::DidNotHappen);
        }
        let all = found.iter().all(|one| matches!(one, Reconciled::Happened(_)));
        // In one transaction it is all or nothing: a mixture tells that somebody else has been there.
        if batch.atomic && !all {
            return Ok(Reconciled::Unknown);
        }
        let mut written = Written::unread();
        written.parts = found
            .into_iter()
            .map(|one| match one {
                Reconciled::Happened(written) => PartOutcome::Done(Box::new(written)),
                Reconciled::DidNotHappen => PartOutcome::NotExecuted,
                _ => PartOutcome::Unknown,
            })
            .collect();
        Ok(Reconciled::Happened(written))
    }

    async fn look_for(&self, described: &Described, write: &Write, id: Option<&str>) -> Result<Reconciled<Written>> {
        let company = self.company(write.company(), name(write))?;
        match write {
            Write::Create(create) => {
                let natural = create.natural_key.as_ref();
                self.find_created(described, &company, write, &create.entity, id, natural)
                    .await
            }
            Write::Update(update) => {
                let model = described.model.entity(name(write), update.entity.as_str())?;
                Ok(match self.base(described, &company, write).await? {
                    // The service refuses a second one on the same etag once the first has come through.
                    BaseNow::Same(_) => Reconciled::DidNotHappen,
                    BaseNow::Changed(record) if holds(model, write, &record) => {
                        Reconciled::Happened(done(model, write, *record))
                    }
                    _ => Reconciled::Unknown,
                })
            }
            Write::Delete(delete) => Ok(match self.base(described, &company, write).await? {
                BaseNow::Gone => Reconciled::Happened(Written::at(delete.key.clone())),
                _ => Reconciled::DidNotHappen,
            }),
            Write::Action(call) => self.find_action(described, &company, write, call).await,
            _ => Ok(Reconciled::Unknown),
        }
    }

    /// A create, by the id that it brought, then by its natural key.
    async fn find_created(
        &self,
        described: &Described,
        company: &CompanyId,
        write: &Write,
        entity: &EntityName,
        id: Option<&str>,
        natural: Option<&NaturalKey>,
    ) -> Result<Reconciled<Written>> {
        let operation = name(write);
        let model = described.model.entity(operation, entity.as_str())?;
        let shape = Shape::of(watched(model, write));
        if let Some(id) = id {
            let key = RecordKey::single(id);
            match self
                .record_of(described, company, entity, &key, &shape, operation)
                .await
            {
                Ok(record) => {
                    self.learned.note(entity, true);
                    return Ok(Reconciled::Happened(done(model, write, record)));
                }
                Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(natural) = natural {
            let mut query = Query::of(entity.clone())
                .select(watched(model, write))
                .filter(equals(&natural.field, natural.value.clone()))
                .page_size(2);
            query.company = Some(company.clone());
            let compiled = self.compile(described, company, &query, operation)?;
            let mut found = self.rows(&compiled, None, false, operation).await?.records;
            match found.len() {
                0 => {}
                1 => {
                    if let Some(record) = found.pop() {
                        return Ok(Reconciled::Happened(done(model, write, record)));
                    }
                }
                _ => return Ok(Reconciled::Unknown),
            }
        }
        // A request that was cut off may still be at work, and could come through after a second one. With an id of ours the
        // second one collides instead of doubling; without, only a person can tell.
        let safe = id.is_some() && self.keeps_ids(entity);
        Ok(if safe {
            Reconciled::DidNotHappen
        } else {
            Reconciled::Unknown
        })
    }

    fn keeps_ids(&self, entity: &EntityName) -> bool {
        match self.settings.client_ids {
            ClientIds::Trusted => true,
            ClientIds::Learned => self.learned.keeps(entity),
            ClientIds::Off => false,
        }
    }

    async fn find_action(
        &self,
        described: &Described,
        company: &CompanyId,
        write: &Write,
        call: &ActionCall,
    ) -> Result<Reconciled<Written>> {
        let Some(key) = &call.key else {
            return Ok(Reconciled::Unknown);
        };
        let action = call.action.folded();
        let base = self.base(described, company, write).await?;
        if let BaseNow::Same(_) = base {
            return Ok(Reconciled::DidNotHappen);
        }
        let is_it = |set: &str, name: &str| call.entity.as_str() == set && action == name;
        if let (BaseNow::Gone, Some((.., set, field))) = (&base, TRACES.iter().find(|(set, name, ..)| is_it(set, name)))
        {
            let mut query = Query::of(*set)
                .select(["id"])
                .filter(equals(&FieldName::new(*field), Value::from(key.to_string())))
                .page_size(2);
            query.company = Some(company.clone());
            let compiled = self.compile(described, company, &query, name(write))?;
            let found = self.rows(&compiled, None, false, name(write)).await?.records;
            if !found.is_empty() {
                return Ok(Reconciled::Happened(Written::at(key.clone())));
            }
        }
        if let (BaseNow::Changed(record), Some((.., before))) =
            (&base, LEFT.iter().find(|(set, name, _)| is_it(set, name)))
        {
            let status = record.value("status").and_then(Value::as_str).unwrap_or_default();
            if !status.is_empty() && !before.contains(&status) {
                let mut written = Written::at(key.clone());
                written.record = Some(Record::clone(record));
                return Ok(Reconciled::Happened(written));
            }
        }
        Ok(Reconciled::Unknown)
    }
}

fn equals(field: &FieldName, value: Value) -> Filter {
    Filter::Compare {
        field: field.clone(),
        op: atlas_connectors::erp::Comparison::Equal,
        value,
    }
}

/// Whether a record holds everything that an update asked for.
fn holds(model: &crate::odata::EntityModel, write: &Write, record: &Record) -> bool {
    let Write::Update(update) = write else { return false };
    update.changes.iter().all(|change| {
        let stored = record.value(change.field.as_str());
        stored.is_some_and(|stored| says_the_same(model, &change.field, &change.new, stored))
    })
}

fn done(model: &crate::odata::EntityModel, write: &Write, record: Record) -> Written {
    let mut written = Written::at(record.key().clone());
    written.adjusted = adjusted(model, write, &record);
    written.record = Some(record);
    written
}
