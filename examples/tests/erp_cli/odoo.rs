//! The whole round with Odoo: connect, choose the company, read, check, write.

use atlas_connectors::testkit::server::Fault;
use atlas_connectors_erp::mock::Odoo;
use atlas_connectors_erp::odoo::wire::Json;
use serde_json::{Value, json};

use super::atlas::Atlas;

async fn connect(atlas: &Atlas, odoo: &Odoo) -> (i32, Value) {
    let url = odoo.url().to_string();
    let place = ["--url", &url, "--database", "atlas", "--login", "admin"];
    atlas.run(&[&["erp", "connect", "odoo"], &place[..]].concat()).await
}

/// A program that is connected and works in the first company.
async fn connected() -> (Atlas, Odoo) {
    let (atlas, odoo) = (Atlas::with_secret("admin-key"), Odoo::builder().start().await.unwrap());
    let (code, document) = connect(&atlas, &odoo).await;
    assert_eq!(code, 3, "{document:#}");
    atlas.done(&["erp", "companies", "--select", "1"]).await;
    (atlas, odoo)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_is_chosen_before_anything_is_read() {
    let (atlas, odoo) = (Atlas::with_secret("admin-key"), Odoo::builder().start().await.unwrap());
    let nothing = atlas.ends(3, &["erp", "read", "sale.order"]).await;
    assert_eq!(nothing["error"]["code"], "needs_person");

    let (code, document) = connect(&atlas, &odoo).await;
    assert_eq!(
        (code, &document["connection"]["pause"]),
        (3, &"select_company".into()),
        "{document:#}"
    );
    assert_eq!(document["companies"].as_array().unwrap().len(), 2);
    let paused = atlas.ends(3, &["erp", "read", "sale.order"]).await;
    assert_eq!(paused["error"]["paused"], "select_company", "{paused:#}");

    let wrong = atlas.ends(2, &["erp", "companies", "--select", "77"]).await;
    assert_eq!(wrong["error"]["code"], "invalid", "{wrong:#}");
    let chosen = atlas.done(&["erp", "companies", "--select", "1"]).await;
    assert_eq!(
        (&chosen["selected"], &chosen["status"]),
        (&"1".into(), &"connected".into()),
        "{chosen:#}"
    );
    let listed = atlas.done(&["erp", "list"]).await;
    assert_eq!(listed["connections"][0]["company"], "1");
    // The mailbox commands know nothing of it.
    assert_eq!(atlas.done(&["mailbox", "list"]).await["mailboxes"], json!([]));
    assert!(!atlas.keeps("admin-key"), "the key lies in the open");

    atlas.done(&["erp", "disconnect"]).await;
    assert_eq!(atlas.ends(3, &["erp", "read", "sale.order"]).await["exit"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_database_or_company_is_not_kept() {
    let odoo = Odoo::builder().start().await.unwrap();
    let (code, refused) = connect(&Atlas::with_secret("no-such-key"), &odoo).await;
    assert_ne!(code, 0, "{refused:#}");
    assert!(
        refused["error"]["operator"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{refused:#}"
    );

    let atlas = Atlas::with_secret("admin-key");
    let url = odoo.url().to_string();
    let place = [
        "erp",
        "connect",
        "odoo",
        "--url",
        &url,
        "--login",
        "admin",
        "--database",
    ];
    atlas.ends(2, &[&place[..], &["nowhere"]].concat()).await;
    atlas
        .ends(2, &[&place[..], &["atlas", "--company", "77"]].concat())
        .await;
    assert_eq!(atlas.done(&["erp", "list"]).await["connections"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_connects_and_a_key_of_somebody_else_does_not_renew() {
    let odoo = Odoo::builder().start().await.unwrap();
    let atlas = Atlas::with_secret("admin-password");
    let url = odoo.url().to_string();
    let place = [
        "erp",
        "connect",
        "odoo",
        "--url",
        &url,
        "--database",
        "atlas",
        "--company",
        "1",
    ];
    let password = [&place[..], &["--login", "admin", "--auth", "password"]].concat();
    let connected = atlas.done(&password).await;
    assert_eq!(connected["connection"]["company"], "1", "{connected:#}");
    let id = connected["connection"]["id"].as_str().unwrap();
    let renewed = atlas.done(&[&password[..], &["--reconnect", id]].concat()).await;
    assert_eq!(
        (&renewed["reconnected"], &renewed["connection"]["epoch"]),
        (&json!(true), &json!(2))
    );

    let key = atlas.path("limited-key");
    std::fs::write(&key, "limited-key\n").unwrap();
    let other = [
        "--login",
        "atlas.limited",
        "--secret-file",
        key.to_str().unwrap(),
        "--reconnect",
        id,
    ];
    let refused = atlas.ends(3, &[&place[..], &other[..]].concat()).await;
    assert_eq!(refused["error"]["code"], "oauth.wrong_account", "{refused:#}");
    atlas.done(&["erp", "read", "sale.order", "--limit", "1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_with_typed_filters() {
    let (atlas, _odoo) = connected().await;
    let filter = "state = sale and amount_total > 100.50 and date_order >= 2020-01-01";
    let read = [
        "erp",
        "read",
        "sale.order",
        "--select",
        "name,state,amount_total,partner_id",
    ];
    let found = atlas
        .done(&[&read[..], &["--filter", filter, "--order", "-amount_total"]].concat())
        .await;
    let records = found["records"].as_array().unwrap();
    assert_eq!((records.len(), &found["count"]), (2, &json!(2)), "{found:#}");
    // Exact numbers travel as text.
    assert!(records[0]["fields"]["amount_total"].is_string(), "{found:#}");
    assert!(records.iter().all(|record| record["fields"]["state"] == "sale"));

    let none = atlas
        .done(&[&read[..], &["--filter", "name = 'no such order'"]].concat())
        .await;
    assert_eq!((&none["records"], &none["count"]), (&json!([]), &json!(0)));
    let lines = atlas
        .done(&[
            "erp",
            "read",
            "sale.order",
            "--expand",
            "order_line(product_id,product_uom_qty)",
            "--limit",
            "1",
        ])
        .await;
    let line = &lines["records"][0]["fields"]["order_line"][0];
    assert!(
        line["product_uom_qty"].is_string() || line["product_uom_qty"].is_number(),
        "{lines:#}"
    );

    let wrong = atlas
        .shown(&[&read[..], &["--filter", "state = sold and name = x"]].concat())
        .await;
    assert!(wrong.contains("state is one of"), "{wrong}");
    assert!(wrong.contains("  state = sold and name = x\n          ^^^^"), "{wrong}");
    let wrong = atlas.ends(2, &[&read[..], &["--filter", "stat = sale"]].concat()).await;
    assert!(
        wrong["error"]["message"].as_str().unwrap().contains("state?"),
        "{wrong:#}"
    );
    let plan = atlas
        .done(&[&read[..], &["--filter", filter, "--explain"]].concat())
        .await;
    assert!(plan["request"].as_str().unwrap().contains("sale"), "{plan:#}");

    let table = atlas
        .shown(&[&read[..], &["--filter", filter, "--count"]].concat())
        .await;
    assert!(table.contains("KEY") && table.contains("2 of 2"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 140), "{table}");

    let key = records[0]["key"].as_str().unwrap();
    let one = atlas.done(&["erp", "get", "sale.order", key, "--select", "name"]).await;
    assert_eq!(one["fields"]["name"], records[0]["fields"]["name"]);
    assert_eq!(
        atlas.ends(1, &["erp", "get", "sale.order", "99999"]).await["error"]["code"],
        "not_found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_go_on_from_their_cursor() {
    let (atlas, odoo) = connected().await;
    let changes = ["erp", "changes", "res.partner", "--select", "name"];
    let all = atlas.done(&changes).await;
    assert!(all["records"].as_array().unwrap().len() >= 8, "{all:#}");
    let cursor = all["cursor"].as_str().unwrap();
    odoo.change("res.partner", 9, "name", Json::text("Acme Renamed"));
    let since = atlas.done(&[&changes[..], &["--since", cursor]].concat()).await;
    let names: Vec<_> = since["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["fields"]["name"])
        .collect();
    assert!(names.contains(&&json!("Acme Renamed")), "{since:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_pauses_and_one_that_passes_goes_on() {
    let (atlas, _odoo) = connected().await;
    let entity = |field: &str| {
        json!({ "workflow": "orders", "services": ["sale"], "entities": [{
            "name": "sale.order", "verbs": ["read", "update"],
            "fields": [{ "name": field }, { "name": "state", "values": ["draft", "sale"] }],
        }] })
    };
    let bad = atlas.file("bad.json", &entity("loyalty_points"));
    let good = atlas.file("good.json", &entity("client_order_ref"));
    let report = atlas.ends(3, &["erp", "check", &bad]).await;
    assert_eq!(report["faults"][0]["fault"], "field_missing", "{report:#}");
    let paused = atlas.ends(3, &["erp", "read", "sale.order"]).await;
    assert_eq!(paused["error"]["paused"], "catalog_check", "{paused:#}");
    let shown = atlas.shown(&["erp", "check", &bad]).await;
    assert!(shown.contains("WHAT TO DO"), "{shown}");
    assert_eq!(atlas.done(&["erp", "check", &good]).await["passed"], true);
    atlas.done(&["erp", "read", "sale.order"]).await;

    let saved = atlas.path("catalog.json");
    let saved = saved.to_str().unwrap();
    atlas.done(&["erp", "catalog", "sale.order", "--save", saved]).await;
    let same = atlas.done(&["erp", "catalog", "--diff", saved]).await;
    assert_eq!(
        (&same["changes"], &same["breaking"]),
        (&json!([]), &json!(false)),
        "{same:#}"
    );
    let test = atlas
        .done(&["erp", "test", "--entity", "sale.order", "--verb", "create"])
        .await;
    assert_eq!(test["passed"], true, "{test:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_leaves_once_after_its_approval() {
    let (atlas, odoo) = connected().await;
    let create = [
        "erp",
        "write",
        "create",
        "purchase.order",
        "partner_id=8",
        "--line",
        "order_line:product_id=5,product_qty=10",
        "--natural-key",
        "partner_ref=REQ-1",
        "--once",
        "job-1",
    ];
    let intent = atlas.held(&create).await;
    assert_eq!(atlas.held(&create).await, intent, "the same job is the same write");
    assert_eq!(odoo.created("purchase.order"), 0);
    let listed = atlas.shown(&["approvals", "list"]).await;
    assert!(listed.contains("create purchase.order"), "{listed}");
    let review = atlas.shown(&["approvals", "show", &intent]).await;
    assert!(
        review.contains("product_qty 10") && review.contains("REQ-1"),
        "{review}"
    );

    let (code, ended) = atlas.approve(&intent).await;
    assert_eq!((code, &ended["state"]), (0, &"sent".into()), "{ended:#}");
    assert_eq!(odoo.created("purchase.order"), 1);
    assert!(ended["outcome"]["key"].is_string(), "{ended:#}");
    let again = atlas.done(&create).await;
    assert_eq!(
        (&again["id"], &again["state"]),
        (&json!(intent), &json!("sent")),
        "{again:#}"
    );

    // The answer is lost after the commit: it is looked up once the system has come to rest, and never written again.
    let intent = atlas
        .held(&[
            "erp",
            "write",
            "create",
            "purchase.order",
            "partner_id=10",
            "--natural-key",
            "partner_ref=REQ-2",
        ])
        .await;
    odoo.faults().next("purchase.order.load", Fault::CutAfter);
    let (code, ended) = atlas.approve(&intent).await;
    assert_eq!((code, &ended["state"]), (4, &"sending".into()), "{ended:#}");
    atlas.done(&["outbox", "run"]).await;
    let listed = atlas.shown(&["outbox", "list"]).await;
    assert!(listed.contains("sending") && listed.contains("erp.write"), "{listed}");
    assert_eq!(odoo.created("purchase.order"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_and_a_refusal_say_why_and_rules_forbid() {
    let (atlas, odoo) = connected().await;
    let update = ["erp", "write", "update", "res.partner", "9", "phone=+1 555 0100"];
    let intent = atlas.held(&update).await;
    odoo.change("res.partner", 9, "phone", Json::text("+1 555 0199"));
    let (code, ended) = atlas.approve(&intent).await;
    assert_eq!((code, &ended["reason"]), (1, &"conflict".into()), "{ended:#}");

    let intent = atlas
        .held(&["erp", "write", "create", "sale.order", "client_order_ref=NOBODY"])
        .await;
    let (code, ended) = atlas.approve(&intent).await;
    assert_eq!((code, &ended["reason"]), (1, &"rejected".into()), "{ended:#}");
    assert!(!ended["rejection"].is_null(), "{ended:#}");
    assert_eq!(odoo.effects(), 0);

    let rule = json!({ "name": "never-delete", "entities": [], "verbs": ["delete"], "actions": [], "companies": [] });
    let rules = atlas.file("rules.json", &json!({ "deny": [rule], "allow": [] }));
    let denied = atlas
        .ends(6, &["erp", "write", "delete", "res.partner", "9", "--rules", &rules])
        .await;
    assert_eq!(denied["rule"], "never-delete", "{denied:#}");
    let wrong = atlas
        .ends(2, &["erp", "write", "update", "res.partner", "9", "telephone=1"])
        .await;
    assert!(
        wrong["error"]["message"].as_str().unwrap().contains("no field"),
        "{wrong:#}"
    );
}
