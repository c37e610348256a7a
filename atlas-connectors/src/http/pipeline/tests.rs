//! The pipeline on a clock moved by hand, over transports without a network.

use std::sync::Mutex;

use async_trait::async_trait;
use secrecy::SecretString;

use super::*;
use crate::connection::ConnectionRef;
use crate::credential::TokenSource;
use crate::error::{BadPayload, OperationClass, ThrottleScope, Unreachable};
use crate::http::{
    Classify, ClientBuilder, ConnectionGate, Governor, HttpTransport, Jitter, Origin, Quota, RetryPolicy,
};
use crate::ids::{ConnectionId, Epoch, TenantId};
use crate::oauth::Scope;
use crate::testkit::{Fault, ManualClock, ScriptedTransport};
use crate::{Clock, Timestamp};

const HOST: &str = "https://api.example.com";
const CANARY: &str = "ya29.canary-7f3a9c51d2";

/// Status to kind, as a provider's table does.
#[derive(Debug)]
struct Table;

impl Classify for Table {
    fn classify(&self, failure: &Failure<'_>) -> Error {
        let until = retry_after(failure.headers, failure.now);
        let scope = match failure.body {
            b"sending" => ThrottleScope::Sending,
            b"project" => ThrottleScope::Project,
            b"request" => ThrottleScope::Request,
            _ => ThrottleScope::Account,
        };
        let kind = match failure.status.as_u16() {
            401 => ErrorKind::OAuth(OAuthError::Other),
            404 => ErrorKind::NotFound { object: "message" },
            429 => ErrorKind::Throttled { scope, until },
            400 => ErrorKind::Rejected { fields: Vec::new() },
            _ => ErrorKind::Transient,
        };
        Error::new(kind, failure.operation).with_status(failure.status.as_u16())
    }
}

/// Gives a new token after each rejection, and keeps a record.
#[derive(Debug)]
struct Tokens {
    connection: ConnectionRef,
    scopes: ScopeSet,
    generation: Mutex<u64>,
    asked: Mutex<u32>,
    log: Log,
}

#[async_trait]
impl TokenSource for Tokens {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    async fn token(&self) -> Result<AccessToken> {
        *self.asked.lock().unwrap() += 1;
        self.log.push("token");
        let generation = *self.generation.lock().unwrap();
        let secret = SecretString::from(format!("{CANARY}-{generation}"));
        Ok(AccessToken::new(secret, self.scopes.clone(), generation))
    }

    async fn reject(&self, rejected: &AccessToken) {
        self.log.push("reject");
        let mut generation = self.generation.lock().unwrap();
        *generation = rejected.generation() + 1;
    }
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn push(&self, step: &'static str) {
        self.0.lock().unwrap().push(step);
    }

