//! Where the common documents are in Odoo.

use atlas_connectors::erp::{
    DocumentField as F, DocumentKind, DocumentMap, DocumentState as S, DocumentTable, LineField as L, LineTable, Value,
    field,
};

/// The tables of Odoo 14 and later.
pub fn documents() -> DocumentMap {
    DocumentMap::new(
        super::PROVIDER,
        [
            sales_order(),
            purchase_order(),
            invoice(DocumentKind::SalesInvoice, "out_invoice"),
            invoice(DocumentKind::PurchaseInvoice, "in_invoice"),
            partner(DocumentKind::Customer, "customer_rank"),
            partner(DocumentKind::Vendor, "supplier_rank"),
            item(),
        ],
    )
}

fn sales_order() -> DocumentTable {
    DocumentTable::new(DocumentKind::SalesOrder, "sale.order")
        .fields([
            (F::Number, "name"),
            (F::Partner, "partner_id"),
            (F::PartnerNumber, "partner_id.ref"),
            (F::PartnerName, "partner_id.name"),
            (F::Reference, "client_order_ref"),
            (F::Date, "date_order"),
            (F::DueDate, "commitment_date"),
            (F::State, "state"),
            (F::Currency, "currency_id"),
            (F::Net, "amount_untaxed"),
            (F::Tax, "amount_tax"),
            (F::Total, "amount_total"),
        ])
        .states([
            ("draft", S::Draft),
            ("sent", S::Draft),
            ("sale", S::Open),
            ("done", S::Done),
            ("cancel", S::Cancelled),
        ])
        .open(field("state").equals("sale"))
        .lines(LineTable::new(
            "order_line",
            "sale.order.line",
            [
                (L::Position, "sequence"),
                (L::Item, "product_id"),
                (L::ItemNumber, "product_id.default_code"),
                (L::Description, "name"),
                (L::Quantity, "product_uom_qty"),
                (L::Price, "price_unit"),
                (L::Net, "price_subtotal"),
            ],
        ))
}

fn purchase_order() -> DocumentTable {
    DocumentTable::new(DocumentKind::PurchaseOrder, "purchase.order")
        .fields([
            (F::Number, "name"),
            (F::Partner, "partner_id"),
            (F::PartnerNumber, "partner_id.ref"),
            (F::PartnerName, "partner_id.name"),
            (F::Reference, "partner_ref"),
            (F::Date, "date_order"),
            (F::DueDate, "date_planned"),
            (F::State, "state"),
            (F::Currency, "currency_id"),
            (F::Net, "amount_untaxed"),
            (F::Tax, "amount_tax"),
            (F::Total, "amount_total"),
        ])
        .states([
            ("draft", S::Draft),
            ("sent", S::Draft),
            ("to approve", S::InReview),
            ("purchase", S::Open),
            ("done", S::Done),
            ("cancel", S::Cancelled),
        ])
        .open(field("state").equals("purchase"))
        .lines(LineTable::new(
            "order_line",
            "purchase.order.line",
            [
                (L::Position, "sequence"),
                (L::Item, "product_id"),
                (L::ItemNumber, "product_id.default_code"),
                (L::Description, "name"),
                (L::Quantity, "product_qty"),
                (L::Price, "price_unit"),
                (L::Net, "price_subtotal"),
                (L::DueDate, "date_planned"),
            ],
        ))
}

fn invoice(kind: DocumentKind, move_type: &str) -> DocumentTable {
    DocumentTable::new(kind, "account.move")
        .only(field("move_type").equals(move_type))
        .default_value("move_type", Value::Enum(move_type.to_owned()))
        .fields([
            (F::Number, "name"),
            (F::Partner, "partner_id"),
            (F::PartnerNumber, "partner_id.ref"),
            (F::PartnerName, "partner_id.name"),
            (F::Reference, "ref"),
            (F::Date, "invoice_date"),
            (F::DueDate, "invoice_date_due"),
            (F::State, "state"),
            (F::Currency, "currency_id"),
            (F::Net, "amount_untaxed"),
            (F::Tax, "amount_tax"),
            (F::Total, "amount_total"),
        ])
        .states([("draft", S::Draft), ("posted", S::Posted), ("cancel", S::Cancelled)])
        .open(
            field("state")
                .equals("posted")
                .and(field("payment_state").is_in(["not_paid", "partial"])),
        )
        .lines(LineTable::new(
            "invoice_line_ids",
            "account.move.line",
            [
                (L::Item, "product_id"),
                (L::ItemNumber, "product_id.default_code"),
                (L::Description, "name"),
                (L::Quantity, "quantity"),
                (L::Price, "price_unit"),
                (L::Net, "price_subtotal"),
            ],
        ))
}

fn partner(kind: DocumentKind, rank: &str) -> DocumentTable {
    DocumentTable::new(kind, "res.partner")
        .only(field(rank).greater(0_i64))
        .default_value(rank, 1_i64)
        .fields([
            (F::Number, "ref"),
            (F::Name, "name"),
            (F::Email, "email"),
            (F::Phone, "phone"),
            (F::TaxNumber, "vat"),
            (F::Currency, "currency_id"),
        ])
}

fn item() -> DocumentTable {
    DocumentTable::new(DocumentKind::Item, "product.product").fields([
        (F::Number, "default_code"),
        (F::Name, "name"),
        (F::Unit, "uom_id"),
        (F::Price, "list_price"),
    ])
}
