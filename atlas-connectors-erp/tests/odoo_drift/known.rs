//! What the mock holds for a recording, and where it differs from the real servers on purpose.

use atlas_connectors_erp::mock::odoo::{Odoo, Version};
use atlas_connectors_erp::odoo::wire::Json;

/// Recorded calls that the mock has no answer to, with the reason.
pub(crate) const ABSENT: &[(&str, &str)] = &[];

/// Differences that are meant: case, difference, reason.
pub(crate) const INTENDED: &[(&str, &str, &str)] = &[];

/// A recorded text as it reads in the mock.
pub(crate) fn translate(text: &str, _version: Version) -> String {
    let names = [
        ("{{admin_key}}", "admin-key"),
        ("{{limited_key}}", "limited-key"),
        ("{{sales_key}}", "sales-key"),
        ("{{bot_key}}", "bot-key"),
        ("{{totp_key}}", "totp-key"),
        ("{{gone_key}}", "gone-key"),
        ("{{scoped_key}}", "scoped-key"),
        ("{{expired_key}}", "expired-key"),
        ("{{revoked_key}}", "revoked-key"),
        ("{{atlas_bot_password}}", "atlas.bot-password"),
        ("bench18b", "other"),
        ("bench19b", "other"),
        ("bench18", "atlas"),
        ("bench19", "atlas"),
    ];
    names
        .iter()
        .fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

/// The records that the recorded calls are about, under the recorded ids.
pub(crate) fn seed(odoo: &Odoo, version: Version, case: &str) {
    let partner = |id: i64, name: &str| {
        odoo.add_at(
            "res.partner",
            id,
            &[
                ("name", Json::text(name)),
                ("active", Json::Bool(true)),
                ("is_company", Json::Bool(false)),
                ("country_id", Json::int(20)),
            ],
        );
    };
    for id in [
        10046, 10047, 10049, 10050, 10052, 10054, 10064, 10066, 10067, 10068, 10070, 10071, 10072, 10073, 10074, 10076,
    ] {
        partner(id, &format!("Atlas {id}"));
    }
    let second = match version {
        Version::V18 => 3,
        _ => 4,
    };
    let confirmed =
        case.contains("confirm_again") || case.contains("unlink_confirmed") || case.contains("action_cancel");
    let order = |id: i64, company: i64| {
        odoo.add_at(
            "sale.order",
            id,
            &[
                ("name", Json::text(format!("S{id:05}"))),
                ("state", Json::text(if confirmed { "sale" } else { "draft" })),
                ("partner_id", Json::int(10052)),
                ("company_id", Json::int(company)),
                ("currency_id", Json::int(1)),
                ("date_order", Json::text("2026-10-22 02:36:00")),
                ("validity_date", Json::text("2026-12-22")),
                ("client_order_ref", Json::text("ATLAS-0001")),
                ("x_atlas_ref", Json::text("k1")),
                ("x_studio_stage", Json::text("a")),
                ("user_id", Json::int(2)),
            ],
        );
    };
    for id in [25, 27] {
        order(id, 1);
    }
    for id in [31, 34] {
        order(id, second);
    }
    for id in [51, 52] {
        odoo.add_at(
            "sale.order.line",
            id,
            &[
                ("order_id", Json::int(25)),
                ("product_id", Json::int(5)),
                ("product_uom_qty", Json::Number("3.0".into())),
                ("price_unit", Json::Number("0.34".into())),
            ],
        );
    }
    odoo.add_at(
        "purchase.order",
        7,
        &[
            ("name", Json::text("P00007")),
            ("state", Json::text("draft")),
            ("partner_id", Json::int(8)),
            ("company_id", Json::int(1)),
        ],
    );
    for id in [872, 948] {
        odoo.add_at(
            "ir.attachment",
            id,
            &[
                ("name", Json::text("atlas.pdf")),
                ("res_model", Json::text("sale.order")),
                ("res_id", Json::int(25)),
                ("datas", Json::text("JVBERi0xLjQgYXRsYXMK")),
                ("mimetype", Json::text("application/pdf")),
                ("file_size", Json::int(15)),
                ("checksum", Json::text("156404e7116a473579a29aa2826c85d10df6f9aa")),
                ("type", Json::text("binary")),
            ],
        );
    }
    odoo.add(
        "mail.activity",
        &[
            ("res_model", Json::text("sale.order")),
            ("res_id", Json::int(3)),
            ("activity_type_id", Json::int(4)),
            ("summary", Json::text("Answer questions")),
            ("date_deadline", Json::text("2026-11-22")),
            ("user_id", Json::int(2)),
        ],
    );
    odoo.add(
        "mail.message",
        &[
            ("model", Json::text("sale.order")),
            ("res_id", Json::int(25)),
            ("body", Json::text("<p>Hello</p>")),
            ("message_type", Json::text("comment")),
            ("subtype_id", Json::int(2)),
            ("author_id", Json::int(3)),
            ("date", Json::text("2026-11-22 02:49:11")),
            ("attachment_ids", Json::List(Vec::new())),
        ],
    );
}
