//! The mock of Business Central over HTTP: the oddities of the service that a client has to live with.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::Duration;

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::ManualClock;
use atlas_connectors::testkit::server::{Answer, Fault, Request, Server};
use atlas_connectors_erp::business_central::webhooks;
use atlas_connectors_erp::mock::business_central::{
    ApiError, BusinessCentral, COMPANY, DOMAIN, FULL, NO_PURCHASING, NO_USER, ONE_COMPANY, OTHER, READER, Rights,
    SECOND_COMPANY, TENANT,
};
use serde_json::{Value, json};

#[path = "business_central/support.rs"]
mod support;

use support::ask;

fn root(service: &BusinessCentral) -> String {
    format!("{}/v2.0/{TENANT}/Production/api/v2.0", service.uri())
}

fn company(service: &BusinessCentral) -> String {
    format!("{}/companies({COMPANY})", root(service))
}

async fn rows(url: &str, headers: &[(&str, &str)]) -> Value {
    let answer = ask("GET", url, FULL, headers, "").await;
    assert_eq!(answer.status, 200, "{url}: {}", answer.code());
    answer.json()
}

fn numbers(page: &Value) -> Vec<String> {
    page["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["number"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_follow_the_last_key_and_top_ends_without_a_link() {
    let service = BusinessCentral::start().await;
    let url = format!("{}/customers?$select=number&$count=true", company(&service));
    let small = [("prefer", "odata.maxpagesize=5")];
    let first = rows(&url, &small).await;
    assert_eq!(first["@odata.count"], 12);
    let link = first["@odata.nextLink"].as_str().unwrap().to_owned();
    assert!(
        link.starts_with(&company(&service)) && link.contains("$skiptoken="),
        "{link}"
    );
    // What is deleted and made meanwhile moves nothing.
    let ids = service.ids(COMPANY, "customers");
    assert!(service.erase(COMPANY, "customers", &ids[0]));
    assert!(service.put(COMPANY, "customers", r#"{"displayName":"Late"}"#).is_some());
    let second = rows(&link, &small).await;
    assert_eq!(
        numbers(&second),
        ["C100006", "C100007", "C100008", "C100009", "C100010"]
    );
    let third = rows(second["@odata.nextLink"].as_str().unwrap(), &small).await;
    assert_eq!(numbers(&third), ["C100011", "C100012", "C100013"]);
    assert!(third["@odata.nextLink"].is_null());

    let top = rows(&format!("{url}&$top=3"), &[]).await;
    assert_eq!(numbers(&top).len(), 3);
    assert!(
        top["@odata.nextLink"].is_null(),
        "more rows are there, and no link says so"
    );
    let huge = ask("GET", &url, FULL, &[("prefer", "odata.maxpagesize=20001")], "").await;
    assert_eq!(huge.status, 413);
}

#[tokio::test]
async fn filters_have_the_service_s_gaps() {
    let service = BusinessCentral::start().await;
    let at = company(&service);
    let found = rows(
        &format!("{at}/customers?$filter=number eq 'C100001' or number eq 'C100003'"),
        &[],
    )
    .await;
    assert_eq!(numbers(&found), ["C100001", "C100003"]);
    let refused = ask(
        "GET",
        &format!("{at}/customers?$filter=number eq 'C100001' or city eq 'Chicago'"),
        FULL,
        &[],
        "",
    )
    .await;
    assert_eq!(
        (refused.status, &*refused.code()),
        (400, "BadRequest_MethodNotImplemented")
    );
    let ignored = rows(
        &format!("{at}/salesOrders?$filter=salesOrderLines/any(l: l/quantity gt 100)"),
        &[],
    )
    .await;
    assert_eq!(
        ignored["value"].as_array().unwrap().len(),
        12,
        "a lambda is ignored without a word"
    );
    let flat = ask("GET", &format!("{at}/salesOrderLines"), FULL, &[], "").await;
    assert_eq!((flat.status, &*flat.code()), (400, "Application_DialogException"));
    let order = service.ids(COMPANY, "salesOrders")[1].clone();
    for path in [
        format!("{at}/salesOrderLines?$filter=documentId eq {order}"),
        format!("{at}/salesOrders({order})/salesOrderLines"),
    ] {
        assert_eq!(rows(&path, &[]).await["value"].as_array().unwrap().len(), 2, "{path}");
    }
    let unknown = ask("GET", &format!("{at}/customers?$filter=colour eq 'red'"), FULL, &[], "").await;
    assert_eq!((unknown.status, &*unknown.code()), (400, "BadRequest"));
    let quoted = rows(
        &format!("{at}/items?$filter=contains(displayName,'Chair, b')&$select=number"),
        &[],
    )
    .await;
    assert_eq!(quoted["value"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn etags_guard_writes() {
    let service = BusinessCentral::start().await;
    let at = format!(
        "{}/customers({})",
        company(&service),
        service.ids(COMPANY, "customers")[0]
    );
    let body = r#"{"displayName":"Renamed"}"#;
    let without = ask("PATCH", &at, FULL, &[], body).await;
    assert_eq!((without.status, &*without.code()), (400, "BadRequest_InvalidToken"));
    let etag = ask("GET", &at, FULL, &[], "").await.header("etag").unwrap().to_owned();
    assert!(etag.starts_with("W/\""));
    let changed = ask("PATCH", &at, FULL, &[("if-match", &etag)], body).await;
    assert_eq!(changed.status, 200);
    let stale = ask("PATCH", &at, FULL, &[("if-match", &etag)], body).await;
    assert_eq!((stale.status, &*stale.code()), (409, "Request_EntityChanged"));
    assert_eq!(ask("DELETE", &at, FULL, &[("if-match", &etag)], "").await.status, 409);
    assert_eq!(ask("DELETE", &at, FULL, &[], "").await.status, 204);
    let intent = ask("DELETE", &at, FULL, &[("data-access-intent", "ReadOnly")], "").await;
    assert_eq!(intent.status, 400);
    assert_eq!(
        (
            service.counters().updated["customers"],
            service.counters().deleted["customers"]
        ),
        (1, 1)
    );

    let older = BusinessCentral::builder().stale_is_412().start().await;
    let at = format!("{}/customers({})", company(&older), older.ids(COMPANY, "customers")[0]);
    assert_eq!(
        ask("PATCH", &at, FULL, &[("if-match", "W/\"x\"")], body).await.status,
        412
    );
}

#[tokio::test]
async fn actions_run_in_any_case_and_cannot_be_undone() {
    let service = BusinessCentral::start().await;
    let order = service.ids(COMPANY, "salesOrders")[0].clone();
    let at = format!("{}/salesOrders({order})", company(&service));
    let posted = ask("POST", &format!("{at}/Microsoft.NAV.SHIPANDINVOICE"), FULL, &[], "").await;
    assert_eq!(posted.status, 204);
    assert_eq!(service.counters().actions["salesOrders.shipAndInvoice"], 1);
    assert_eq!(ask("GET", &at, FULL, &[], "").await.code(), "Internal_RecordNotFound");
    let invoice = rows(
        &format!("{}/salesInvoices?$filter=orderId eq {order}", company(&service)),
        &[],
    )
    .await;
    assert_eq!(invoice["value"][0]["status"], "Open");
    assert_eq!(
        ask("POST", &format!("{at}/Microsoft.NAV.fly"), FULL, &[], "")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_batch_stops_goes_on_or_lies() {
    let service = BusinessCentral::start().await;
    let url = format!("{}/$batch", root(&service));
    let customer = |id: &str, body: Value| {
        json!({"id": id, "method": "POST", "url": format!("companies({COMPANY})/customers"), "body": body,
            "headers": {"content-type": "application/json"}})
    };
    let three = json!({"requests": [
        customer("1", json!({"displayName": "A"})), customer("2", json!({})), customer("3", json!({"displayName": "C"})),
    ]})
    .to_string();
    let statuses = |answer: &support::Answered| -> Vec<u64> {
        let json = answer.json();
        json["responses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["status"].as_u64().unwrap())
            .collect()
    };
    let stopped = ask("POST", &url, FULL, &[], &three).await;
    assert_eq!((stopped.status, statuses(&stopped)), (200, vec![201, 400]));
    assert_eq!(service.counters().created_in("customers"), 1);
    let all = ask("POST", &url, FULL, &[("prefer", "odata.continue-on-error")], &three).await;
    assert_eq!(statuses(&all), [201, 400, 201]);
    assert_eq!(service.counters().created_in("customers"), 3);
    let before = service.ids(COMPANY, "customers").len();
    let void = ask("POST", &url, FULL, &[("isolation", "snapshot")], &three).await;
    assert_eq!(statuses(&void), [201, 400], "it says 201 of what it rolled back");
    assert_eq!(
        (
            service.counters().created_in("customers"),
            service.ids(COMPANY, "customers").len()
        ),
        (3, before)
    );
    let many: Vec<Value> = (0..101)
        .map(|at| customer(&at.to_string(), json!({"displayName": "X"})))
        .collect();
    let refused = ask("POST", &url, FULL, &[], &json!({"requests": many}).to_string()).await;
    assert_eq!(refused.status, 500);
}

#[tokio::test]
async fn companies_rights_and_tenants_are_kept_apart() {
    let service = BusinessCentral::start().await;
    let at = root(&service);
    let names = |answer: &support::Answered| answer.json()["value"].as_array().unwrap().len();
    assert_eq!(names(&ask("GET", &format!("{at}/companies"), FULL, &[], "").await), 2);
    assert_eq!(
        names(&ask("GET", &format!("{at}/companies"), ONE_COMPANY, &[], "").await),
        1
    );
    for (token, path, status, code) in [
        (
            NO_USER,
            "companies".to_owned(),
            401,
            "Authentication_InvalidCredentials",
        ),
        (OTHER, "companies".to_owned(), 401, "Authentication_InvalidCredentials"),
        (
            "nonsense",
            "companies".to_owned(),
            401,
            "Authentication_InvalidCredentials",
        ),
        (
            ONE_COMPANY,
            format!("companies({SECOND_COMPANY})/items"),
            401,
            "Authentication_InvalidCredentials",
        ),
        (
            FULL,
            format!("companies({TENANT})/items"),
            404,
            "Internal_CompanyNotFound",
        ),
        (
            NO_PURCHASING,
            format!("companies({COMPANY})/purchaseOrders"),
            403,
            "Internal_ServerError",
        ),
        (
            FULL,
            format!("companies({COMPANY})/trucks"),
            404,
            "BadRequest_ResourceNotFound",
        ),
    ] {
        let answer = ask("GET", &format!("{at}/{path}"), token, &[], "").await;
        assert_eq!((answer.status, &*answer.code()), (status, code), "{token} {path}");
    }
    let write = ask(
        "POST",
        &format!("{at}/companies({COMPANY})/customers"),
        READER,
        &[],
        r#"{"displayName":"x"}"#,
    )
    .await;
    assert_eq!(write.status, 403);
    assert!(
        write.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("(TableData 18 Customer Insert: Base Application)")
    );
    let post = ask("POST", &format!("{at}/companies"), FULL, &[], "{}").await;
    assert_eq!((post.status, &*post.code()), (405, "BadRequest_MethodNotAllowed"));
    let short = format!("{}/v2.0/production/api/v2.0/companies", service.uri());
    assert_eq!(ask("GET", &short, FULL, &[], "").await.status, 200);
    assert_eq!(
        ask(
            "GET",
            &format!("{}/v2.0/{DOMAIN}/Nowhere/api/v2.0/companies", service.uri()),
            FULL,
            &[],
            ""
        )
        .await
        .code(),
        "NoEnvironment"
    );
    assert_eq!(service.counters().default_company, 0);
    assert_eq!(ask("GET", &format!("{at}/items"), FULL, &[], "").await.status, 200);
    assert_eq!(
        service.counters().default_company,
        1,
        "nothing tells the client which company it was"
    );
    service.hide("Production", "items");
    assert_eq!(
        ask("GET", &format!("{at}/companies({COMPANY})/items"), FULL, &[], "")
            .await
            .status,
        404
    );
    assert!(
        !String::from_utf8_lossy(&ask("GET", &format!("{at}/$metadata"), FULL, &[], "").await.body)
            .contains("\"items\"")
    );
}

#[tokio::test]
async fn what_a_create_leaves_out_is_filled_in_and_numbers_keep_their_digits() {
    let service = BusinessCentral::start().await;
    let at = company(&service);
    let id = "0ae2a5b0-7b5e-4f8e-9d5e-1c2d3e4f5a6b";
    let body = format!(
        r#"{{"id":"{id}","customerNumber":"C100002","currencyCode":"eur","salesOrderLines":[{{"lineObjectNumber":"1900-s","quantity":3,"unitPrice":1234567890123456789.123456789}}]}}"#
    );
    let made = ask("POST", &format!("{at}/salesOrders"), FULL, &[], &body).await;
    assert_eq!(made.status, 201, "{}", made.code());
    let json = made.json();
    assert_eq!(
        (json["id"].as_str(), json["currencyCode"].as_str()),
        (Some(id), Some("EUR"))
    );
    assert_eq!(json["requestedDeliveryDate"], "0001-01-01");
    assert_eq!(json["currencyId"], "00000000-0000-0000-0000-000000000000");
    assert_eq!(json["salesOrderLines"][0]["description"], "AMSTERDAM Lamp 5");
    let total = service
        .field(COMPANY, "salesOrders", id, "totalAmountExcludingTax")
        .unwrap();
    assert_eq!(total, "3703703670370370367.370370367");
    assert!(String::from_utf8_lossy(&made.body).contains("\"unitPrice\":1234567890123456789.123456789"));
    let again = ask("POST", &format!("{at}/salesOrders"), FULL, &[], &body).await;
    assert_eq!(
        (again.status, &*again.code()),
        (400, "Internal_EntityWithSameKeyExists")
    );
    for (set, body, code) in [
        (
            "salesOrders",
            r#"{"number":"X","customerNumber":"C100002"}"#,
            "Application_DialogException",
        ),
        ("salesOrders", "{}", "Application_DialogException"),
        ("customers", r#"{"displayName":"x","type":"Alien"}"#, "Unknown"),
        ("customers", r#"{"displayName":"x","colour":"red"}"#, "BadRequest"),
        ("customers", r#"{"displayName":"x","balanceDue":1}"#, "BadRequest"),
        (
            "customers",
            r#"{"displayName":"x","postalCode":"123456789012345678901"}"#,
            "Application_StringExceededLength",
        ),
        (
            "customers",
            r#"{"displayName":"x","currencyId":"7"}"#,
            "Application_InvalidGUID",
        ),
        ("customers", "{", "BadRequest"),
    ] {
        let refused = ask("POST", &format!("{at}/{set}"), FULL, &[], body).await;
        assert_eq!((refused.status, &*refused.code()), (400, code), "{body}");
    }
    assert_eq!(service.counters().effects(), 1);
}

#[tokio::test]
async fn faults_limits_and_a_lagging_replica() {
    let clock = ManualClock::new(Timestamp::from_unix_seconds(1_780_000_000));
    let service = BusinessCentral::builder().clock(clock.clone()).rate(3).start().await;
    let url = format!("{}/customers?$select=displayName", company(&service));
    service
        .faults()
        .next("customers.list", BusinessCentral::refusal(&ApiError::unavailable()));
    service.faults().next("customers.list", Fault::html(502));
    assert_eq!(ask("GET", &url, FULL, &[], "").await.status, 503);
    assert_eq!(
        ask("GET", &url, FULL, &[], "").await.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let id = service.ids(COMPANY, "customers")[0].clone();
    service.freeze_replica();
    assert!(service.edit(COMPANY, "customers", &id, r#"{"displayName":"New"}"#));
    let read_only = [("data-access-intent", "ReadOnly")];
    let name = |page: &Value| page["value"][0]["displayName"].as_str().unwrap().to_owned();
    assert_ne!(name(&rows(&url, &read_only).await), "New");
    assert_eq!(name(&rows(&url, &[]).await), "New");
    assert_eq!(rows(&url, &[]).await["value"].as_array().unwrap().len(), 12);
    assert_eq!(
        ask("GET", &url, FULL, &[], "").await.code(),
        "Application_TooManyRequests"
    );
    clock.advance(Duration::from_secs(301));
    assert_eq!(ask("GET", &url, FULL, &[], "").await.status, 200);

    service.set_api_enabled(false);
    assert_eq!(ask("GET", &url, FULL, &[], "").await.status, 405);
}

#[tokio::test]
async fn tokens_of_a_sign_in_are_taken() {
    let service = BusinessCentral::builder()
        .identify(|token| token.strip_prefix("signed-in-as-").map(str::to_owned))
        .start()
        .await;
    service.add_user("anna@contoso.example", "unused", TENANT, Rights::reader());
    let url = format!("{}/companies", root(&service));
    assert_eq!(
        ask("GET", &url, "signed-in-as-anna@contoso.example", &[], "")
            .await
            .status,
        200
    );
    assert_eq!(ask("GET", &url, "signed-in-as-nobody", &[], "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_shake_hands_renew_and_notify() {
    let host = Server::start(|request: &Request| match webhooks::handshake(&request.raw_query) {
        Some(token) => Answer::of(200, "text/plain", token),
        None if webhooks::notifications(&request.body).is_ok_and(|notices| {
            notices.len() == 1
                && notices[0].is_from(&"the-state".into())
                && notices[0].resource.entity() == Some("customers")
        }) =>
        {
            Answer::empty(202)
        }
        None => Answer::empty(400),
    })
    .await
    .unwrap();
    let service = BusinessCentral::start().await;
    let url = format!("{}/subscriptions", root(&service));
    let resource = format!("/api/v2.0/companies({COMPANY})/customers");
    let body =
        |url: &str| json!({"notificationUrl": url, "resource": resource, "clientState": "the-state"}).to_string();
    let deaf = ask("POST", &url, FULL, &[], &body("http://127.0.0.1:1/")).await;
    assert_eq!(deaf.status, 400);
    let made = ask("POST", &url, FULL, &[], &body(host.uri())).await;
    assert_eq!(made.status, 201);
    let subscription = webhooks::Subscription::read(&made.body).unwrap();
    assert_eq!(subscription.resource.path(), resource.trim_start_matches('/'));
    let one = format!("{url}('{}')", subscription.id);
    assert_eq!(
        ask("PATCH", &one, FULL, &[], "{}").await.code(),
        "BadRequest_InvalidToken"
    );
    let etag = subscription.etag.clone().unwrap();
    assert_eq!(ask("PATCH", &one, FULL, &[("if-match", &etag)], "{}").await.status, 200);
    assert_eq!(service.subscriptions(), 1);
    let told = service.notify(&format!("api/v2.0/companies({COMPANY})/customers(x)"), "updated");
    assert_eq!(told, [202]);
    assert_eq!(ask("DELETE", &one, FULL, &[], "").await.status, 204);
    assert_eq!(service.subscriptions(), 0);
}
