use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Answer, Fault, Faults, Listener, Match, Request, Server};

/// A server that counts what it carries out and answers ten bytes.
async fn counting() -> (Server, Faults, Arc<AtomicU64>) {
    let (faults, carried_out) = (Faults::default(), Arc::new(AtomicU64::new(0)));
    let (script, count) = (faults.clone(), Arc::clone(&carried_out));
    let server = Server::start(move |request: &Request| {
        script.carry_out("call", request, || {
            count.fetch_add(1, Ordering::SeqCst);
            Answer::of(200, "text/plain", "0123456789").with_header("set-cookie", "a=1")
        })
    });
    (server.await.unwrap(), faults, carried_out)
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends one request and reads until the server closes.
fn exchange(server: &Server, method: &str, path: &str) -> String {
    let mut stream = connect(server);
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    // A cut may come as an end or as a reset; what arrived before it counts.
    let _ended = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn every_fault_is_seen_on_the_wire() {
    let (server, faults, carried_out) = counting().await;
    let strike = |fault: Fault| {
        faults.next("call", fault);
        let before = carried_out.load(Ordering::SeqCst);
        let answer = exchange(&server, "GET", "/x");
        (answer, carried_out.load(Ordering::SeqCst) - before)
    };
    assert_eq!(strike(Fault::CutBefore), (String::new(), 0));
    assert_eq!(strike(Fault::CutAfter), (String::new(), 1));
    let (cut, ran) = strike(Fault::Truncate(4));
    assert!(
        cut.contains("content-length: 10") && cut.ends_with("\r\n\r\n0123") && ran == 1,
        "{cut}"
    );
    assert!(
        !cut.contains("x-mock"),
        "the header between handler and proxy is taken off: {cut}"
    );
    let (dripped, ran) = strike(Fault::Drip {
        bytes: 3,
        every: Duration::from_millis(1),
    });
    assert!(dripped.ends_with("\r\n\r\n0123456789") && ran == 1, "{dripped}");
    let (html, ran) = strike(Fault::HtmlAfter);
    assert!(html.starts_with("HTTP/1.1 200") && html.contains("<!DOCTYPE html>") && ran == 1);
    let (late, ran) = strike(Fault::AnswerAfter(Answer::empty(504)));
    assert!(late.starts_with("HTTP/1.1 504") && ran == 1);
    let (refused, ran) = strike(Fault::json(429, &serde_json::json!({"error": "slow_down"})));
    assert!(refused.starts_with("HTTP/1.1 429") && refused.ends_with(r#"{"error":"slow_down"}"#) && ran == 0);
    assert!(exchange(&server, "GET", "/x").contains("set-cookie: a=1"));
    assert_eq!((faults.pending(), faults.struck()), (0, 7));
}

#[tokio::test]
async fn a_hang_lasts_until_the_client_leaves() {
    let (server, faults, carried_out) = counting().await;
    faults.next(Match::path("GET", "/slow"), Fault::HangAfter);
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
    write!(stream, "GET /slow HTTP/1.1\r\nhost: mock\r\n\r\n").unwrap();
    let error = stream.read(&mut [0; 16]).unwrap_err();
    assert!(
        matches!(
            error.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
        "{error:?}"
    );
    assert_eq!(carried_out.load(Ordering::SeqCst), 1);
    assert!(exchange(&server, "GET", "/slow").starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_head_is_answered_without_a_body_and_the_connection_goes_on() {
    let (server, ..) = counting().await;
    let mut stream = connect(&server);
    write!(stream, "HEAD /x HTTP/1.1\r\nhost: mock\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        head.extend(byte);
    }
    write!(stream, "GET /x HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n0123456789"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_server_knows_its_address_before_it_serves_and_stops_with_its_last_clone() {
    let listener = Listener::bind(0).unwrap();
    let uri = listener.uri();
    let server = listener
        .serve(|request| Answer::of(200, "text/plain", request.path.clone()))
        .await
        .unwrap();
    assert_eq!(uri, server.uri());
    assert_eq!(server.url().as_str(), format!("{uri}/"));
    let (address, clone) = (server.address(), server.clone());
    drop(server);
    assert!(exchange(&clone, "GET", "/still/here").ends_with("/still/here"));
    drop(clone);
    for _ in 0..200 {
        if TcpStream::connect(address).is_err() {
            return;
        }
        tokio::task::yield_now().await;
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the server still listens");
}

/// wiremock keeps every request until its server goes: one takes over after 2,000 answers, on the same connection too.
#[tokio::test]
async fn the_server_behind_is_replaced_without_a_gap() {
    let (server, _, carried_out) = counting().await;
    let mut stream = connect(&server);
    for n in 0..2_050 {
        let request = format!("GET /{n} HTTP/1.1\r\nhost: mock\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"0123456789") {
            let mut bytes = [0; 512];
            let read = stream.read(&mut bytes).unwrap();
            assert_ne!(read, 0, "request {n}");
            answer.extend_from_slice(&bytes[..read]);
        }
    }
    assert_eq!(carried_out.load(Ordering::SeqCst), 2_050);
}
