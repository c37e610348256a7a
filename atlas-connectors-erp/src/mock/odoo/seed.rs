//! What a fresh database holds: the demo data of the recordings, in small.

use std::collections::BTreeMap;

use atlas_connectors::Timestamp;

use crate::mock::odoo::Version;
use crate::mock::odoo::database::{Database, Key, Rights, Row, User};
use crate::mock::odoo::env::Env;
use crate::mock::odoo::models;
use crate::odoo::wire::Json;

/// A fresh database, as of this moment.
pub(super) fn fresh(version: Version, at: Timestamp) -> Database {
    let mut db = Database::new(version);
    db.begin(at);
    let (second, euro, first_user) = match version {
        Version::V18 => (3, 125, 8),
        Version::V19 => (4, 126, 7),
    };
    let text = Json::text;
    let yes = || Json::Bool(true);
    let number = |text: &str| Json::Number(text.into());

    for (id, name, symbol, rounding, places, active) in [
        (1, "USD", "$", "0.01", 2, true),
        (euro, "EUR", "€", "0.01", 2, true),
        (25, "JPY", "¥", "1.0", 0, false),
        (94, "KWD", "KD", "0.001", 3, false),
    ] {
        put(
            &mut db,
            "res.currency",
            id,
            [
                ("name", text(name)),
                ("symbol", text(symbol)),
                ("rounding", number(rounding)),
                ("decimal_places", Json::int(places)),
                ("active", Json::Bool(active)),
            ],
        );
    }
    for (id, name, code) in [
        (1, "Andorra", "AD"),
        (20, "Belgium", "BE"),
        (75, "France", "FR"),
        (233, "United States", "US"),
    ] {
        put(&mut db, "res.country", id, [("name", text(name)), ("code", text(code))]);
    }
    put(
        &mut db,
        "res.company",
        1,
        [
            ("name", text("My Company (San Francisco)")),
            ("currency_id", Json::int(1)),
            ("partner_id", Json::int(1)),
            ("active", yes()),
        ],
    );
    put(
        &mut db,
        "res.company",
        second,
        [
            ("name", text("Atlas Second Co")),
            ("currency_id", Json::int(euro)),
            ("partner_id", Json::int(2)),
            ("active", yes()),
        ],
    );
    for (id, name, email, country, is_company) in [
        (1, "My Company (San Francisco)", "info@yourcompany.com", 233, true),
        (2, "Atlas Second Co", "info@second.example", 20, true),
        (3, "Mitchell Admin", "admin@yourcompany.example.com", 233, false),
        (8, "Wood Corner", "wood.corner26@example.com", 233, true),
        (9, "Acme Corporation", "acme_corp@yourcompany.example.com", 233, true),
        (
            10,
            "Gemini Furniture",
            "gemini_furniture@fake.geminifurniture.com",
            20,
            true,
        ),
        (11, "Ready Mat", "ready.mat28@example.com", 233, true),
        (15, "Azure Interior", "azure.Interior24@example.com", 75, true),
    ] {
        put(
            &mut db,
            "res.partner",
            id,
            [
                ("name", text(name)),
                ("email", text(email)),
                ("country_id", Json::int(country)),
                ("is_company", Json::Bool(is_company)),
                ("customer_rank", Json::int(i64::from(id > 8))),
                ("supplier_rank", Json::int(i64::from(id == 8 || id == 10))),
                ("ref", Json::Text(format!("C{id:04}"))),
                ("active", yes()),
            ],
        );
    }
    for (id, code, name, price, cost) in [
        (5, "FURN_7777", "Office Chair", "70.0", "55.0"),
        (6, "FURN_8888", "Office Lamp", "40.0", "35.0"),
        (7, "FURN_0096", "Customizable Desk", "750.0", "500.0"),
    ] {
        for model in ["product.template", "product.product"] {
            put(
                &mut db,
                model,
                id,
                [
                    ("name", text(name)),
                    ("default_code", text(code)),
                    ("type", text("consu")),
                    ("list_price", number(price)),
                    ("standard_price", number(cost)),
                    ("uom_id", Json::int(1)),
                    ("sale_ok", yes()),
                    ("purchase_ok", yes()),
                    ("active", yes()),
                    ("product_tmpl_id", Json::int(id)),
                ],
            );
        }
    }
    put(&mut db, "uom.uom", 1, [("name", text("Units")), ("active", yes())]);
    for (id, name) in [(8, "Vendor"), (9, "Prospects"), (10, "Services")] {
        put(
            &mut db,
            "res.partner.category",
            id,
            [("name", text(name)), ("active", yes())],
        );
    }
    for (id, name) in [(1, "Product"), (2, "Software")] {
        put(&mut db, "crm.tag", id, [("name", text(name))]);
    }
    for (id, name) in [(1, "Discussions"), (2, "Note")] {
        put(&mut db, "mail.message.subtype", id, [("name", text(name))]);
    }
    put(&mut db, "mail.activity.type", 4, [("name", text("To-Do"))]);
    for (id, name, state) in [
        (356, "mrp", "uninstalled"),
        (460, "account", "installed"),
        (470, "sale", "installed"),
        (471, "sale_management", "installed"),
        (480, "purchase", "installed"),
        (490, "stock", "installed"),
        (491, "sale_stock", "installed"),
        (600, "website_forum", "uninstalled"),
    ] {
        put(
            &mut db,
            "ir.module.module",
            id,
            [("name", text(name)), ("shortdesc", text(name)), ("state", text(state))],
        );
    }
    for (id, model) in [(604, "sale.order"), (90, "res.partner")] {
        put(&mut db, "ir.model", id, [("model", text(model)), ("name", text(model))]);
    }
    users(&mut db, first_user, second, at);
    documents(&mut db, second);
    db.counts = Default::default();
    db
}