    fn taken(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[derive(Debug)]
struct Logged<T>(T, Log);

#[async_trait]
impl<T: HttpTransport> HttpTransport for Logged<T> {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        self.1.push("transport");
        self.0.send(request).await
    }

    async fn send_streaming(&self, request: http::Request<Bytes>) -> Result<http::Response<ByteStream>> {
        self.1.push("transport");
        self.0.send_streaming(request).await
    }
}

#[derive(Debug)]
struct Lowest;

impl Jitter for Lowest {
    fn fraction(&self) -> f64 {
        0.0
    }
}

struct Bench {
    clock: ManualClock,
    transport: ScriptedTransport,
    tokens: Arc<Tokens>,
    log: Log,
    client: Client,
}

fn bench(transport: ScriptedTransport) -> Bench {
    bench_with(transport, |builder| builder)
}

fn bench_with(transport: ScriptedTransport, settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Bench {
    let clock = ManualClock::new(Timestamp::from_unix_seconds(1_800_000_000));
    let log = Log::default();
    let tokens = Arc::new(Tokens {
        connection: ConnectionRef {
            tenant: TenantId::new("acme"),
            connection: ConnectionId::new("c1"),
            epoch: Epoch::FIRST,
            provider: ProviderId::new("example"),
        },
        scopes: ScopeSet::parse("mail.read"),
        generation: Mutex::new(1),
        asked: Mutex::new(0),
        log: log.clone(),
    });
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let governor = Governor::new(Quota::per_minute(6_000).with_concurrency(4), Arc::clone(&shared));
    let builder = Client::builder(
        "example",
        Arc::new(Logged(transport.clone(), log.clone())),
        Arc::new(Table),
    )
    .with_credential(
        Arc::clone(&tokens) as Arc<dyn TokenSource>,
        [Origin::parse(HOST).unwrap()],
    )
    .with_governor(governor)
    .with_retry(RetryPolicy::default().with_jitter(Arc::new(Lowest)))
    .with_clock(shared);
    Bench {
        client: settings(builder).build(),
        clock,
        transport,
        tokens,
        log,
    }
}

impl Bench {
    /// Runs the future, moving the clock whenever everybody sleeps. Gives the time that passed as well.
    async fn drive<T>(&self, future: impl Future<Output = T>) -> (T, Duration) {
        let began = self.clock.monotonic();
        let mut future = pin!(future);
        for _ in 0..10_000 {
            tokio::select! {
                biased;
                value = &mut future => return (value, self.clock.monotonic() - began),
                () = tokio::task::yield_now() => {}
            }
            if let Some(wake) = self.clock.next_wake() {
                self.clock.advance(wake);
            }
        }
        panic!("nothing wakes the call any more");
    }

    async fn send(&self, call: Call) -> (Result<Response>, Duration) {
        self.drive(self.client.send(call)).await
    }

    async fn fail(&self, call: Call) -> Error {
        self.send(call).await.0.unwrap_err()
    }
}

fn request(path: &str) -> http::Request<Bytes> {
    http::Request::get(format!("{HOST}{path}"))
        .body(Bytes::from_static(b"mail body canary"))
        .unwrap()
}

fn read() -> Call {
    Call::read("example.messages.get", request("/messages/1?token=query-canary")).with_cost(20)
}

fn effect() -> Call {
    Call::effect("example.labels.create", request("/labels")).with_cost(5)
}

fn answer(status: u16, header: Option<&str>, body: &'static str) -> http::Response<Bytes> {
    let mut answer = http::Response::builder().status(status);
    if let Some(after) = header {
        answer = answer.header("retry-after", after);
    }
    answer.body(Bytes::from_static(body.as_bytes())).unwrap()
}

#[tokio::test]
async fn the_steps_come_in_their_order() {
    let bench = bench(ScriptedTransport::new().with_status(503).with_json(200, "{}"));
    let (result, waited) = bench.send(read()).await;
    assert_eq!(result.unwrap().body, "{}");
    // Each try: token, then transport; between them the pause.
    assert_eq!(bench.log.taken(), ["token", "transport", "token", "transport"]);
    assert_eq!(waited, Duration::from_secs(1));
    let requests = bench.transport.requests();
    assert_eq!(requests[0].bearer(), Some(format!("{CANARY}-1").as_str()));
    assert!(requests[0].headers["authorization"].is_sensitive());
}

#[tokio::test]
async fn a_missing_scope_is_told_before_anything_leaves() {
    let wanted = || ScopeSet::parse("mail.modify mail.full");
    // From the token's own scopes …
    let bench = bench(ScriptedTransport::new());
    let error = bench.fail(read().with_any_scope(wanted())).await;
    assert_eq!(error.code(), "oauth.insufficient_privileges");
    let Some(OAuthError::InsufficientPrivileges { missing }) = error.oauth() else {
        panic!()
    };
    assert_eq!(missing, &["mail.full", "mail.modify"]);
    assert_eq!(bench.log.taken(), ["token"]);
    // … the narrowest alone where it is known …
    let error = bench
        .fail(
            read()
                .with_any_scope(wanted())
                .with_scope_to_ask(Scope::new("mail.modify")),
        )
        .await;
    let Some(OAuthError::InsufficientPrivileges { missing }) = error.oauth() else {
        panic!()
    };
    assert_eq!(missing, &["mail.modify"]);
    // … and without even a token where the granted scopes are known.
    let bench = bench_with(ScriptedTransport::new().with_status(200), |builder| {
        builder.with_granted_scopes(ScopeSet::parse("mail.read"))
    });
    assert!(bench.fail(read().with_any_scope(wanted())).await.oauth().is_some());
    assert!(bench.log.taken().is_empty());
    let one_of = ScopeSet::parse("mail.full mail.read");
    assert!(bench.send(read().with_any_scope(one_of)).await.0.is_ok());
}

#[tokio::test]
async fn a_credential_does_not_leave_its_origin() {
    for foreign in [
        "https://evil.example/messages/1",
        "https://api.example.com:8443/messages/1",
        "http://api.example.com/messages/1",
        "https://api.example.com.evil.example/messages/1",
    ] {
        let bench = bench(ScriptedTransport::new());
        let request = http::Request::get(foreign).body(Bytes::new()).unwrap();
        let error = bench.fail(Call::read("example.next", request)).await;
        assert_eq!(error.code(), "egress.origin", "{foreign}");
        assert!(bench.log.taken().is_empty(), "not even the token was asked for");
        // One that the request holds already is held back as well.
        let request = http::Request::get(foreign)
            .header("authorization", "Basic x")
            .body(Bytes::new())
            .unwrap();
        let error = bench.fail(Call::read("example.next", request).without_auth()).await;
        assert_eq!(error.code(), "egress.origin", "{foreign}");
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_a_read() {
    let bench = bench(ScriptedTransport::new().with_status(401).with_json(200, "{}"));
    let (result, waited) = bench.send(read()).await;
    assert!(result.is_ok());
    assert_eq!(waited, Duration::ZERO);
    let log = bench.log.taken();
    assert_eq!(log, ["token", "transport", "reject", "token", "transport"]);
    let bearers: Vec<_> = bench
        .transport
        .requests()
        .iter()
        .map(|r| r.bearer().unwrap().to_owned())
        .collect();
    assert_eq!(bearers, [format!("{CANARY}-1"), format!("{CANARY}-2")]);

    // The second refusal is the answer.
    let bench = self::bench(
        ScriptedTransport::new()
            .with_status(401)
            .with_status(401)
            .with_status(200),
    );
    let error = bench.fail(read()).await;
    assert_eq!((error.code(), error.status()), ("oauth.other", Some(401)));
    assert_eq!(bench.transport.requests().len(), 2);
}

#[tokio::test]
async fn a_claims_challenge_is_told_and_no_other_token_is_tried() {
    let challenged = || {
        let claims = "eyJhY2Nlc3NfdG9rZW4iOnsiY2FuYXJ5IjpudWxsfX0=";
        let challenge = format!(r#"Bearer error="insufficient_claims", claims="{claims}""#);
        http::Response::builder()
            .status(401)
            .header("www-authenticate", challenge)
            .body(Bytes::from_static(b"{}"))
            .unwrap()
    };
    for call in [read(), effect()] {
        let bench = bench(ScriptedTransport::new().with_answer(challenged()));
        let error = bench.fail(call).await;
        assert_eq!(
            (error.code(), error.status(), error.effect()),
            ("oauth.invalid_grant.interaction_required", Some(401), Effect::None)
        );
        let claims = error.claims_challenge().unwrap().expose_secret();
        assert_eq!(claims, r#"{"access_token":{"canary":null}}"#);
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert_eq!(bench.log.taken(), ["token", "transport"]);
    }
}

#[tokio::test]
async fn an_effect_is_sent_once_whatever_happens() {
    // (what comes back, code, effect)
    let unknown = Effect::Unknown;
    let table: Vec<(ScriptedTransport, &str, Effect)> = vec![
        (ScriptedTransport::new().with_status(401), "oauth.other", Effect::None),
        (ScriptedTransport::new().with_status(400), "rejected", Effect::None),
        (ScriptedTransport::new().with_status(404), "not_found", Effect::None),
        (
            ScriptedTransport::new().with_status(429),
            "throttled.account",
            Effect::None,
        ),
        (ScriptedTransport::new().with_status(408), "transient", unknown),
        (ScriptedTransport::new().with_status(500), "transient", unknown),
        (ScriptedTransport::new().with_status(502), "transient", unknown),
        (ScriptedTransport::new().with_status(503), "transient", unknown),
        (ScriptedTransport::new().with_status(504), "transient", unknown),
        (
            ScriptedTransport::new().with_fault(Fault::AfterSend),
            "transient",
            unknown,
        ),
        (
            ScriptedTransport::new().with_fault(Fault::Hang),
            "deadline_exceeded",
            unknown,
        ),
        (
            ScriptedTransport::new().with_fault(Fault::MidBody(3)),
            "bad_payload.truncated",
            Effect::Happened,
        ),
    ];
    for (transport, code, expected) in table {
        let bench = bench(transport.with_status(200));
        let error = bench.fail(effect()).await;
        assert_eq!((error.code(), error.effect()), (code, expected));
        assert_eq!(bench.transport.requests().len(), 1, "{code}");
        assert_eq!(error.class(), OperationClass::Write);
        if expected != Effect::None {
            assert_eq!(error.retry(), Retry::Never, "{code}");
        }
    }
    // One that never left is told so, and not repeated either.
    let bench = bench(ScriptedTransport::new().with_fault(Fault::BeforeSend).with_status(200));
    let error = bench.fail(effect()).await;
    assert_eq!((error.code(), error.effect()), ("unreachable.connect", Effect::None));
    assert!(bench.transport.requests().is_empty());
    assert_eq!(bench.transport.remaining(), 1);
}

#[tokio::test]
async fn a_401_on_an_effect_makes_the_next_token_a_fresh_one() {
    let bench = bench(ScriptedTransport::new().with_status(401).with_json(200, "{}"));
    bench.fail(effect()).await;
    bench.send(effect()).await.0.unwrap();
    let last = bench.transport.requests().pop().unwrap();
    assert_eq!(last.bearer(), Some(format!("{CANARY}-2").as_str()));
}

#[tokio::test]
async fn a_read_survives_each_passing_fault() {
    for fault in [
        Fault::BeforeSend,
        Fault::AfterSend,
        Fault::MidBody(5),
        Fault::Status(500),
        Fault::Status(502),
    ] {
        let bench = bench(
            ScriptedTransport::new()
                .with_fault(fault)
                .with_json(200, r#"{"whole":1}"#),
        );
        let (result, _) = bench.send(read()).await;
        assert_eq!(result.unwrap().body, r#"{"whole":1}"#, "{fault:?}");
    }
    let dns = Error::new(Unreachable::Dns, "http.send");
    let bench = bench(ScriptedTransport::new().with_error(dns).with_json(200, "{}"));
    assert!(bench.send(read()).await.0.is_ok());
}

#[tokio::test]
async fn a_read_gives_up_after_its_tries_and_has_no_effect() {
    let mut transport = ScriptedTransport::new();
    for _ in 0..9 {
        transport = transport.with_fault(Fault::AfterSend);
    }
    let bench = bench(transport);
    let error = bench.fail(read()).await;
    assert_eq!((error.code(), error.effect()), ("transient", Effect::None));
    assert_eq!(error.retry(), Retry::Backoff);
    assert_eq!(bench.transport.requests().len(), 5);
    // What repeating cannot help is not repeated.
    let bench = self::bench(ScriptedTransport::new().with_status(404).with_status(200));
    assert_eq!(bench.fail(read()).await.code(), "not_found");
    assert_eq!(bench.transport.requests().len(), 1);
}

#[tokio::test]
async fn the_deadline_ends_everything() {
    let limited = |call: Call| call.with_deadline(Duration::from_secs(10));
    let bench = bench(ScriptedTransport::new().with_fault(Fault::Hang));
    let (result, waited) = bench.send(limited(read())).await;
    assert_eq!(result.unwrap_err().code(), "deadline_exceeded");
    assert_eq!(waited, Duration::from_secs(10));
    // A pause that would outlast it is not begun: the real reason is told at once.
    let bench = self::bench(ScriptedTransport::new().with_answer(answer(429, Some("60"), "")));
    let (result, waited) = bench.send(limited(read())).await;
    assert_eq!(result.unwrap_err().code(), "throttled.account");
    assert_eq!(waited, Duration::ZERO);
}

#[tokio::test]
async fn throttling_pauses_everybody_who_shares_the_account() {
    let bench = bench(
        ScriptedTransport::new()
            .with_answer(answer(429, Some("30"), ""))
            .with_status(200)
            .with_status(200),
    );
    let error = bench.fail(effect()).await;
    assert_eq!(error.code(), "throttled.account");
    // Another call of the same account waits for the pause, and the one after it does not.
    let (result, waited) = bench.send(read()).await;
    assert!(result.is_ok());
    assert_eq!(waited, Duration::from_secs(30));
    let (result, waited) = bench.send(read()).await;
    assert!(result.is_ok());
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    // One without that much time is told until when.
    let bench = self::bench(ScriptedTransport::new().with_answer(answer(429, Some("3600"), "")));
    bench.fail(effect()).await;
    let error = bench.fail(read()).await;
    let until = Timestamp::from_unix_seconds(1_800_003_600);
    assert_eq!(error.retry(), Retry::At(until));
    assert_eq!(bench.transport.requests().len(), 1);
}

#[tokio::test]
async fn a_pause_of_sending_concerns_sending_only() {
    let sending = || Call::sending("example.messages.send", request("/send"));
    let bench = bench(
        ScriptedTransport::new()
            .with_answer(answer(429, Some("600"), "sending"))
            .with_status(200)
            .with_status(200),
    );
    assert_eq!(bench.fail(sending()).await.code(), "throttled.sending");
    // Reads and other changes go on.
    assert_eq!(bench.send(read()).await.1, Duration::ZERO);
    assert_eq!(bench.send(effect()).await.1, Duration::ZERO);
    // The next mail is told until when, without a request.
    let error = bench.fail(sending()).await;
    assert_eq!(
        (error.code(), error.class()),
        ("throttled.sending", OperationClass::Send)
    );
    assert_eq!(bench.transport.requests().len(), 3);
}

#[tokio::test]
async fn a_success_with_retry_after_stays_a_success() {
    let bench = bench(
        ScriptedTransport::new()
            .with_answer(answer(202, Some("20"), "done"))
            .with_status(200),
    );
    let (result, waited) = bench.send(effect()).await;
    assert_eq!(result.unwrap().status, 202);
    assert_eq!(waited, Duration::ZERO);
    assert_eq!(bench.send(read()).await.1, Duration::from_secs(20));
}

#[tokio::test]
async fn redirects_are_refused_whatever_the_transport_does() {
    let moved = http::Response::builder()
        .status(302)
        .header("location", "https://evil.example/steal?x=1")
        .body(Bytes::new())
        .unwrap();
    let bench = bench(ScriptedTransport::new().with_answer(moved).with_status(200));
    let error = bench.fail(read()).await;
    assert_eq!(error.code(), "egress.redirect");
    assert_eq!(error.context().collect::<Vec<_>>(), [("host", "evil.example")]);
    assert_eq!(bench.transport.requests().len(), 1);
}

#[tokio::test]
async fn bodies_over_the_cap_are_refused_and_streams_are_guarded() {
    let big = || ScriptedTransport::new().with_json(200, vec![b'x'; 1001]);
    let bench = bench(big());
    let error = bench.fail(read().with_max_body(1000)).await;
    assert_eq!(error.kind(), &ErrorKind::BadPayload(BadPayload::TooLarge));
    // The same for a stream, and the error is the call's own.
    let bench = self::bench(big());
    let (answer, _) = bench.drive(bench.client.stream(effect().with_max_body(1000))).await;
    let error = answer.unwrap().into_body().collect(usize::MAX).await.unwrap_err();
    assert_eq!(error.code(), "bad_payload.too_large");
    assert_eq!(
        (error.operation(), error.effect()),
        ("example.labels.create", Effect::Happened)
    );
    // A stream holds its place among the requests at once until it is dropped.
    let bench = self::bench(big());
    let (answer, _) = bench.drive(bench.client.stream(read())).await;
    assert_eq!(bench.client.governor().state().in_flight, 1);
    drop(answer);
    assert_eq!(bench.client.governor().state().in_flight, 0);
}

#[tokio::test]
async fn a_closed_gate_stops_reads_and_lets_an_effect_end() {
    let gate = ConnectionGate::new();
    let with_gate = |transport, gate: &ConnectionGate| bench_with(transport, |builder| builder.with_gate(gate.clone()));
    // Before anything.
    gate.pause("sign_in");
    let bench = with_gate(ScriptedTransport::new(), &gate);
    assert_eq!(bench.fail(read()).await.code(), "paused");
    assert!(bench.log.taken().is_empty());
    gate.resume();
    // While a read waits for its answer.
    let bench = with_gate(ScriptedTransport::new().with_fault(Fault::Hang), &gate);
    let (mut call, mut turn) = (pin!(bench.client.send(read())), 0);
    let error = std::future::poll_fn(|context| {
        turn += 1;
        if turn == 2 {
            gate.close();
        }
        context.waker().wake_by_ref();
        call.as_mut().poll(context)
    })
    .await
    .unwrap_err();
    assert_eq!(error.code(), "cancelled");
    // While an effect has left: its answer counts.
    let gate = ConnectionGate::new();
    let closing = ClosesGate(gate.clone());
    let client = Client::builder("example", Arc::new(closing), Arc::new(Table))
        .with_gate(gate.clone())
        .build();
    let answer = client.send(effect().without_auth()).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(gate.check().is_err());
}

/// Closes the gate while it holds a request, and answers all the same.
#[derive(Debug)]
struct ClosesGate(ConnectionGate);

#[async_trait]
impl HttpTransport for ClosesGate {
    async fn send(&self, _request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        self.0.close();
        tokio::task::yield_now().await;
        Ok(http::Response::new(Bytes::new()))
    }
}

#[tokio::test]
async fn the_governor_holds_to_its_number_of_requests_and_its_order() {
    let mut transport = ScriptedTransport::new();
    for _ in 0..4 {
        transport = transport.with_fault(Fault::Hang);
    }
    let bench = bench(transport.with_status(200));
    let mut hanging = Vec::new();
    for _ in 0..4 {
        let client = bench.client.clone();
        hanging.push(tokio::spawn(async move { client.send(read()).await }));
    }
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    let state = bench.client.governor().state();
    assert_eq!((state.in_flight, state.waiting), (4, 0));
    let client = bench.client.clone();
    let fifth = tokio::spawn(async move { client.send(read()).await });
    tokio::task::yield_now().await;
    assert_eq!(bench.client.governor().state().waiting, 1);
    // Whoever is dropped makes room.
    hanging.pop().unwrap().abort();
    assert!(fifth.await.unwrap().is_ok());
    for call in hanging {
        call.abort();
    }
}

#[tokio::test]
async fn nothing_secret_shows_in_errors() {
    let faults = [
        Fault::AfterSend,
        Fault::BeforeSend,
        Fault::MidBody(1),
        Fault::Status(400),
        Fault::Hang,
    ];
    for fault in faults {
        let bench = bench(ScriptedTransport::new().with_fault(fault));
        let error = bench.fail(effect()).await;
        let mut text = format!("{error} {error:?} {:?} {:?}", bench.client, bench.transport);
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            text.push_str(&format!(" {error} {error:?}"));
            source = error.source();
        }
        for canary in [CANARY, "canary", "query", "/messages"] {
            assert!(!text.contains(canary), "{fault:?}: {canary} in {text}");
        }
        assert_eq!(error.operation(), "example.labels.create");
        assert!(error.correlation().is_some());
        assert_eq!(error.provider().map(ToString::to_string).as_deref(), Some("example"));
    }
    assert_eq!(*bench(ScriptedTransport::new()).tokens.asked.lock().unwrap(), 0);
}
