//! Cuts, drips, bad chunks, bombs, huge headers, redirects, dead connections, names.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use atlas_connectors::error::{BadPayload, Effect, EgressRule, ErrorKind, Unreachable};
use atlas_connectors::http::{
    BodyLimits, EgressRules, HttpTransport as _, NameResolver, ReqwestTransport, ReqwestTransportBuilder,
};
use atlas_connectors::{Error, Result};
use bytes::Bytes;

use crate::stub::{Act, Stub, answer};

pub(crate) fn builder() -> ReqwestTransportBuilder {
    ReqwestTransport::builder()
        .with_egress(EgressRules::strict().allow_loopback())
        .with_connect_timeout(Duration::from_millis(500))
        .with_read_timeout(Duration::from_millis(300))
}

async fn get(transport: &ReqwestTransport, url: &str) -> Result<http::Response<Bytes>> {
    let request = http::Request::get(url).body(Bytes::new()).unwrap();
    transport.send(request).await
}

async fn post(transport: &ReqwestTransport, url: &str) -> Result<http::Response<Bytes>> {
    let request = http::Request::post(url).body(Bytes::from_static(b"{}")).unwrap();
    transport.send(request).await
}

async fn outcome(acts: impl IntoIterator<Item = Act>) -> (Result<http::Response<Bytes>>, Stub) {
    let stub = Stub::start(acts).await;
    let transport = builder().build().unwrap();
    (get(&transport, &stub.url("/x")).await, stub)
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn verdict(error: &Error) -> (&'static str, Effect) {
    (error.code(), error.effect())
}

#[tokio::test]
async fn a_plain_and_a_compressed_answer_come_through() {
    let (plain, stub) = outcome([Act::Write(answer("200 OK\ncontent-length: 2\nx-a: b", b"{}"))]).await;
    let plain = plain.unwrap();
    assert_eq!(
        (plain.body().as_ref(), &plain.headers()["x-a"]),
        (b"{}".as_ref(), &"b".parse().unwrap())
    );
    // Google compresses only for those who name gzip twice.
    let head = stub.requests().remove(0).to_ascii_lowercase();
    assert!(head.contains("accept-encoding: gzip"), "{head}");
    assert!(
        head.contains("user-agent: atlas-connectors/") && head.contains("(gzip)"),
        "{head}"
    );

    let body = gzip(b"a long page, a long page, a long page");
    let head = format!("200 OK\ncontent-encoding: gzip\ncontent-length: {}", body.len());
    let (packed, _) = outcome([Act::Write(answer(&head, &body))]).await;
    let packed = packed.unwrap();
    assert_eq!(packed.body().as_ref(), b"a long page, a long page, a long page");
    assert!(!packed.headers().contains_key("content-encoding") && !packed.headers().contains_key("content-length"));
}

#[tokio::test]
async fn a_status_is_not_an_error() {
    for status in ["404 Not Found", "500 Oh No", "204 No Content", "308 Resume Incomplete"] {
        let (answer, _) = outcome([Act::Write(answer(&format!("{status}\ncontent-length: 0"), b""))]).await;
        assert_eq!(answer.unwrap().status().as_str(), &status[..3]);
    }
}

#[tokio::test]
async fn every_cut_is_truncated_and_never_a_shorter_page() {
    let packed = gzip(&b"page ".repeat(1000));
    let half = &packed[..packed.len() / 2];
    let cases = [
        answer("200 OK\ncontent-length: 100", b"only this"),
        answer("200 OK\ntransfer-encoding: chunked", b"5\r\nfirst\r\n"),
        answer("200 OK\ntransfer-encoding: chunked", b"ff\r\nfirst"),
        answer(
            "200 OK\ntransfer-encoding: chunked",
            b"5\r\nfirst\r\nzz\r\nbad size\r\n",
        ),
        answer(
            &format!("200 OK\ncontent-encoding: gzip\ncontent-length: {}", half.len()),
            half,
        ),
        // Ends with the connection, which is an honest end for plain text but not for gzip.
        answer("200 OK\ncontent-encoding: gzip", half),
    ];
    for (at, bytes) in cases.into_iter().enumerate() {
        let (result, _) = outcome([Act::Write(bytes)]).await;
        let error = result.unwrap_err();
        assert_eq!(verdict(&error), ("bad_payload.truncated", Effect::Unknown), "case {at}");
    }
}

#[tokio::test]
async fn bombs_and_floods_end_at_the_caps() {
    let bomb = gzip(&vec![0u8; 64 << 20]);
    let head = format!("200 OK\ncontent-encoding: gzip\ncontent-length: {}", bomb.len());
    let (result, _) = outcome([Act::Write(answer(&head, &bomb))]).await;
    assert_eq!(result.unwrap_err().kind(), &ErrorKind::BadPayload(BadPayload::TooLarge));
    // Announced.
    let (result, _) = outcome([Act::Write(answer("200 OK\ncontent-length: 99999999999", b""))]).await;
    assert_eq!(result.unwrap_err().code(), "bad_payload.too_large");
    // Not announced.
    let stub = Stub::start([Act::Write(answer("200 OK", &vec![b'x'; 1 << 20]))]).await;
    let transport = builder()
        .with_limits(BodyLimits::default().with_compressed(1000))
        .build()
        .unwrap();
    assert_eq!(
        get(&transport, &stub.url("/")).await.unwrap_err().code(),
        "bad_payload.too_large"
    );
    // Too many headers, and one that is too long.
    let many: String = (0..200).map(|n| format!("\nx-{n}: y")).collect();
    let long = format!("\nx-long: {}", "y".repeat(2 << 20));
    for headers in [many, long] {
        let (result, _) = outcome([Act::Write(answer(&format!("200 OK{headers}"), b""))]).await;
        assert_eq!(
            verdict(&result.unwrap_err()),
            ("bad_payload.too_large", Effect::Unknown)
        );
    }
}

#[tokio::test]
async fn what_is_not_http_is_bad_syntax() {
    let (result, _) = outcome([Act::Write(b"220 mail.example ESMTP ready\r\n".to_vec())]).await;
    assert_eq!(verdict(&result.unwrap_err()), ("bad_payload.syntax", Effect::Unknown));
}

#[tokio::test]
async fn silence_and_pauses_end_in_time() {
    let (result, _) = outcome([Act::Silence]).await;
    assert_eq!(verdict(&result.unwrap_err()), ("unreachable.timeout", Effect::Unknown));
    // A body that stops for longer than the setting.
    let slow = Act::Drip(
        answer("200 OK\ncontent-length: 9", b"a"),
        vec![b'b'; 8],
        Duration::from_secs(5),
    );
    let (result, _) = outcome([slow]).await;
    assert_eq!(verdict(&result.unwrap_err()), ("unreachable.timeout", Effect::Unknown));
    // One that merely is slow comes through.
    let steady = Act::Drip(
        answer("200 OK\ncontent-length: 5", b"a"),
        vec![b'b'; 4],
        Duration::from_millis(20),
    );
    let (result, _) = outcome([steady]).await;
    assert_eq!(result.unwrap().body().as_ref(), b"abbbb");
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_sent_once() {
    let stub = Stub::start([Act::Close]).await;
    let transport = builder().build().unwrap();
    let error = post(&transport, &stub.url("/send")).await.unwrap_err();
    assert_eq!(verdict(&error), ("transient", Effect::Unknown));
    assert_eq!(stub.requests().len(), 1);

    // The same on a connection that was used before, where libraries like to try again by themselves.
    let stub = Stub::start([Act::Keep(answer("200 OK\ncontent-length: 0", b"")), Act::Close]).await;
    post(&transport, &stub.url("/send")).await.unwrap();
    let error = post(&transport, &stub.url("/send")).await.unwrap_err();
    assert_eq!(verdict(&error), ("transient", Effect::Unknown));
    assert_eq!((stub.requests().len(), stub.connections()), (2, 1));
}

#[tokio::test]
async fn nobody_there_means_that_nothing_left() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let transport = builder().build().unwrap();
    let error = post(&transport, &format!("http://{address}/send")).await.unwrap_err();
    assert_eq!(verdict(&error), ("unreachable.connect", Effect::None));
    // A handshake that never goes on.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let error = post(&transport, &url).await.unwrap_err();
    assert_eq!(verdict(&error), ("unreachable.timeout", Effect::None));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_second_host_hears_nothing() {
    let second = Stub::start([Act::Write(answer("200 OK\ncontent-length: 0", b""))]).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let head = format!(
            "{status}\nlocation: {}\ncontent-length: 0",
            second.url("/steal?code=canary")
        );
        let first = Stub::start([Act::Write(answer(&head, b""))]).await;
        let transport = builder().build().unwrap();
        let request = http::Request::get(first.url("/"))
            .header("authorization", "Bearer canary")
            .body(Bytes::new())
            .unwrap();
        let error = transport.send(request).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::EgressDenied(EgressRule::Redirect), "{status}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    assert_eq!(second.connections(), 0);
}

#[tokio::test]
async fn strict_rules_reach_nobody_inside() {
    let stub = Stub::start([Act::Write(answer("200 OK\ncontent-length: 0", b""))]).await;
    let transport = ReqwestTransport::new().unwrap();
    let port = stub.address.port();
    for (url, rule) in [
        (format!("http://127.0.0.1:{port}/"), EgressRule::Scheme),
        (format!("https://127.0.0.1:{port}/"), EgressRule::Address),
        (format!("https://localhost:{port}/"), EgressRule::Address),
        (format!("https://0x7f.1:{port}/"), EgressRule::Url),
        (format!("https://user@127.0.0.1:{port}/"), EgressRule::Url),
    ] {
        let error = get(&transport, &url).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::EgressDenied(rule), "{url}");
        assert_eq!(error.effect(), Effect::None);
    }
    assert_eq!(stub.connections(), 0);
}

/// Gives one list of addresses after the other, the last one for ever.
#[derive(Debug)]
struct Names(Vec<Vec<&'static str>>, AtomicUsize);

#[async_trait::async_trait]
impl NameResolver for Names {
    async fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
        let at = self.1.fetch_add(1, Ordering::SeqCst).min(self.0.len() - 1);
        match self.0.get(at) {
            Some(list) if list == &["NXDOMAIN"] => Err(std::io::Error::other("no such host")),
            Some(list) => Ok(list.iter().map(|address| address.parse().unwrap()).collect()),
            None => Ok(Vec::new()),
        }
    }
}

#[tokio::test]
async fn what_a_name_resolves_to_is_checked_each_time() {
    let names = |lists: Vec<Vec<&'static str>>| Arc::new(Names(lists, AtomicUsize::new(0)));
    let fails = async |lists| {
        let transport = builder().with_resolver(names(lists)).build().unwrap();
        get(&transport, "https://erp.example/").await.unwrap_err()
    };
    let dns = ErrorKind::Unreachable(Unreachable::Dns);
    let address = ErrorKind::EgressDenied(EgressRule::Address);
    assert_eq!(fails(vec![vec!["NXDOMAIN"]]).await.kind(), &dns);
    assert_eq!(fails(vec![vec![]]).await.kind(), &dns);
    for inside in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
        "fd00:ec2::254",
        "100.64.0.1",
    ] {
        let error = fails(vec![vec![inside]]).await;
        assert_eq!((error.kind(), error.effect()), (&address, Effect::None), "{inside}");
    }
    assert_eq!(fails(vec![vec!["93.184.216.34", "10.0.0.1"]]).await.kind(), &address);

    // Rebinding: allowed at first, elsewhere the next time. The second connection is not made.
    let stub = Stub::start([Act::Close]).await;
    let rules = EgressRules::strict().allow("rebind.example", "127.0.0.0/8").unwrap();
    let transport = builder()
        .with_egress(rules)
        .with_resolver(names(vec![vec!["127.0.0.1"], vec!["10.0.0.1"]]))
        .build()
        .unwrap();
    let url = format!("https://rebind.example:{}/", stub.address.port());
    let first = get(&transport, &url).await.unwrap_err();
    assert_ne!(first.kind(), &address, "the first one gets as far as the handshake");
    assert_eq!(stub.connections(), 1);
    assert_eq!(get(&transport, &url).await.unwrap_err().kind(), &address);
    assert_eq!(stub.connections(), 1);
}
