//! The shell of mock servers: HTTP on loopback around a handler, faults by script, keys that sign tokens.
//!
//! A mock provider is a world with a memory and a function from a [`Request`] to an [`Answer`]. Everything that is the same for
//! all of them is here:
//!
//! | to | use |
//! | --- | --- |
//! | serve a handler | [`Server::start`], or [`Listener::bind`] first where the world must know its own address |
//! | read what came in | [`Request`]: path, query, form, JSON, cookies, credentials |
//! | answer | [`Answer`] |
//! | break things | [`Faults`] with a [`Fault`], struck by [`Faults::carry_out`]; [`Script`] for faults of one's own kind |
//! | name the calls that a fault strikes | [`Match`]: an operation's name, or method and path |
//! | sign id tokens | [`SigningKey`], [`jwks`] |
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use std::sync::Arc;
//! use atlas_connectors::testkit::server::{Answer, Fault, Faults, Match, Request, Server};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // The world: it counts the orders that it has accepted.
//! let (orders, faults) = (Arc::new(AtomicU64::new(0)), Faults::default());
//! let (accepted, script) = (Arc::clone(&orders), faults.clone());
//! let server = Server::start(move |request: &Request| {
//!     script.carry_out("orders.create", request, || {
//!         accepted.fetch_add(1, Ordering::SeqCst);
//!         Answer::json(201, &serde_json::json!({"id": 7}))
//!     })
//! })
//! .await?;
//!
//! // The next order is accepted and its answer lost; then a proxy answers in HTML, and nothing is accepted.
//! faults.next("orders.create", Fault::CutAfter);
//! faults.next(Match::path("POST", "/orders"), Fault::html(502));
//!
//! let order = || {
//!     use std::io::{Read as _, Write as _};
//!     let mut stream = std::net::TcpStream::connect(server.address())?;
//!     stream.write_all(b"POST /orders HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer).map(|_| answer)
//! };
//! assert_eq!(order()?, "");
//! assert_eq!(orders.load(Ordering::SeqCst), 1);
//! assert!(order()?.starts_with("HTTP/1.1 502"));
//! assert_eq!(orders.load(Ordering::SeqCst), 1);
//! assert!(order()?.starts_with("HTTP/1.1 201"));
//! assert_eq!((faults.pending(), faults.struck()), (0, 2));
//! # Ok::<(), std::io::Error>(()) }).unwrap();
//! ```
//!
//! # How it is built
//! wiremock serves the HTTP; a thin TCP proxy in front adds what an HTTP server cannot do: cut, hang, drip, break off. Both run on
//! threads of their own, so a paused or busy runtime under test does not stop them. Latency does not block: answers wait side by
//! side. Plain HTTP/1.1 without TLS, for loopback only.

mod answer;
mod fault;
mod keys;
mod proxy;
mod request;
mod script;
mod serve;
#[cfg(test)]
mod tests;
mod upstream;
mod wire;

pub use answer::Answer;
pub use fault::{Fault, Faults};
pub use keys::{SigningKey, jwks, random};
pub use request::Request;
pub use script::{Match, Script};
pub use serve::{Listener, Server};
pub use wire::WireFault;
