//! The common documents in V2's and V4's words (`sap-odata.md`, sections 1, 6 and 13).

use atlas_connectors::erp::{
    DocumentField as D, DocumentKind, DocumentMap, DocumentState, DocumentTable, LineField as L, LineTable, field,
};

use crate::odata::Version;

/// The table of a system whose orders are read in this version. Where both versions offer a document, the version decides;
/// business partners and supplier invoices are V2 services everywhere in the stock, so V2's names serve both unless a V4
/// service of the same name is connected.
pub fn document_map(version: Version) -> DocumentMap {
    let v4 = version == Version::V4;
    let name = |v2: &'static str, in_v4: &'static str| if v4 { in_v4 } else { v2 };

    let sales_order = DocumentTable::new(DocumentKind::SalesOrder, name("A_SalesOrder", "SalesOrder"))
        .fields([
            (D::Number, "SalesOrder"),
            (D::Partner, "SoldToParty"),
            (D::PartnerNumber, "SoldToParty"),
            (D::Reference, "PurchaseOrderByCustomer"),
            (D::Date, "CreationDate"),
            (D::DueDate, "RequestedDeliveryDate"),
            (D::State, "OverallSDProcessStatus"),
            (D::Currency, "TransactionCurrency"),
            (D::Net, "TotalNetAmount"),
        ])
        .states([
            ("A", DocumentState::Open),
            ("B", DocumentState::InProgress),
            ("C", DocumentState::Done),
        ])
        .open(field("OverallSDProcessStatus").not_equals("C"))
        .default_value("SalesOrderType", "OR")
        .lines(LineTable::new(
            name("to_Item", "_Item"),
            name("A_SalesOrderItem", "SalesOrderItem"),
            [
                (L::Position, "SalesOrderItem"),
                (L::Item, name("Material", "Product")),
                (L::ItemNumber, name("Material", "Product")),
                (L::Description, "SalesOrderItemText"),
                (L::Quantity, "RequestedQuantity"),
                (L::Unit, "RequestedQuantityUnit"),
                (L::Net, "NetAmount"),
            ],
        ));

    let purchase_order = DocumentTable::new(DocumentKind::PurchaseOrder, name("A_PurchaseOrder", "PurchaseOrder"))
        .fields([
            (D::Number, "PurchaseOrder"),
            (D::Partner, "Supplier"),
            (D::PartnerNumber, "Supplier"),
            (D::Reference, "CorrespncExternalReference"),
            (D::Date, "PurchaseOrderDate"),
            (D::State, "PurchasingProcessingStatus"),
            (D::Currency, "DocumentCurrency"),
        ])
        .states([
            ("01", DocumentState::Draft),
            ("02", DocumentState::Open),
            ("03", DocumentState::InReview),
            ("04", DocumentState::InReview),
            ("05", DocumentState::Open),
            ("08", DocumentState::Cancelled),
        ])
        .default_value("PurchaseOrderType", "NB")
        .lines(LineTable::new(
            name("to_PurchaseOrderItem", "_PurchaseOrderItem"),
            name("A_PurchaseOrderItem", "PurchaseOrderItem"),
            [
                (L::Position, "PurchaseOrderItem"),
                (L::Item, "Material"),
                (L::ItemNumber, "Material"),
                (L::Description, "PurchaseOrderItemText"),
                (L::Quantity, "OrderQuantity"),
                (L::Unit, "PurchaseOrderQuantityUnit"),
                (L::Price, "NetPriceAmount"),
            ],
        ));

    let sales_invoice = DocumentTable::new(DocumentKind::SalesInvoice, name("A_BillingDocument", "BillingDocument"))
        .fields([
            (D::Number, "BillingDocument"),
            (D::Partner, "SoldToParty"),
            (D::PartnerNumber, "SoldToParty"),
            (D::Date, "BillingDocumentDate"),
            (D::State, "OverallBillingStatus"),
            (D::Currency, "TransactionCurrency"),
            (D::Net, "TotalNetAmount"),
        ]);
    let sales_invoice = sales_invoice.states([
        ("A", DocumentState::Posted),
        ("B", DocumentState::InProgress),
        ("C", DocumentState::Done),
    ]);

    let purchase_invoice = DocumentTable::new(
        DocumentKind::PurchaseInvoice,
        name("A_SupplierInvoice", "SupplierInvoice"),
    )
    .fields([
        (D::Number, "SupplierInvoice"),
        (D::Partner, "InvoicingParty"),
        (D::PartnerNumber, "InvoicingParty"),
        (D::Reference, "SupplierInvoiceIDByInvcgParty"),
        (D::Date, "DocumentDate"),
        (D::State, "SupplierInvoiceStatus"),
        (D::Currency, "DocumentCurrency"),
        (D::Total, "InvoiceGrossAmount"),
    ])
    .states([
        ("1", DocumentState::Draft),
        ("A", DocumentState::Draft),
        ("B", DocumentState::Draft),
        ("5", DocumentState::Posted),
    ]);

    let customer = DocumentTable::new(DocumentKind::Customer, name("A_Customer", "Customer")).fields([
        (D::Number, "Customer"),
        (D::Name, "CustomerName"),
        (D::TaxNumber, "VATRegistration"),
    ]);
    let vendor = DocumentTable::new(DocumentKind::Vendor, name("A_Supplier", "Supplier")).fields([
        (D::Number, "Supplier"),
        (D::Name, "SupplierName"),
        (D::TaxNumber, "VATRegistration"),
        (D::Blocked, "PurchasingIsBlocked"),
    ]);
    let item = DocumentTable::new(DocumentKind::Item, name("A_Product", "Product")).fields([
        (D::Number, "Product"),
        (D::Unit, "BaseUnit"),
        (D::Blocked, "IsMarkedForDeletion"),
    ]);

    DocumentMap::new(
        crate::sap::provider(),
        [
            sales_order,
            purchase_order,
            sales_invoice,
            purchase_invoice,
            customer,
            vendor,
            item,
        ],
    )
}
