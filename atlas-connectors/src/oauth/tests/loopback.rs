//! The browser comes back to this machine, among others that knock.

use futures_util::future::join;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::*;
use crate::oauth::{Begun, Loopback, open_browser};

async fn ask(loopback: &url::Url, request: &str) -> String {
    let port = loopback.port().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // Whoever is turned away may find the connection reset.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

fn get(loopback: &url::Url, target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n",
        loopback.port().unwrap()
    )
}

async fn begun(world: &World, loopback: &Loopback) -> Begun {
    let mut request = world.request();
    request.redirect = loopback.redirect().clone();
    world.begin(request).await
}

#[tokio::test]
async fn the_browser_is_told_apart_from_everybody_else() {
    let world = World::new();
    let loopback = Loopback::bind().await.unwrap();
    let redirect = loopback.redirect().clone();
    assert_eq!(redirect.host_str(), Some("127.0.0.1"));
    let begun = begun(&world, &loopback).await;
    let state = parameter(&begun, "state");
    let browser = async {
        // Opened ahead of time, and silent.
        let _silent = TcpStream::connect(("127.0.0.1", redirect.port().unwrap()))
            .await
            .unwrap();
        let good = format!("/callback?state={state}&code=c");
        for junk in [
            get(&redirect, "/favicon.ico"),
            get(&redirect, "/callback"),
            get(&redirect, "/callback?state=another&code=c"),
            get(&redirect, &format!("{good}&code=c2")),
            get(&redirect, &good).replace("127.0.0.1", "rebound.example"),
            get(&redirect, &good).replace("GET", "POST"),
            "\x16\x03\x01 not a request\r\n\r\n".to_owned(),
            format!("GET /{} HTTP/1.1\r\n", "x".repeat(40_000)),
        ] {
            let answer = ask(&redirect, &junk).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 404"), "{answer}");
        }
        ask(&redirect, &get(&redirect, &good)).await
    };
    let (callback, page) = join(loopback.wait(&begun, &world.clock), browser).await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for header in [
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
        "default-src 'none'",
    ] {
        assert!(page.contains(header), "{page}");
    }
    assert!(!page.contains(&state));
    world.complete(callback.unwrap()).await.unwrap();
    assert_eq!(world.server.last("/token")["redirect_uri"], redirect.as_str());
}

#[tokio::test]
async fn a_refusal_comes_back_too() {
    let world = World::new();
    let loopback = Loopback::bind_to(0, "/").await.unwrap();
    let redirect = loopback.redirect().clone();
    let begun = begun(&world, &loopback).await;
    let target = format!("/?state={}&error=access_denied", parameter(&begun, "state"));
    let (callback, page) = join(loopback.wait(&begun, &world.clock), async {
        ask(&redirect, &get(&redirect, &target)).await
    })
    .await;
    assert!(page.contains("not completed"), "{page}");
    let error = world.complete(callback.unwrap()).await.unwrap_err();
    assert_eq!(error.code(), "oauth.access_denied.user");
}

#[tokio::test]
async fn whoever_never_comes_back_ends_the_wait_with_a_hint() {
    let world = World::new();
    let loopback = Loopback::bind().await.unwrap();
    let begun = begun(&world, &loopback).await;
    let (outcome, ()) = join(loopback.wait(&begun, &world.clock), async {
        while world.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        world.advance(600);
    })
    .await;
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), "oauth.flow.no_answer");
    assert!(error.advice().cause.contains("its own page"));
}

#[tokio::test]
async fn ports_and_paths_are_checked() {
    let taken = Loopback::bind().await.unwrap();
    let port = taken.redirect().port().unwrap();
    assert_eq!(
        Loopback::bind_to(port, "/callback").await.unwrap_err().code(),
        "unreachable.connect"
    );
    for path in ["callback", "/a?b", "/a#b"] {
        assert_eq!(
            Loopback::bind_to(0, path).await.unwrap_err().code(),
            "invalid",
            "{path}"
        );
    }
}

#[test]
fn only_web_addresses_are_opened() {
    for address in ["file:///etc/passwd", "javascript:alert(1)", "mailto:a@b.example"] {
        assert_eq!(open_browser(&address.parse().unwrap()).unwrap_err().code(), "invalid");
    }
}

#[tokio::test]
async fn the_name_of_the_machine_may_stand_in_its_address() {
    let world = World::new();
    let loopback = Loopback::bind().await.unwrap().named_localhost();
    let redirect = loopback.redirect().clone();
    assert_eq!(redirect.host_str(), Some("localhost"));
    let begun = begun(&world, &loopback).await;
    let target = format!("/callback?state={}&code=c", parameter(&begun, "state"));
    let browser = async {
        let by_number = ask(&redirect, &get(&redirect, &target)).await;
        assert!(by_number.starts_with("HTTP/1.1 404"), "{by_number}");
        ask(&redirect, &get(&redirect, &target).replace("127.0.0.1", "localhost")).await
    };
    let (callback, page) = join(loopback.wait(&begun, &world.clock), browser).await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    world.complete(callback.unwrap()).await.unwrap();
}
