//! Tokens, cookies and logon against the mock, on one session with many users at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::credential::Basic;
use atlas_connectors::error::Effect;
use atlas_connectors::http::{ConnectionGate, EgressRules, Governor, Quota, ReqwestTransport, RetryPolicy};
use atlas_connectors::testkit::server::Fault;
use atlas_connectors::{ConnectionRef, Epoch, SystemClock};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};

use super::session::{Service, Session, SessionSettings};
use super::*;
use crate::mock::Sap;
use crate::mock::sap::{PASSWORD, READER, Tokens, WRITER};

fn session(sap: &Sap, user: &str, password: &str) -> (Arc<Session>, Service) {
    session_with(
        sap,
        SapAuth::Basic(Basic {
            user: user.into(),
            password: password.to_owned().into(),
        }),
    )
}

fn session_with(sap: &Sap, auth: SapAuth) -> (Arc<Session>, Service) {
    let transport = ReqwestTransport::builder()
        .with_egress(EgressRules::strict().allow_loopback())
        .build()
        .unwrap();
    let clock: Arc<dyn atlas_connectors::Clock> = Arc::new(SystemClock);
    let session = Session::new(SessionSettings {
        connection: ConnectionRef {
            tenant: "acme".into(),
            connection: "sap".into(),
            epoch: Epoch::FIRST,
            provider: provider(),
        },
        system: SystemAddress::parse(sap.uri()).unwrap().with_client("100").unwrap(),
        auth,
        transport: Arc::new(transport),
        governor: Governor::new(Quota::uncounted().with_concurrency(64), Arc::clone(&clock)),
        gate: ConnectionGate::new(),
        retry: RetryPolicy::never(),
        deadline: Duration::from_secs(20),
        max_body: 8 * 1024 * 1024,
        clock,
    })
    .unwrap();
    let service = session
        .service(&ServiceAddress::parse("API_SALES_ORDER_SRV").unwrap())
        .unwrap();
    (Arc::new(session), service)
}

fn request(session: &Session, service: &Service, method: Method, path: &str, body: &str) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(session.system().resource(&service.address, path, ""))
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap()
}

