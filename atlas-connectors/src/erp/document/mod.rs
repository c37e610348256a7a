//! Documents that every ERP has, by one name: orders, invoices, customers, vendors, items.

mod draft;
mod find;
mod map;
mod state;
mod typed;

pub use draft::{NewLine, NewOrder};
pub use find::{DocumentFilter, DocumentRef};
pub use map::{DocumentField, DocumentKind, DocumentMap, DocumentTable, LineField, LineTable};
pub use state::{DocumentState, StateOf};
pub use typed::{
    Customer, Document, DocumentLine, Item, Party, PurchaseInvoice, PurchaseOrder, SalesInvoice, SalesOrder, Vendor,
};
