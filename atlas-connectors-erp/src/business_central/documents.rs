//! Where the common documents are in Business Central: one table, as data.
//!
//! Source: `business-central.md`, section 3, and the captured metadata of version 26. Two things have no field: a purchase order
//! has no number of the partner's own in API v2.0, so it is found again by the id that this connector chooses; and an
//! unset currency is the company's own.

use atlas_connectors::erp::{
    DocumentField as F, DocumentKind, DocumentMap, DocumentState, DocumentTable, LineField as L, LineTable, field,
};

/// The tables of the seven common documents.
pub fn document_map() -> DocumentMap {
    DocumentMap::new(
        super::PROVIDER,
        [
            sales_order(),
            purchase_order(),
            sales_invoice(),
            purchase_invoice(),
            partner(DocumentKind::Customer, "customers"),
            partner(DocumentKind::Vendor, "vendors"),
            item(),
        ],
    )
}

/// An order is a draft until it is released, which the API calls open.
const ORDER_STATES: [(&str, DocumentState); 3] = [
    ("Draft", DocumentState::Draft),
    ("In Review", DocumentState::InReview),
    ("Open", DocumentState::Open),
];

const INVOICE_STATES: [(&str, DocumentState); 6] = [
    ("Draft", DocumentState::Draft),
    ("In Review", DocumentState::InReview),
    ("Open", DocumentState::Posted),
    ("Paid", DocumentState::Done),
    ("Canceled", DocumentState::Cancelled),
    ("Corrective", DocumentState::Cancelled),
];

const AMOUNTS: [(F, &str); 5] = [
    (F::State, "status"),
    (F::Currency, "currencyCode"),
    (F::Net, "totalAmountExcludingTax"),
    (F::Tax, "totalTaxAmount"),
    (F::Total, "totalAmountIncludingTax"),
];

const CUSTOMER: [(F, &str); 3] = [
    (F::Partner, "customerId"),
    (F::PartnerNumber, "customerNumber"),
    (F::PartnerName, "customerName"),
];

const VENDOR: [(F, &str); 3] = [
    (F::Partner, "vendorId"),
    (F::PartnerNumber, "vendorNumber"),
    (F::PartnerName, "vendorName"),
];

fn sales_order() -> DocumentTable {
    DocumentTable::new(DocumentKind::SalesOrder, "salesOrders")
        .fields([(F::Number, "number"), (F::Reference, "externalDocumentNumber")])
        .fields(CUSTOMER)
        .fields([(F::Date, "orderDate"), (F::DueDate, "requestedDeliveryDate")])
        .fields(AMOUNTS)
        .states(ORDER_STATES)
        .open(field("status").equals("Open"))
        .lines(lines("salesOrderLines", "unitPrice", "shipmentDate"))
}

fn purchase_order() -> DocumentTable {
    DocumentTable::new(DocumentKind::PurchaseOrder, "purchaseOrders")
        .fields([(F::Number, "number")])
        .fields(VENDOR)
        .fields([(F::Date, "orderDate"), (F::DueDate, "requestedReceiptDate")])
        .fields(AMOUNTS)
        .states(ORDER_STATES)
        .open(field("status").equals("Open"))
        .lines(lines("purchaseOrderLines", "directUnitCost", "expectedReceiptDate"))
}

fn sales_invoice() -> DocumentTable {
    DocumentTable::new(DocumentKind::SalesInvoice, "salesInvoices")
        .fields([(F::Number, "number"), (F::Reference, "externalDocumentNumber")])
        .fields(CUSTOMER)
        .fields([(F::Date, "invoiceDate"), (F::DueDate, "dueDate")])
        .fields(AMOUNTS)
        .states(INVOICE_STATES)
        .open(field("status").equals("Open"))
        .lines(lines("salesInvoiceLines", "unitPrice", "shipmentDate"))
}

fn purchase_invoice() -> DocumentTable {
    DocumentTable::new(DocumentKind::PurchaseInvoice, "purchaseInvoices")
        .fields([(F::Number, "number"), (F::Reference, "vendorInvoiceNumber")])
        .fields(VENDOR)
        .fields([(F::Date, "invoiceDate"), (F::DueDate, "dueDate")])
        .fields(AMOUNTS)
        .states(INVOICE_STATES)
        .open(field("status").equals("Open"))
        .lines(lines("purchaseInvoiceLines", "unitCost", "expectedReceiptDate"))
}

fn lines(relation: &str, price: &str, due: &str) -> LineTable {
    LineTable::new(
        relation,
        relation,
        [
            (L::Position, "sequence"),
            (L::Item, "itemId"),
            (L::ItemNumber, "lineObjectNumber"),
            (L::Description, "description"),
            (L::Quantity, "quantity"),
            (L::Unit, "unitOfMeasureCode"),
            (L::Price, price),
            (L::Net, "netAmount"),
            (L::DueDate, due),
        ],
    )
    .default_value("lineType", "Item")
}

fn partner(kind: DocumentKind, set: &str) -> DocumentTable {
    DocumentTable::new(kind, set).fields([
        (F::Number, "number"),
        (F::Name, "displayName"),
        (F::Email, "email"),
        (F::Phone, "phoneNumber"),
        (F::TaxNumber, "taxRegistrationNumber"),
        (F::Currency, "currencyCode"),
        (F::Blocked, "blocked"),
    ])
}

fn item() -> DocumentTable {
    DocumentTable::new(DocumentKind::Item, "items").fields([
        (F::Number, "number"),
        (F::Name, "displayName"),
        (F::Unit, "baseUnitOfMeasureCode"),
        (F::Price, "unitPrice"),
        (F::Blocked, "blocked"),
    ])
}
