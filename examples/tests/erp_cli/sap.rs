//! SAP: services by name, keys of several fields, an update under an ETag.

use atlas_connectors::testkit::server::{Answer, Request, Server};
use atlas_connectors_erp::mock::Sap;
use atlas_connectors_erp::mock::sap::{PASSWORD, READER, Table, WRITER};

use serde_json::json;

use super::atlas::Atlas;

#[tokio::test(flavor = "multi_thread")]
async fn a_system_is_connected_read_and_written() {
    let sap = Sap::start().await.unwrap();
    let atlas = Atlas::with_secret(PASSWORD);
    let place = [
        "erp",
        "connect",
        "sap",
        "--address",
        sap.uri(),
        "--client",
        "100",
        "--user",
    ];
    let services = ["--service", "API_SALES_ORDER_SRV", "--service", "API_BUSINESS_PARTNER"];
    let refused = atlas
        .run(&[&place[..], &["NOBODY_KNOWS"], &services[..]].concat())
        .await;
    assert_ne!(refused.0, 0, "{:#}", refused.1);
    let connected = atlas.done(&[&place[..], &[WRITER], &services[..]].concat()).await;
    assert_eq!(connected["connection"]["status"], "connected", "{connected:#}");
    assert_eq!(sap.counters().refused_logons, 1, "a wrong user is sent once");

    let filter = "SoldToParty = 1000001 and TotalNetAmount >= 200.50";
    let read = [
        "erp",
        "read",
        "A_SalesOrder",
        "--select",
        "SalesOrder,TotalNetAmount,RequestedDeliveryDate",
    ];
    let found = atlas
        .done(&[&read[..], &["--filter", filter, "--expand", "to_Item"]].concat())
        .await;
    assert!(found["count"].as_u64().unwrap() >= 2, "{found:#}");
    let item = atlas
        .done(&["erp", "get", "A_SalesOrderItem", "SalesOrder=2,SalesOrderItem=10"])
        .await;
    assert_eq!(item["fields"]["SalesOrder"], "2", "{item:#}");
    let wrong = atlas.ends(2, &["erp", "get", "A_SalesOrderItem", "2"]).await;
    let message = wrong["error"]["message"].as_str().unwrap();
    assert!(message.contains("SalesOrder=…,SalesOrderItem=…"), "{message}");

    let intent = atlas
        .held(&[
            "erp",
            "write",
            "update",
            "A_SalesOrder",
            "2",
            "RequestedDeliveryDate=2026-12-01",
        ])
        .await;
    let (code, ended) = atlas.approve(&intent).await;
    assert_eq!((code, &ended["state"]), (0, &"sent".into()), "{ended:#}");
    let stored = sap.field(Table::SalesOrder, "2", "RequestedDeliveryDate");
    assert_eq!(stored.as_deref(), Some("2026-12-01"));
    assert_eq!(sap.counters().effects(), 1);
    assert!(!atlas.keeps(PASSWORD), "the password lies in the open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oauth_client_signs_in_as_itself() {
    let sap = Sap::start().await.unwrap();
    sap.accept_bearer("made-by-the-token-endpoint");
    let tokens = Server::start(|request: &Request| {
        let body = String::from_utf8_lossy(&request.body);
        let told = body.contains("client_secret=s3cret-of-sap") || request.header("authorization").is_some();
        match request.path == "/token" && body.contains("grant_type=client_credentials") && told {
            true => Answer::json(
                200,
                &json!({ "access_token": "made-by-the-token-endpoint", "token_type": "Bearer", "expires_in": 3600 }),
            ),
            false => Answer::json(400, &json!({ "error": "invalid_client" })),
        }
    })
    .await
    .unwrap();
    let token_url = format!("{}/token", tokens.uri());
    let atlas = Atlas::with_client("CB_CLIENT", Some("s3cret-of-sap"));
    let connected = atlas
        .done(&[
            "erp",
            "connect",
            "sap",
            "--address",
            sap.uri(),
            "--service",
            "API_SALES_ORDER_SRV",
            "--token-url",
            &token_url,
        ])
        .await;
    assert_eq!(connected["connection"]["address"], "CB_CLIENT", "{connected:#}");
    let found = atlas.done(&["erp", "read", "A_SalesOrder", "--limit", "3"]).await;
    assert_eq!(found["count"], 3, "{found:#}");
    assert!(!atlas.keeps("s3cret-of-sap"), "the secret lies in the open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_refused_by_the_system_and_told_so() {
    let sap = Sap::start().await.unwrap();
    let atlas = Atlas::with_secret(PASSWORD);
    let place = [
        "erp",
        "connect",
        "sap",
        "--address",
        sap.uri(),
        "--service",
        "API_SALES_ORDER_SRV",
    ];
    atlas.done(&[&place[..], &["--user", READER]].concat()).await;
    let intent = atlas
        .held(&[
            "erp",
            "write",
            "update",
            "A_SalesOrder",
            "2",
            "RequestedDeliveryDate=2026-12-01",
        ])
        .await;
    // A right may have been given a moment ago: it is tried once more, later.
    let (code, ended) = atlas.approve(&intent).await;
    assert_eq!(
        (code, &ended["state"], &ended["reason"]),
        (4, &json!("ready"), &json!("permission_denied")),
        "{ended:#}"
    );
    assert_eq!(sap.counters().effects(), 0);
    let rejected = atlas.done(&["erp", "test", "--entity", "A_SalesOrder"]).await;
    assert_eq!(rejected["passed"], true, "{rejected:#}");
}
