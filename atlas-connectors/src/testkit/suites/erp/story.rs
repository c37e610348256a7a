//! The story that is told against every ERP, and who plays the rest of the world in it.

use std::fmt;

use async_trait::async_trait;

use crate::erp::{
    ActionName, Create, Date, Decimal, DocumentRef, EntityName, Expectation, FieldName, RecordKey, RecordRef, Value,
    Write,
};
use crate::error::Result as AtlasResult;
use crate::ids::CompanyId;

/// What an ERP holds for the suite: who and what is in it, in the provider's names where it needs them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ErpStory {
    /// The company it plays in; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// Name of exactly one customer.
    pub customer: String,
    /// One vendor.
    pub vendor: DocumentRef,
    /// One item that is bought.
    pub item: DocumentRef,
    /// Open sales orders.
    pub open_orders: Vec<StoryOrder>,
    /// Numbers of sales orders that are not open: drafts, done ones.
    pub other_orders: Vec<String>,
    /// An entity with at least five records, to page through.
    pub listing: EntityName,
    /// A text field of it that has a value in each record.
    pub text: FieldName,
    /// A number, date or flag of it.
    pub typed: FieldName,
    /// What a workflow needs here, all of which is there.
    pub expectation: Expectation,
    /// A date field of purchase orders that can be changed.
    pub date: FieldName,
    /// Three days that this field may hold, all different.
    pub days: [Date; 3],
    /// What new purchase orders need beyond the common fields.
    pub also: Vec<(FieldName, Value)>,
    /// The price of one unit in new purchase orders; `None` lets the system find it.
    pub price: Option<Decimal>,
    /// A field of purchase orders, a value for it, and what the system makes of it: rounded, cut, replaced.
    pub adjusted: Option<(FieldName, Value, Value)>,
    /// A field of purchase orders that keeps this number of many digits exactly.
    pub exact: Option<(FieldName, Decimal)>,
    /// An action on purchase orders.
    pub action: Option<StoryAction>,
    /// A write that this account may not do.
    pub forbidden: Option<Write>,
    /// A write that the server refuses for its content, and the field that it names, if it names any.
    pub refused: Option<(Write, Option<FieldName>)>,
    /// Whether purchase orders can be deleted.
    pub deletes: bool,
}

/// A sales order of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoryOrder {
    /// Its number.
    pub number: String,
    /// How many lines it has.
    pub lines: usize,
    /// Its amount with tax, where it is known.
    pub total: Option<Decimal>,
}

impl StoryOrder {
    /// An order with so many lines.
    pub fn new(number: impl Into<String>, lines: usize) -> Self {
        Self {
            number: number.into(),
            lines,
            total: None,
        }
    }

    /// With this amount.
    #[must_use]
    pub fn totalling(mut self, total: Decimal) -> Self {
        self.total = Some(total);
        self
    }
}

/// An action of the story: what it is called, and what it makes of a field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoryAction {
    /// The action.
    pub name: ActionName,
    /// The field it sets.
    pub field: FieldName,
    /// To what.
    pub becomes: Value,
}

impl StoryAction {
    /// An action that sets a field.
    pub fn new(name: impl Into<ActionName>, field: impl Into<FieldName>, becomes: impl Into<Value>) -> Self {
        Self {
            name: name.into(),
            field: field.into(),
            becomes: becomes.into(),
        }
    }
}

impl ErpStory {
    /// A story with what every one needs; the rest is set by its fields. `days` are three different ones.
    pub fn new(
        customer: impl Into<String>,
        vendor: DocumentRef,
        item: DocumentRef,
        listing: (impl Into<EntityName>, impl Into<FieldName>, impl Into<FieldName>),
        date: impl Into<FieldName>,
        days: [Date; 3],
    ) -> Self {
        let (entity, text, typed) = listing;
        Self {
            company: None,
            customer: customer.into(),
            vendor,
            item,
            open_orders: Vec::new(),
            other_orders: Vec::new(),
            listing: entity.into(),
            text: text.into(),
            typed: typed.into(),
            expectation: Expectation::new("story"),
            date: date.into(),
            days,
            also: Vec::new(),
            price: None,
            adjusted: None,
            exact: None,
            action: None,
            forbidden: None,
            refused: None,
            deletes: false,
        }
    }
}

/// Where the next write's answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostAnswer {
    /// The request never arrives.
    BeforeTheEffect,
    /// The provider acts, and its answer never arrives.
    AfterTheEffect,
}

/// The ERP as its owner and the rest of the world see it: a mock, a peer, a test system.
///
/// Required is the story; everything else has an answer that leaves the cases out that need it.
///
/// ```
/// use atlas_connectors::erp::DocumentRef;
/// use atlas_connectors::testkit::suites::{ErpStory, ErpWorld};
///
/// #[derive(Debug)]
/// struct Peer;
///
/// #[async_trait::async_trait]
/// impl ErpWorld for Peer {
///     fn story(&self) -> ErpStory {
///         let days = ["2026-12-01", "2026-12-02", "2026-12-03"].map(|day| day.parse().unwrap());
///         let (vendor, item) = (DocumentRef::name("Fabrikam"), DocumentRef::number("1896-S"));
///         ErpStory::new("Adatum", vendor, item, ("customers", "displayName", "balanceDue"), "orderDate", days)
///     }
/// }
/// assert_eq!(Peer.story().customer, "Adatum");
/// ```
#[async_trait]
pub trait ErpWorld: fmt::Debug + Send + Sync {
    /// The story as it is told here.
    fn story(&self) -> ErpStory;

    /// The create of a purchase order with one line, if the common tables cannot make it; found again by this reference.
    fn new_order(&self, _reference: &str, _vendor: &RecordKey, _item: &RecordKey) -> Option<Create> {
        None
    }

    /// Writes that the provider has accepted so far; `None` if nobody counts.
    ///
    /// # Errors
    /// Whatever keeps it from being told.
    async fn effects(&self) -> AtlasResult<Option<u64>> {
        Ok(None)
    }

    /// Requests of the connector that have reached the provider so far; `None` if nobody counts.
    ///
    /// # Errors
    /// Whatever keeps it from being told.
    async fn requests(&self) -> AtlasResult<Option<u64>> {
        Ok(None)
    }

    /// Somebody else sets a field of a record. False if that cannot be done here.
    ///
    /// # Errors
    /// Whatever keeps it from being done.
    async fn change(&self, _at: &RecordRef, _field: &FieldName, _value: &Value) -> AtlasResult<bool> {
        Ok(false)
    }

    /// Somebody else adds a record to the listing; `None` if that cannot be done here.
    ///
    /// # Errors
    /// Whatever keeps it from being done.
    async fn insert(&self) -> AtlasResult<Option<RecordKey>> {
        Ok(None)
    }

    /// Somebody else deletes a record. False if that cannot be done here.
    ///
    /// # Errors
    /// Whatever keeps it from being done.
    async fn delete(&self, _at: &RecordRef) -> AtlasResult<bool> {
        Ok(false)
    }

    /// The answer of the next write is lost. False if that cannot be done here.
    ///
    /// # Errors
    /// Whatever keeps it from being done.
    async fn lose(&self, _answer: LostAnswer) -> AtlasResult<bool> {
        Ok(false)
    }
}
