//! What the outbox stores of a write: the ids that its creates bring.

use atlas_connectors::erp::{FieldKind, Value, Write};
use atlas_connectors::{IntentId, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::business_central::builder::ClientIds;
use crate::business_central::unset::is_guid;
use crate::odata::EntityModel;

/// One id for each part, where it is a create that brings one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::business_central) struct Handle {
    pub(in crate::business_central) ids: Vec<Option<Box<str>>>,
}

impl Handle {
    pub(in crate::business_central) fn write(&self, operation: &'static str) -> Result<String> {
        serde_json::to_string(self).map_err(|_| bad(operation))
    }

    pub(in crate::business_central) fn read(text: Option<&str>, operation: &'static str) -> Result<Self> {
        match text {
            Some(text) => serde_json::from_str(text).map_err(|_| bad(operation)),
            None => Ok(Self::default()),
        }
    }

    /// The id of a part.
    pub(in crate::business_central) fn id(&self, part: usize) -> Option<&str> {
        self.ids.get(part)?.as_deref()
    }
}

fn bad(operation: &'static str) -> atlas_connectors::Error {
    crate::business_central::invalid(operation, "handle", "it is none of this connector")
}

/// The id that a create brings: the host's own if it set one, else one made of the intent, so that preparing twice
/// gives the same.
pub(super) fn id_of(
    write: &Write,
    model: &EntityModel,
    intent: &IntentId,
    part: usize,
    ids: ClientIds,
) -> Option<Box<str>> {
    let Write::Create(create) = write else { return None };
    let [key] = model.entity().key.as_slice() else {
        return None;
    };
    let own = create
        .value(key.as_str())
        .and_then(Value::as_str)
        .filter(|id| is_guid(id));
    if let Some(own) = own {
        return Some(own.to_ascii_lowercase().into());
    }
    let is_guid_key = model
        .field(key.as_str())
        .is_some_and(|(field, _)| field.kind == FieldKind::Guid);
    (ids != ClientIds::Off && key.as_str() == "id" && is_guid_key).then(|| derived(intent, part).into())
}

/// A GUID (version 8, RFC 9562) out of the intent and the part's number.
fn derived(intent: &IntentId, part: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(b"atlas business central create\0");
    hash.update(intent.as_str().as_bytes());
    hash.update(part.to_be_bytes());
    let digest = hash.finalize();
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let at = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-8{}-a{}-{}",
        at(0, 8),
        at(8, 12),
        at(13, 16),
        at(17, 20),
        at(20, 32)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_always_gives_the_same_id_and_each_part_another() {
        let (one, two) = (IntentId::new("a"), IntentId::new("b"));
        assert_eq!(derived(&one, 0), derived(&one, 0));
        assert_ne!(derived(&one, 0), derived(&one, 1));
        assert_ne!(derived(&one, 0), derived(&two, 0));
        assert!(is_guid(&derived(&one, 0)), "{}", derived(&one, 0));
    }
}