fn order(session: &Session, service: &Service) -> Request<Bytes> {
    let body = r#"{"SalesOrderType":"OR","SoldToParty":"1000000","to_Item":[{"Material":"TG0000","RequestedQuantity":"1.000"}]}"#;
    request(session, service, Method::POST, "A_SalesOrder", body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_share_one_token() {
    let sap = Sap::start().await.unwrap();
    let (session, service) = session(&sap, WRITER, PASSWORD);
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (session, service) = (Arc::clone(&session), service.clone());
        writers.spawn(async move {
            let request = order(&session, &service);
            session
                .write(&service, "sap.create", request)
                .await
                .map(|answer| answer.status.as_u16())
        });
    }
    while let Some(done) = writers.join_next().await {
        assert_eq!(done.unwrap().unwrap(), 201);
    }
    let counters = sap.counters();
    assert_eq!((counters.creates, counters.tokens, counters.token_refusals), (64, 1, 0));
    assert_eq!(counters.sessions, 1, "one security session for all of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_beside_writers_do_not_spoil_their_session() {
    let sap = Sap::start().await.unwrap();
    let (session, service) = session(&sap, WRITER, PASSWORD);
    // Bearers and reads may run before any session is there: each of those would begin its own.
    let mut all = tokio::task::JoinSet::new();
    for at in 0..48 {
        let (session, service) = (Arc::clone(&session), service.clone());
        all.spawn(async move {
            if at % 3 == 0 {
                let request = order(&session, &service);
                session.write(&service, "sap.create", request).await.map(|_| ())
            } else {
                let request = request(&session, &service, Method::GET, "A_SalesOrder('1')", "");
                session.read(&service, "sap.get", request).await.map(|_| ())
            }
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap().unwrap();
    }
    let counters = sap.counters();
    assert_eq!((counters.creates, counters.tokens, counters.token_refusals), (16, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_session_costs_one_fetch_for_everybody() {
    let sap = Sap::start().await.unwrap();
    let (session, service) = session(&sap, WRITER, PASSWORD);
    let first = order(&session, &service);
    session.write(&service, "sap.create", first).await.unwrap();
    sap.end_sessions();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (session, service) = (Arc::clone(&session), service.clone());
        writers.spawn(async move {
            let request = order(&session, &service);
            session.write(&service, "sap.create", request).await.map(|_| ())
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap().unwrap();
    }
    let counters = sap.counters();
    // Every write happened exactly once, though many were refused before they did.
    assert_eq!((counters.creates, counters.tokens), (17, 2));
    assert!(counters.token_refusals >= 1);
}

#[tokio::test]
async fn a_token_is_got_by_head_or_get_or_not_needed() {
    for (tokens, fetches, handed_out) in [
        (Tokens::Demanded, 1, 1),
        (Tokens::HeadRefused, 1, 1),
        (Tokens::HeadSilent, 2, 1),
        (Tokens::NotNeeded, 2, 0),
    ] {
        let sap = Sap::builder().tokens(tokens).start().await.unwrap();
        let (session, service) = session(&sap, WRITER, PASSWORD);
        for _ in 0..3 {
            let request = order(&session, &service);
            session.write(&service, "sap.create", request).await.unwrap();
        }
        let counters = sap.counters();
        assert_eq!(
            (counters.creates, counters.tokens, counters.requests_of("token")),
            (3, handed_out, fetches),
            "{tokens:?}"
        );
    }
}

#[tokio::test]
async fn a_write_that_is_refused_twice_for_its_token_ends_there() {
    let sap = Sap::start().await.unwrap();
    let (session, service) = session(&sap, WRITER, PASSWORD);
    let refusal = || {
        let mut answer = Fault::text(403, "text/plain", "CSRF-Token-Validierung ist fehlgeschlagen");
        if let Fault::Answer(answer) = &mut answer {
            answer.headers.push(("x-csrf-token".into(), "Required".into()));
        }
        answer
    };
    sap.faults().times("create", 2, refusal());
    let request = order(&session, &service);
    let error = session.write(&service, "sap.create", request).await.unwrap_err();
    assert_eq!((error.code(), error.effect()), ("permission_denied", Effect::None));
    assert_eq!((sap.counters().creates, sap.counters().tokens), (0, 2));
    // Once refused, it is fetched and repeated; the second time goes through.
    sap.faults().next("create", refusal());
    let request = order(&session, &service);
    session.write(&service, "sap.create", request).await.unwrap();
    assert_eq!((sap.counters().creates, sap.counters().tokens), (1, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_sent_once() {
    let sap = Sap::start().await.unwrap();
    let (session, service) = session(&sap, WRITER, "wrong");
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (session, service) = (Arc::clone(&session), service.clone());
        readers.spawn(async move {
            let request = request(&session, &service, Method::GET, "A_SalesOrder", "");
            session.read(&service, "sap.read", request).await.unwrap_err().code()
        });
    }
    while let Some(done) = readers.join_next().await {
        assert_eq!(done.unwrap(), "oauth.invalid_grant.revoked");
    }
    assert_eq!(sap.counters().refused_logons, 1, "more would lock the user");
}

#[tokio::test]
async fn a_403_of_the_data_is_no_reason_to_fetch_again() {
    let sap = Sap::start().await.unwrap();
    let (session, service) = session(&sap, READER, PASSWORD);
    let request = order(&session, &service);
    let error = session.write(&service, "sap.create", request).await.unwrap_err();
    assert_eq!(SapErrors::situation(&error), Situation::DataForbidden);
    assert_eq!(sap.counters().tokens, 1);
}

#[tokio::test]
async fn a_logon_page_is_a_failed_sign_in() {
    let sap = Sap::start().await.unwrap();
    let (session, service) = session(&sap, WRITER, PASSWORD);
    let read = || request(&session, &service, Method::GET, "A_SalesOrder", "");
    sap.faults().next("read", Fault::HtmlAfter);
    let error = session.read(&service, "sap.read", read()).await.unwrap_err();
    assert_eq!(error.code(), "oauth.invalid_grant.interaction_required");

    let mut redirect = Fault::text(302, "text/html", "");
    if let Fault::Answer(answer) = &mut redirect {
        answer
            .headers
            .push(("location".into(), "https://login.example/saml?RelayState=s3cret".into()));
    }
    sap.faults().next("read", redirect);
    let error = session.read(&service, "sap.read", read()).await.unwrap_err();
    assert_eq!(error.code(), "oauth.invalid_grant.interaction_required");
    assert!(!format!("{error} {error:?}").contains("s3cret"));

    // A page in answer to a write leaves open what happened.
    let order = order(&session, &service);
    sap.faults().next("create", Fault::HtmlAfter);
    let error = session.write(&service, "sap.create", order).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown);
    assert_eq!(sap.counters().creates, 1);
}

/// Headers of a destination that are old at first.
#[derive(Debug, Default)]
struct Destination(std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl ReadyHeaders for Destination {
    async fn headers(&self) -> atlas_connectors::Result<Vec<(http::HeaderName, secrecy::SecretString)>> {
        let fresh = self.0.load(std::sync::atomic::Ordering::SeqCst);
        let token = if fresh { "Bearer fresh" } else { "Bearer old" };
        Ok(vec![(http::header::AUTHORIZATION, token.to_owned().into())])
    }
    async fn refused(&self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[tokio::test]
async fn ready_headers_are_made_again_once_after_a_401() {
    let sap = Sap::start().await.unwrap();
    sap.accept_bearer("fresh");
    let (session, service) = session_with(&sap, SapAuth::Headers(Arc::new(Destination::default())));
    let request = order(&session, &service);
    session.write(&service, "sap.create", request).await.unwrap();
    assert_eq!((sap.counters().creates, sap.counters().refused_logons), (1, 1));
    assert!(!format!("{session:?}").contains("fresh"));
}