/// Logins, passwords and keys; the ids differ between the recorded servers.
fn users(db: &mut Database, first: i64, second: i64, at: Timestamp) {
    let past = at.before(std::time::Duration::from_secs(86_400));
    let soon = at.after(std::time::Duration::from_secs(5 * 86_400));
    let key = |secret: &str| (secret.to_owned(), None, None);
    let everywhere = Vec::from([1, second]);
    let people = [
        (
            2,
            "admin",
            "Mitchell Admin",
            Rights::Admin,
            everywhere,
            true,
            false,
            Vec::from([
                key("admin-key"),
                ("scoped-key".to_owned(), Some("mail.plugin".to_owned()), None),
                ("expired-key".to_owned(), None, Some(past)),
            ]),
        ),
        (
            first,
            "atlas.limited",
            "Atlas Limited",
            Rights::Limited,
            Vec::from([1]),
            true,
            false,
            Vec::from([key("limited-key")]),
        ),
        (
            first + 1,
            "atlas.sales",
            "Atlas Salesman",
            Rights::Sales,
            Vec::from([1]),
            true,
            false,
            Vec::from([("sales-key".to_owned(), None, Some(soon))]),
        ),
        (
            first + 2,
            "atlas.bot",
            "Atlas Bot",
            Rights::Bot,
            Vec::from([1]),
            true,
            false,
            Vec::from([key("bot-key")]),
        ),
        (
            first + 3,
            "atlas.totp",
            "Atlas Two Factor",
            Rights::Bot,
            Vec::from([1]),
            true,
            true,
            Vec::from([key("totp-key")]),
        ),
        (
            first + 4,
            "atlas.gone",
            "Atlas Gone",
            Rights::Bot,
            Vec::from([1]),
            false,
            false,
            Vec::from([key("gone-key")]),
        ),
    ];
    for (id, login, name, rights, companies, active, second_factor, keys) in people {
        put(
            db,
            "res.users",
            id,
            [
                ("login", Json::text(login)),
                ("name", Json::text(name)),
                ("company_id", Json::int(1)),
                ("company_ids", Json::ids(&companies)),
                ("tz", Json::text("Europe/Brussels")),
                ("lang", Json::text("en_US")),
                ("active", Json::Bool(active)),
            ],
        );
        let mut held = Vec::new();
        for (secret, scope, expires) in keys {
            let expiration = expires.map_or(Json::Bool(false), |at| {
                Json::text(super::database::datetime(at.unix_millis().saturating_mul(1000)))
            });
            let values = BTreeMap::from([
                ("name", Json::text(format!("{login} key"))),
                ("user_id", Json::int(id)),
                ("scope", scope.clone().map_or(Json::Bool(false), Json::Text)),
                ("expiration_date", expiration),
            ]);
            let row = db.insert("res.users.apikeys", id, values);
            held.push(Key {
                row,
                secret,
                scope,
                expires,
            });
        }
        db.users.push(User {
            id,
            login: login.to_owned(),
            name: name.to_owned(),
            password: format!("{login}-password"),
            rights,
            companies,
            active,
            second_factor,
            keys: held,
        });
    }
}

