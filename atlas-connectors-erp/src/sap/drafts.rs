//! Draft-enabled entities: sets whose key says whether the record is active (`sap-odata.md`, section 14).
//!
//! Lists give active records unless the query asks otherwise, and a key without the flag means the active record. A draft is
//! begun by a create or the action `draftEdit`, changed like any record, and made real by the action `draftActivate`.

use atlas_connectors::erp::{ActionName, FieldName, Query, RecordKey, field};

use crate::odata::EntityModel;

/// The flag in the key.
pub(super) const FLAG: &str = "IsActiveEntity";

/// Whether an action answers with the record as it is afterwards, under its new key.
pub(super) fn gives_record(action: &ActionName) -> bool {
    ["draftactivate", "draftedit", "draftprepare"].contains(&action.folded().as_str())
}

/// Whether the entity has drafts.
pub(super) fn has_drafts(entity: &EntityModel) -> bool {
    entity.key().any(|(field, _)| field.name.as_str() == FLAG)
}

/// The query for active records, unless it speaks of the flag itself.
pub(super) fn active_only(entity: &EntityModel, query: &Query) -> Query {
    let speaks = |query: &Query| {
        let mut fields = query.filter.iter().flat_map(|filter| filter.fields());
        fields.any(|name| name.as_str() == FLAG)
    };
    match has_drafts(entity) && !speaks(query) {
        true => query.clone().filter(field(FLAG).equals(true)),
        false => query.clone(),
    }
}

/// The key with the flag of an active record, where it was left out.
pub(super) fn whole_key(entity: &EntityModel, key: &RecordKey) -> RecordKey {
    if !has_drafts(entity) {
        return key.clone();
    }
    let flag = (FieldName::new(FLAG), "true".into());
    match key {
        RecordKey::Composite(parts) if parts.iter().any(|(name, _)| name.as_str() == FLAG) => key.clone(),
        RecordKey::Composite(parts) => {
            let mut parts = parts.clone();
            parts.push(flag);
            RecordKey::Composite(parts)
        }
        single => match (
            single.as_single(),
            entity.key().find(|(field, _)| field.name.as_str() != FLAG),
        ) {
            (Some(text), Some((field, _))) => RecordKey::Composite(vec![(field.name.clone(), text.into()), flag]),
            _ => key.clone(),
        },
    }
}
