//! A small business: customers, suppliers, products, orders, invoices. The same every time.

use super::schema::{Kind, SERVICES, Table};
use super::world::{Row, World, scaled, stamp_text};
use atlas_connectors::Timestamp;

/// 2026-01-05 00:00 UTC.
const FIRST: i64 = 1_767_571_200;
const DAY: i64 = 86_400;

pub(super) fn fill(world: &mut World) {
    let pad = world.settings.padded_keys;
    let number = |number: u64| match pad {
        true => format!("{number:0>10}"),
        false => number.to_string(),
    };
    for (at, name) in [
        "Domestic Customer US 1",
        "Precision Parts GmbH",
        "O'Neil & Söhne",
        "Water+Pipe 100%",
    ]
    .iter()
    .enumerate()
    {
        let id = number(1_000_000 + at as u64);
        add(
            world,
            Table::BusinessPartner,
            &[
                ("BusinessPartner", &id),
                ("BusinessPartnerName", name),
                ("BusinessPartnerCategory", "2"),
                ("Customer", &id),
                ("SearchTerm1", &name.to_uppercase()),
                ("LastChangeDate", "2026-01-05"),
            ],
        );
        let full = format!("{name} / 12345 Springfield");
        add(
            world,
            Table::Customer,
            &[("Customer", &id), ("CustomerName", name), ("CustomerFullName", &full)],
        );
    }
    for (at, name) in ["Domestic US Supplier 1", "Stahlhandel Nord"].iter().enumerate() {
        let id = number(2_000_000 + at as u64);
        add(
            world,
            Table::BusinessPartner,
            &[
                ("BusinessPartner", &id),
                ("BusinessPartnerName", name),
                ("BusinessPartnerCategory", "2"),
                ("Supplier", &id),
                ("LastChangeDate", "2026-01-05"),
            ],
        );
        add(
            world,
            Table::Supplier,
            &[("Supplier", &id), ("SupplierName", name), ("SupplierFullName", name)],
        );
    }
    for (product, unit) in [
        ("TG0000", "PC"),
        ("TG0010", "PC"),
        ("MZ-FG-00001", "PC"),
        ("RM120", "KG"),
    ] {
        add(
            world,
            Table::Product,
            &[
                ("Product", product),
                ("ProductType", "HAWA"),
                ("ProductGroup", "L001"),
                ("BaseUnit", unit),
                ("GrossWeight", "1.250"),
                ("LastChangeDateTime", "2026-01-05T08:00:00.000Z"),
            ],
        );
    }
    for order in 1..=12u64 {
        let id = number(order);
        let status = if order % 3 == 0 { "C" } else { "A" };
        add_order(world, &id, order, status);
        for line in 1..=(1 + (order - 1) % 3) {
            let item = (line * 10).to_string();
            add(
                world,
                Table::SalesOrderItem,
                &[
                    ("SalesOrder", &id),
                    ("SalesOrderItem", &item),
                    ("Material", if line % 2 == 1 { "TG0000" } else { "TG0010" }),
                    ("SalesOrderItemText", "Trading good"),
                    ("RequestedQuantity", &format!("{line}.000")),
                    ("RequestedQuantityUnit", "PC"),
                    ("NetAmount", &format!("{}.500", order * 100 + line)),
                    ("TransactionCurrency", "USD"),
                ],
            );
        }
    }
    for order in 0..3u64 {
        let id = number(4_500_000_000 + order);
        add(
            world,
            Table::PurchaseOrder,
            &[
                ("PurchaseOrder", &id),
                ("PurchaseOrderType", "NB"),
                ("CompanyCode", "1710"),
                ("PurchasingOrganization", "1710"),
                ("PurchasingGroup", "001"),
                ("Supplier", &number(2_000_000)),
                ("PurchaseOrderDate", "2026-01-07"),
                ("DocumentCurrency", "USD"),
                ("CorrespncExternalReference", &format!("REF-{order}")),
                ("PurchasingProcessingStatus", "02"),
                ("CreationDate", "2026-01-07"),
                ("LastChangeDateTime", "2026-01-07T08:00:00.000Z"),
            ],
        );
        add(
            world,
            Table::PurchaseOrderItem,
            &[
                ("PurchaseOrder", &id),
                ("PurchaseOrderItem", "00010"),
                ("Material", "RM120"),
                ("PurchaseOrderItemText", "Raw material"),
                ("OrderQuantity", "10.000"),
                ("PurchaseOrderQuantityUnit", "KG"),
                ("NetPriceAmount", "12.340"),
                ("DocumentCurrency", "USD"),
            ],
        );
    }
    add(
        world,
        Table::BillingDocument,
        &[
            ("BillingDocument", &number(90_000_000)),
            ("BillingDocumentType", "F2"),
            ("BillingDocumentDate", "2026-01-09"),
            ("SoldToParty", &number(1_000_000)),
            ("TotalNetAmount", "101.500"),
            ("TransactionCurrency", "USD"),
            ("OverallBillingStatus", "C"),
            ("LastChangeDateTime", "2026-01-09T08:00:00.000Z"),
        ],
    );
    add(
        world,
        Table::SupplierInvoice,
        &[
            ("SupplierInvoice", &number(5_105_600_000)),
            ("FiscalYear", "2026"),
            ("InvoicingParty", &number(2_000_000)),
            ("DocumentDate", "2026-01-10"),
            ("SupplierInvoiceIDByInvcgParty", "INV-77"),
            ("InvoiceGrossAmount", "123.400"),
            ("DocumentCurrency", "USD"),
            ("SupplierInvoiceStatus", "5"),
        ],
    );
    add(
        world,
        Table::Requisition,
        &[
            ("Requisition", "REQ-1"),
            ("Title", "Spare parts"),
            ("Status", "N"),
            ("NeededBy", "2026-02-01"),
            ("Total", "1000.00"),
            ("ChangedAt", "2026-01-05T08:00:00.000Z"),
        ],
    );
    let base = world.base.clone();
    for service in SERVICES.iter().filter(|service| !service.v4 && service.path.is_empty()) {
        add(
            world,
            Table::CatalogEntry,
            &[
                ("ID", &format!("Z{}_0001", service.name)),
                ("Title", service.name),
                ("TechnicalServiceName", &format!("Z{}", service.name)),
                ("ServiceUrl", &format!("{base}{}", service.root())),
                ("IsSapService", "true"),
                ("UpdatedDate", "2026-01-05T08:00:00.000Z"),
            ],
        );
    }
}

