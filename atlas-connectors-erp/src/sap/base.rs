//! Whether a record is still as the write was decided on.
//!
//! Most entities declare no concurrency (`sap-odata.md`, section 10): for them the old values are read again.

use atlas_connectors::ErrorKind;
use atlas_connectors::Result;
use atlas_connectors::action::HandleState;
use atlas_connectors::erp::{Base, FieldName, Record, RecordRef, Shape, Value, Write};

use crate::sap::connector::Inner;
use crate::sap::schema::Loaded;

const OPERATION: &str = "sap.check";

impl Inner {
    pub(super) async fn check_base(&self, write: &Write) -> Result<HandleState> {
        for part in write.parts() {
            match self.check_part(part).await? {
                HandleState::AsApproved => {}
                other => return Ok(other),
            }
        }
        Ok(HandleState::AsApproved)
    }

    async fn check_part(&self, part: &Write) -> Result<HandleState> {
        let (Some(entity), Some(_), Some(base)) = (part.entity(), part.key(), part.base()) else {
            return Ok(HandleState::AsApproved);
        };
        let loaded = self.services.holding(entity.as_str()).await?;
        Ok(match self.reread(&loaded, part).await? {
            None => HandleState::Gone,
            Some(record) => match holds(base, &record, &old_values(part)) {
                true => HandleState::AsApproved,
                false => HandleState::Changed,
            },
        })
    }

    /// The record that a write is about, with the fields that matter to it; `None` if it is gone.
    pub(super) async fn reread(&self, loaded: &Loaded, part: &Write) -> Result<Option<Record>> {
        let (Some(entity), Some(key)) = (part.entity(), part.key()) else {
            return Ok(None);
        };
        let model = loaded.entity(entity.as_str())?;
        let mut fields: Vec<FieldName> = model.entity().key.clone();
        let known = |name: &FieldName| model.field(name.as_str()).is_some();
        match part {
            Write::Update(update) => {
                fields.extend(update.changes.iter().map(|change| change.field.clone()).filter(known))
            }
            Write::Delete(delete) => {
                let told = delete.about.iter().filter(|(_, value)| scalar(value));
                fields.extend(told.map(|(name, _)| name.clone()).filter(known));
            }
            Write::Action(call) => {
                fields.extend(
                    call.about
                        .iter()
                        .filter(|(_, value)| scalar(value))
                        .map(|(name, _)| name.clone())
                        .filter(known),
                );
            }
            _ => {}
        }
        fields.dedup();
        let at = RecordRef::new(entity.clone(), key.clone());
        match self.record(loaded, OPERATION, &at, &Shape::of(fields)).await {
            Ok(record) => Ok(Some(record)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What the fields held when the write was decided on, as far as it was told.
pub(super) fn old_values(part: &Write) -> Vec<(&FieldName, &Value)> {
    match part {
        Write::Update(update) => {
            let told = update.changes.iter();
            told.filter_map(|change| change.old.as_ref().map(|old| (&change.field, old)))
                .collect()
        }
        Write::Delete(delete) => about(&delete.about),
        Write::Action(call) => about(&call.about),
        _ => Vec::new(),
    }
}

fn about(fields: &[(FieldName, Value)]) -> Vec<(&FieldName, &Value)> {
    let plain = fields.iter().filter(|(_, value)| scalar(value));
    plain.map(|(name, value)| (name, value)).collect()
}

fn scalar(value: &Value) -> bool {
    !matches!(
        value,
        Value::Record(_) | Value::Records(_) | Value::Binary(_) | Value::List(_)
    )
}

/// Whether the record is as it was.
pub(super) fn holds(base: &Base, record: &Record, old: &[(&FieldName, &Value)]) -> bool {
    match base {
        Base::Etag(etag) => match record.etag() {
            Some(now) => now == etag,
            None => same(record, old),
        },
        Base::Version(version) => match record.version() {
            Some(now) => now == &**version && same(record, old),
            None => same(record, old),
        },
        _ => same(record, old),
    }
}

/// Whether the fields hold these values; nothing, an empty text and null are one in ABAP.
pub(super) fn same(record: &Record, values: &[(&FieldName, &Value)]) -> bool {
    let empty = |value: &Value| value.is_null() || value.as_str().is_some_and(str::is_empty);
    values.iter().all(|(name, wanted)| match record.value(name.as_str()) {
        Some(held) => wanted.says_the_same(held) || (empty(held) && empty(wanted)),
        None => true,
    })
}