/// A few documents, made in the server's own way so that their totals are right.
fn documents(db: &mut Database, second: i64) {
    let line = |quantity: &'static str, product: i64, count: &str| {
        Json::List(Vec::from([
            Json::int(0),
            Json::int(0),
            Json::object([
                ("product_id", Json::int(product)),
                (quantity, Json::Number(count.into())),
            ]),
        ]))
    };
    let member = |name: &str, value: Json| (name.to_owned(), value);
    let mut orders = Vec::new();
    for (model, partner, lines, state, company) in [
        ("sale.order", 9, Vec::from([(5, "2"), (6, "1")]), "draft", 1),
        ("sale.order", 11, Vec::from([(7, "1")]), "draft", 1),
        ("sale.order", 11, Vec::from([(5, "4"), (7, "2")]), "sale", 1),
        ("sale.order", 10, Vec::from([(6, "12")]), "sale", 1),
        ("sale.order", 15, Vec::from([(6, "3")]), "draft", second),
        ("purchase.order", 8, Vec::from([(5, "10"), (6, "5")]), "draft", 1),
        ("purchase.order", 10, Vec::from([(7, "2")]), "purchase", 1),
        ("account.move", 9, Vec::from([(5, "2")]), "posted", 1),
        ("account.move", 8, Vec::from([(6, "5")]), "draft", 1),
    ] {
        orders.push((model, partner, lines, state, company));
    }
    for (model, partner, lines, state, company) in orders {
        let (list, quantity) = match model {
            "sale.order" => ("order_line", "product_uom_qty"),
            "purchase.order" => ("order_line", "product_qty"),
            _ => ("invoice_line_ids", "quantity"),
        };
        let Some(definition) = models::model(model) else {
            continue;
        };
        let lines = lines
            .iter()
            .map(|(product, count)| line(quantity, *product, count))
            .collect();
        let mut values = Vec::from([
            member("partner_id", Json::int(partner)),
            member("company_id", Json::int(company)),
            member("user_id", Json::int(2)),
            member(list, Json::List(lines)),
        ]);
        match model {
            "sale.order" => values.push(member("validity_date", Json::text("2026-12-22"))),
            "purchase.order" => values.push(member("date_planned", Json::text("2026-11-25 02:35:53"))),
            _ => {}
        }
        if model == "account.move" {
            values.retain(|(name, _)| name != "user_id");
            let kind = if partner == 9 { "out_invoice" } else { "in_invoice" };
            values.push(member("move_type", Json::text(kind)));
            values.push(member("invoice_date", Json::text("2026-11-20")));
        }
        let context = Json::object([("allowed_company_ids", Json::ids(&[company]))]);
        let Ok(mut env) = Env::new(db, 2, Some(&context)) else {
            continue;
        };
        let Ok(id) = env.create(definition, &values) else {
            continue;
        };
        if let Some(row) = db.row_mut(model, id) {
            row.values.insert("state", Json::text(state));
            if state == "posted" {
                row.values.insert("name", Json::text(format!("INV/2026/{id:05}")));
            }
        }
    }
    // As Odoo names the demo data's own records.
    db.names.insert("base.ad".to_owned(), ("res.country", 1));
    db.names.insert("base.main_company".to_owned(), ("res.company", 1));
}

fn put<const N: usize>(db: &mut Database, model: &'static str, id: i64, values: [(&'static str, Json); N]) {
    let now = db.now;
    let table = db.tables.entry(model).or_default();
    table.last = table.last.max(id);
    table.rows.insert(
        id,
        Row {
            values: BTreeMap::from(values),
            created: now,
            written: now,
            creator: 1,
            writer: 1,
        },
    );
}
