//! Finding out whether a write happened whose answer was lost: by the natural key of what was to be made, or by what the
//! record holds now (`sap-odata.md`, section 13). Reads only.

use atlas_connectors::Result;
use atlas_connectors::action::Reconciled;
use atlas_connectors::erp::{Base, Create, FieldName, PartOutcome, Query, Record, Value, Write, Written, field};

use crate::sap::base::{holds, old_values, same};
use crate::sap::connector::Inner;

impl Inner {
    pub(super) async fn reconcile(&self, write: &Write) -> Result<Reconciled<Written>> {
        let Write::Batch(batch) = write else {
            return self.reconcile_part(write).await;
        };
        let mut found = Vec::with_capacity(batch.parts.len());
        for part in &batch.parts {
            found.push(self.reconcile_part(part).await?);
        }
        let unclear = found
            .iter()
            .any(|one| !matches!(one, Reconciled::Happened(_) | Reconciled::DidNotHappen));
        let none = found.iter().all(|one| matches!(one, Reconciled::DidNotHappen));
        let all = found.iter().all(|one| matches!(one, Reconciled::Happened(_)));
        if none {
            return Ok(Reconciled::DidNotHappen);
        }
        // All or nothing was asked: a part of it proves that something else was at work.
        if unclear || (batch.atomic && !all) {
            return Ok(Reconciled::Unknown);
        }
        let mut written = Written::unread();
        written.parts = found
            .into_iter()
            .map(|one| match one {
                Reconciled::Happened(part) => PartOutcome::Done(Box::new(part)),
                _ => PartOutcome::NotExecuted,
            })
            .collect();
        Ok(Reconciled::Happened(written))
    }

    async fn reconcile_part(&self, part: &Write) -> Result<Reconciled<Written>> {
        match part {
            Write::Create(create) => self.find_created(create).await,
            Write::Update(_) | Write::Delete(_) | Write::Action(_) => self.compare(part).await,
            _ => Ok(Reconciled::Unknown),
        }
    }

    /// Looks for the natural key, and once more after a pause: a search may lag behind a commit.
    async fn find_created(&self, create: &Create) -> Result<Reconciled<Written>> {
        let Some(key) = &create.natural_key else {
            return Ok(Reconciled::Unknown);
        };
        let query = Query::of(create.entity.clone())
            .filter(field(key.field.clone()).equals(key.value.clone()))
            .page_size(2)
            .limit(2);
        for look in 0..2 {
            if look > 0 {
                self.session.clock().sleep(self.settings.look_pause).await;
            }
            let page = self.read_list(&query, None).await?;
            match page.items.as_slice() {
                [] if page.next.is_none() => {}
                [one] if page.next.is_none() => {
                    let asked = create.fields.iter().map(|(name, value)| (name, value));
                    let written = Written::at(one.key().clone()).read_back(one.clone(), meaningful(asked));
                    return Ok(Reconciled::Happened(written));
                }
                // The key was to be ours alone: who made which is not to be told.
                _ => return Ok(Reconciled::Unknown),
            }
        }
        Ok(Reconciled::DidNotHappen)
    }

    /// Compares what the record holds with what it held and what it was to hold.
    async fn compare(&self, part: &Write) -> Result<Reconciled<Written>> {
        let (Some(_), Some(base)) = (part.key(), part.base()) else {
            return Ok(Reconciled::Unknown);
        };
        let loaded = self.holding(part).await?;
        let record = self.reread(&loaded, part).await?;
        let old = old_values(part);
        Ok(match (part, record) {
            (Write::Delete(delete), None) => Reconciled::Happened(Written::at(delete.key.clone())),
            (_, None) => Reconciled::Unknown,
            (Write::Delete(_), Some(record)) => match holds(base, &record, &old) {
                true => Reconciled::DidNotHappen,
                false => Reconciled::Unknown,
            },
            (Write::Update(update), Some(record)) => {
                let new: Vec<(&FieldName, &Value)> = update
                    .changes
                    .iter()
                    .map(|change| (&change.field, &change.new))
                    .collect();
                let changes_something = !same_values(&old, &new);
                if untouched(base, &record, &old) {
                    return Ok(Reconciled::DidNotHappen);
                }
                match changes_something && same(&record, &new) {
                    true => {
                        let written = Written::at(record.key().clone()).read_back(record, meaningful(new));
                        Reconciled::Happened(written)
                    }
                    false => Reconciled::Unknown,
                }
            }
            // What an action does to the record is its own matter: only an untouched state tells.
            (_, Some(record)) => {
                match untouched(base, &record, &old) && matches!(base, Base::Etag(_) | Base::Version(_)) {
                    true => Reconciled::DidNotHappen,
                    false => Reconciled::Unknown,
                }
            }
        })
    }
}

/// Whether the record is surely as it was: by its state where it has one, or by old values that were all told.
fn untouched(base: &Base, record: &Record, old: &[(&FieldName, &Value)]) -> bool {
    match base {
        Base::Etag(_) | Base::Version(_) => holds(base, record, old),
        _ => !old.is_empty() && same(record, old),
    }
}

fn same_values(old: &[(&FieldName, &Value)], new: &[(&FieldName, &Value)]) -> bool {
    new.iter().all(|(name, value)| {
        let before = old.iter().find(|(known, _)| known == name);
        before.is_some_and(|(_, old)| old.says_the_same(value))
    })
}

fn meaningful<'a>(
    fields: impl IntoIterator<Item = (&'a FieldName, &'a Value)>,
) -> impl Iterator<Item = (&'a FieldName, &'a Value)> {
    let says = |value: &Value| !value.is_null() && !value.as_str().is_some_and(str::is_empty);
    fields.into_iter().filter(move |(_, value)| says(value))
}
