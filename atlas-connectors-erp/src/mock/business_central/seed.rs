//! What is there when a mock starts.

use std::collections::{BTreeMap, BTreeSet};

use atlas_connectors::Timestamp;

use super::cell::Cell;
use super::rules::{self, ClientIds, Sequence, Setting};
use super::schema::of_set;
use super::server::{
    Accounts, COMPANY, DOMAIN, FULL, NO_PURCHASING, NO_USER, ONE_COMPANY, OTHER, OTHER_TENANT, READER, SECOND_COMPANY,
    TENANT,
};
use super::store::Company;
use super::world::{Environment, Rights, Tenant, User};

/// Names in the order in which they are given out.
const FIRMS: [&str; 6] = [
    "Adatum Corporation",
    "Trey Research",
    "Relecloud Design",
    "School of Fine Art",
    "Litware, Inc.",
    "Alpine Ski House",
];
const GOODS: [&str; 6] = [
    "ATHENS Desk",
    "PARIS Guest Chair, black",
    "LONDON Swivel Chair, blue",
    "ANTWERP Conference Table",
    "AMSTERDAM Lamp",
    "BERLIN Guest Chair, yellow",
];

/// Two tenants: the first with `Production` and `Sandbox`, the second with `Production`.
pub(super) fn tenants(sequence: &mut Sequence, rows: u32) -> Vec<Tenant> {
    let environment = |name: &str, kind, companies| Environment {
        name: name.to_owned(),
        kind,
        companies,
        hidden: BTreeSet::new(),
        outdated: BTreeSet::new(),
        subscriptions: Vec::new(),
    };
    let first = company(sequence, COMPANY, "CRONUS USA, Inc.", "CRONUS USA, Inc.", rows);
    let second = company(sequence, SECOND_COMPANY, "My Company", "", rows.min(2));
    // A copied environment repeats the ids of its companies.
    let copied = company(sequence, COMPANY, "CRONUS USA, Inc.", "CRONUS USA, Inc.", rows.min(3));
    let other = company(
        sequence,
        "d68f22dd-e700-4155-8ea2-489935d176c1",
        "Fabrikam GmbH",
        "Fabrikam GmbH",
        rows.min(3),
    );
    vec![
        Tenant {
            id: TENANT.to_owned(),
            domain: DOMAIN.to_owned(),
            environments: vec![
                environment("Production", "Production", vec![first, second]),
                environment("Sandbox", "Sandbox", vec![copied]),
            ],
        },
        Tenant {
            id: OTHER_TENANT.to_owned(),
            domain: "fabrikam.example".to_owned(),
            environments: vec![environment("Production", "Production", vec![other])],
        },
    ]
}

/// The static tokens and whose they are.
pub(super) fn users() -> Accounts {
    let nopurch = Rights::full()
        .without("purchaseOrders")
        .without("purchaseOrderLines")
        .without("purchaseInvoices")
        .without("purchaseInvoiceLines");
    let (mut users, mut tokens) = (BTreeMap::new(), BTreeMap::new());
    for (token, name, tenant, rights) in [
        (FULL, "full@contoso.example", TENANT, Rights::full()),
        (READER, "reader@contoso.example", TENANT, Rights::reader()),
        (NO_PURCHASING, "nopurch@contoso.example", TENANT, nopurch),
        (
            ONE_COMPANY,
            "onecompany@contoso.example",
            TENANT,
            Rights::full().in_company("CRONUS USA, Inc."),
        ),
        (NO_USER, "nouser@contoso.example", TENANT, Rights::none()),
        (OTHER, "owner@fabrikam.example", OTHER_TENANT, Rights::full()),
    ] {
        let tenant = tenant.to_owned();
        users.insert(name.to_owned(), User { tenant, rights });
        tokens.insert(token.to_owned(), name.to_owned());
    }
    (users, tokens)
}

fn company(sequence: &mut Sequence, id: &str, name: &str, display_name: &str, rows: u32) -> Company {
    let mut company = Company {
        id: id.to_owned(),
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        tables: BTreeMap::new(),
        numbers: BTreeMap::new(),
    };
    for number in 1..=rows {
        // A day apart, so that changes since a moment are some and not all.
        let day = i64::from(number % 300) * 86_400;
        let setting = Setting {
            now: Timestamp::from_unix_millis(1_704_067_200_000 + day * 1_000 + i64::from(number)),
            manual_numbers: false,
            client_ids: ClientIds::Kept,
        };
        let name = |names: &[&str]| {
            let at = usize::try_from(number - 1).unwrap_or(0);
            format!("{} {number}", names.get(at % names.len()).unwrap_or(&"Firm"))
        };
        let (firm, goods) = (name(&FIRMS), name(&GOODS));
        let mut put = |set: &str, record: serde_json::Value| {
            let body = rules::read_body(record.to_string().as_bytes()).unwrap_or_default();
            if let Some(entity) = of_set(set) {
                // Seeds fit the rules; one that did not would be missed by the tests that look for it.
                let _ = rules::create(&mut company, sequence, entity, &body, None, setting);
            }
        };
        put(
            "customers",
            serde_json::json!({"displayName": firm, "city": "Chicago", "country": "US", "currencyCode": "USD"}),
        );
        put(
            "vendors",
            serde_json::json!({"displayName": format!("{firm} Supplies"), "city": "Atlanta", "country": "US"}),
        );
        put(
            "items",
            serde_json::json!({
                "number": format!("{}-S", 1_895 + number), "displayName": goods, "unitPrice": 10 + number, "unitCost": 5 + number,
                "baseUnitOfMeasureCode": "PCS",
            }),
        );
        put(
            "salesOrders",
            serde_json::json!({
                "customerNumber": format!("C{}", 100_000 + number), "externalDocumentNumber": format!("PO-{number:04}"),
                "salesOrderLines": [
                    {"lineObjectNumber": "1896-S", "quantity": number},
                    {"lineObjectNumber": format!("{}-S", 1_895 + number), "quantity": 2},
                ],
            }),
        );
        put(
            "purchaseOrders",
            serde_json::json!({
                "vendorNumber": format!("V{}", 100_000 + number),
                "purchaseOrderLines": [{"lineObjectNumber": "1896-S", "quantity": 10 + number}],
            }),
        );
        put(
            "salesInvoices",
            serde_json::json!({
                "customerNumber": format!("C{}", 100_000 + number), "salesInvoiceLines": [{"lineObjectNumber": "1896-S", "quantity": 1}],
            }),
        );
        put(
            "purchaseInvoices",
            serde_json::json!({
                "vendorNumber": format!("V{}", 100_000 + number), "vendorInvoiceNumber": format!("INV-{number:04}"),
                "purchaseInvoiceLines": [{"lineObjectNumber": "1896-S", "quantity": 1}],
            }),
        );
    }
    // Three of four orders are released.
    for set in ["salesOrders", "purchaseOrders"] {
        let rows = company.tables.get_mut(set).into_iter().flatten();
        for (_, row) in rows.enumerate().filter(|(at, _)| at % 4 != 3) {
            row.cells.insert("status", Cell::text("Open"));
        }
    }
    company
}