/// Sales orders in numbers, for long reads.
pub(super) fn orders(world: &mut World, count: u64) {
    let pad = world.settings.padded_keys;
    world.rows_mut(Table::SalesOrder).clear();
    world.rows_mut(Table::SalesOrderItem).clear();
    for order in 1..=count {
        let id = match pad {
            true => format!("{order:0>10}"),
            false => order.to_string(),
        };
        add_order(world, &id, order, "A");
    }
}

fn add_order(world: &mut World, id: &str, order: u64, status: &str) {
    let offset = i64::try_from(order).unwrap_or(0);
    let moment = stamp_text(Timestamp::from_unix_seconds(FIRST + DAY * (offset % 300) + offset));
    let day = moment.get(..10).unwrap_or_default().to_owned();
    let customer = 1_000_000 + (order - 1) % 4;
    let customer = match world.settings.padded_keys {
        true => format!("{customer:0>10}"),
        false => customer.to_string(),
    };
    add(
        world,
        Table::SalesOrder,
        &[
            ("SalesOrder", id),
            ("SalesOrderType", "OR"),
            ("SalesOrganization", "1710"),
            ("DistributionChannel", "10"),
            ("OrganizationDivision", "00"),
            ("SoldToParty", &customer),
            ("PurchaseOrderByCustomer", &format!("CUST-{order:04}")),
            ("CreationDate", &day),
            ("LastChangeDateTime", &moment),
            ("RequestedDeliveryDate", "2026-12-24"),
            ("TotalNetAmount", &format!("{}.500", order * 100)),
            ("TransactionCurrency", "USD"),
            ("OverallSDProcessStatus", status),
            ("YY1_ExactAmount_SDH", "1234567890123456789012.345678"),
        ],
    );
}

fn add(world: &mut World, table: Table, fields: &[(&str, &str)]) {
    let def = table.def();
    let mut row = Row::initial(def);
    for (name, value) in fields {
        let kind = def
            .at(name, false)
            .and_then(|at| def.fields.get(at))
            .map(|field| field.kind);
        let value = match kind {
            Some(Kind::Decimal(_, scale)) => scaled(value, scale),
            _ => (*value).to_owned(),
        };
        row.set(def, name, value);
    }
    world.rows_mut(table).push(row);
}
