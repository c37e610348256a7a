//! A bearer token appears nowhere but on the wire.

use std::io;
use std::sync::{Arc, Mutex};

use atlas_connectors::connection::ConnectionRef;
use atlas_connectors::credential::{AccessToken, TokenSource};
use atlas_connectors::http::{Call, Classify, Client, Failure, Origin, RetryPolicy};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::{ConnectionId, Epoch, Error, ErrorKind, ProviderId, Result, TenantId};
use bytes::Bytes;
use tracing_subscriber::fmt::MakeWriter;

use crate::stub::{Act, Stub, answer};

const CANARY: &str = "ya29.canary-4b1d9e77a0c2";

#[derive(Debug)]
struct Table;

impl Classify for Table {
    fn classify(&self, failure: &Failure<'_>) -> Error {
        Error::new(ErrorKind::Transient, failure.operation).with_status(failure.status.as_u16())
    }
}

#[derive(Debug)]
struct Fixed(ConnectionRef);

#[async_trait::async_trait]
impl TokenSource for Fixed {
    fn connection(&self) -> &ConnectionRef {
        &self.0
    }

    async fn token(&self) -> Result<AccessToken> {
        Ok(AccessToken::new(CANARY.into(), ScopeSet::new(), 1))
    }

    async fn reject(&self, _rejected: &AccessToken) {}
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_at_trace_level_and_no_error_shows_the_token() {
    let sink = Sink::default();
    // Every crate's spans, events and log records, of this whole process.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(sink.clone())
        .with_ansi(false)
        .init();

    let acts = [
        Act::Keep(answer("200 OK\ncontent-length: 2", b"{}")),
        Act::Write(answer("500 Oops\ncontent-length: 4", b"oops")),
        Act::Write(answer("200 OK\ncontent-length: 100", b"cut")),
        Act::Write(answer("401 No\ncontent-length: 0", b"")),
        Act::Write(answer(
            "302 Found\nlocation: https://evil.example/x\ncontent-length: 0",
            b"",
        )),
        Act::Write(b"not http at all\r\n".to_vec()),
        Act::Close,
    ];
    let stub = Stub::start(acts.clone()).await;
    let connection = ConnectionRef {
        tenant: TenantId::new("acme"),
        connection: ConnectionId::new("c1"),
        epoch: Epoch::FIRST,
        provider: ProviderId::new("example"),
    };
    let client = Client::builder(
        "example",
        Arc::new(crate::wire::builder().build().unwrap()),
        Arc::new(Table),
    )
    .with_credential(Arc::new(Fixed(connection)), [Origin::parse(&stub.url("/")).unwrap()])
    .with_retry(RetryPolicy::never())
    .build();

    let mut shown = format!("{client:?}");
    let mut failed = 0;
    for _ in 0..acts.len() + 1 {
        let request = http::Request::post(stub.url("/x?secret=query-canary"))
            .body(Bytes::from_static(b"body-canary"))
            .unwrap();
        if let Err(error) = client.send(Call::effect("example.send", request)).await {
            failed += 1;
            shown.push_str(&format!("\n{error}\n{error:?}"));
            let mut source = std::error::Error::source(&error);
            while let Some(error) = source {
                shown.push_str(&format!("\n{error}\n{error:?}"));
                source = error.source();
            }
        }
    }
    assert_eq!(failed, acts.len(), "all but the first fail");
    // The token did travel: otherwise this test would prove nothing.
    assert!(stub.requests().iter().all(|head| head.contains(CANARY)));

    let log = String::from_utf8_lossy(&sink.0.lock().unwrap()).into_owned();
    assert!(log.contains("atlas.example.send"), "the span is there");
    assert!(
        log.contains("hyper_util") || log.contains("reqwest"),
        "other crates were listened to"
    );
    let bytes: Vec<String> = CANARY.bytes().map(|byte| byte.to_string()).collect();
    for canary in [CANARY, &CANARY[5..17], "query-canary", "body-canary", &bytes.join(", ")] {
        assert!(!shown.contains(canary), "{canary} in an error or Debug");
        let line = log.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary} in the log: {line:?}");
    }
}
