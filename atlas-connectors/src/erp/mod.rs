//! ERPs: catalog, queries, records, documents and writes behind one trait.
//!
//! A host reads with [`Query`] in the provider's own names, or looks for [documents](Document) by common names; proposes a
//! [`Write`] at the approval gate; and checks with an [`Expectation`] that the system still is what its workflow was made for.

mod cache;
mod catalog;
mod connector;
mod date;
mod decimal;
mod diff;
mod document;
mod expectation;
mod ext;
mod fidelity;
mod filter;
mod form;
mod name;
mod plain;
mod query;
mod read;
mod record;
mod report;
mod value;
mod write;
mod written;

pub use crate::error::{RejectedField, Rejection};
pub use cache::CatalogCache;
pub use catalog::{
    ActionSpec, Catalog, CatalogScope, Entity, EntityKind, EnumValue, Field, FieldKind, Fingerprint, Service,
    ServiceState, Support, Verb, Verbs,
};
pub use connector::{ErpCapabilities, ErpConnector};
pub use date::{Date, ParseDateError, ParseTimeOfDayError, TimeOfDay};
pub use decimal::{Decimal, ParseDecimalError};
pub use diff::{CatalogChange, CatalogDiff};
pub use document::{
    Customer, Document, DocumentField, DocumentFilter, DocumentKind, DocumentLine, DocumentMap, DocumentRef,
    DocumentState, DocumentTable, Item, LineField, LineTable, NewLine, NewOrder, Party, PurchaseInvoice, PurchaseOrder,
    SalesInvoice, SalesOrder, StateOf, Vendor,
};
pub use expectation::{Expectation, ExpectedEntity, ExpectedField};
pub use ext::{ErpConnectorExt, stream_of};
pub use fidelity::{FidelityFault, FidelityReport};
pub use filter::{Comparison, FieldFilter, Filter, field};
pub use form::{ConnectorForm, FormFault, FormField, FormKind};
pub use name::{ActionName, EntityName, FieldName};
pub use query::{Expand, Order, PlanStep, Query, QueryPlan};
pub use read::{ChangePoint, Company, RecordChanges, RecordRef, Shape};
pub use record::{Columns, Etag, PlainRecord, Record};
pub use report::{Capability, ProbeOutcome, Probed, Probes, TestReport};
pub use value::{RecordKey, Relation, Value};
pub use write::{ActionCall, Base, Batch, Create, Delete, FieldChange, Lines, NaturalKey, Update, Write};
pub use written::{Adjusted, PartOutcome, WriteRejected, Written};
