//! What differs between the ERPs of the story: where it is, who signs in, and what the business calls its things.

use std::fmt;

use atlas_connectors::CompanyId;
use atlas_connectors::credential::Credential;
use atlas_connectors::erp::{FieldName, RecordKey, Value};

use crate::erp::Place;

/// One ERP of the story.
#[derive(Debug)]
pub struct Stage {
    /// What people call it.
    pub title: &'static str,
    /// Where it is.
    pub place: Place,
    /// What opens it.
    pub credential: Credential,
    /// The company that is chosen where there are several.
    pub company: Option<CompanyId>,
    /// Another account of the same system, that may read and not write.
    pub reader: (Place, Credential),
    /// The customer that is looked for by name.
    pub customer: &'static str,
    /// The vendor that is ordered from, by name.
    pub vendor: &'static str,
    /// What is ordered, by its number.
    pub item: &'static str,
    /// What this customer's system wants in each purchase order beside the common fields.
    pub also: Vec<(FieldName, Value)>,
    /// A module or service that the workflow needs, where the system has such.
    pub service: Option<&'static str>,
    /// Who stands behind the scene.
    pub hand: Box<dyn Stagehand>,
}

/// Who moves the mock: loses answers, plays the colleague, counts.
pub trait Stagehand: fmt::Debug + Send + Sync {
    /// The next new purchase order is booked, and the line goes dead before the answer.
    fn lose_next_answer(&self);

    /// A colleague gives a sales order another delivery date, in the system itself.
    fn colleague_moves(&self, order: &RecordKey, day: &str);

    /// Purchase orders that were created and kept.
    fn purchase_orders(&self) -> u64;

    /// Everything that changed something through the API.
    fn effects(&self) -> u64;
}
