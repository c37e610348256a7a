//! `mock::Google`: a Google on loopback for test harnesses, demonstrations and benches.
//!
//! It answers OAuth, OpenID Connect and the Gmail API over plain HTTP with Google's own paths, has a memory (grants,
//! tokens, mailboxes with threads, labels, drafts and history), misbehaves by script, and counts the effects that it
//! accepted. It knows nothing of this library: whatever speaks HTTP can be tested against it.
//!
//! | to | use |
//! | --- | --- |
//! | start it | [`Google::start`], [`Google::builder`] (clock, accounts, clients, prices, quota, rotation) |
//! | fill a mailbox | [`Google::mailbox`] → [`MailboxHandle::deliver`] with a [`Mail`], [`MailboxHandle::fill`] for very many, [`operations`] for a week of realistic mail |
//! | sign in without a browser | [`Google::consent`], with [`Google::next_consent`] for what the person does |
//! | get a token without signing in | [`Google::access_token`], [`Google::refresh_token`] |
//! | act as the person | [`Google::revoke_grant`], [`MailboxHandle::relabel`], [`MailboxHandle::edit_draft`], … |
//! | break things | [`Google::faults`] with a [`Fault`], [`MailboxHandle::expire_history`], [`Google::next_id_token`] |
//! | limit | [`Google::set_quota`] with a [`Quota`], [`Google::spend_units`] |
//! | run the behaviour suite against a mailbox | [`GooglePeer`] |
//! | assert | [`Google::counters`], [`Google::sent`], [`MailboxHandle::labelled`] |
//!
//! ```
//! use atlas_connectors_gmail::mock::{Fault, Google, Mail, USER};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let google = Google::start().await;
//! let inbox = google.mailbox(USER);
//! inbox.deliver(&Mail::from("jana@precision-parts.example").to(USER).subject("RFQ 4471").text("Please quote."));
//!
//! // Point the code under test at `google.uri()`; here is what the person and the provider do meanwhile.
//! google.faults().next("gmail.users.messages.get", Fault::Status(503));
//! let token = google.access_token(USER, &["gmail.readonly"]);
//! assert!(token.starts_with("ya29."));
//! assert_eq!(google.counters().sends, 0);
//! assert_eq!(inbox.labelled("INBOX").len(), 1);
//! # }
//! ```
//!
//! # What is like Google and what is not
//! Status, envelope and reason of errors, names and types of fields, ids, paging, threading, history and quota units
//! follow `gmail.md`; `tests/mock_drift.rs` compares the answers with recorded traffic. Plainly different: HTTP/1.1
//! without TLS, answers are compact (`prettyPrint` is ignored) and never compressed, consent needs no browser,
//! one project only. A path that the mock does not have is answered 501 and says so.
//!
//! # How it is built
//! On the core's [shell of mock servers](atlas_connectors::testkit::server): HTTP behind a thin TCP proxy that adds what an
//! HTTP server cannot do. Both run on threads of their own, so a paused or busy runtime under test does not stop them.
//! Latency does not block: answers wait side by side.

mod account;
mod answer;
mod attachments;
mod auth;
mod batch;
mod builder;
mod counters;
mod dispatch;
mod drafts;
mod faults;
mod fields;
mod history;
mod labels;
mod mailbox;
mod messages;
mod mime;
mod oauth;
mod operations;
mod peer;
mod quota;
mod route;
mod search;
mod seed;
mod send;
mod server;
mod settings;
mod threads;
mod token;
mod upload;

pub use account::{Blocked, Client, Consent, IdTokenFault, User};
pub use answer::{ApiError, TokenError};
pub use builder::Builder;
pub use counters::Counters;
pub use faults::{Fault, Faults};
pub use operations::{operations, operations_until};
pub use peer::GooglePeer;
pub use quota::{Prices, Quota};
pub use seed::{Kept, Mail, MailboxHandle};
pub use send::SentMail;
pub use server::{CLIENT_ID, CLIENT_SECRET, Google, USER};
pub use settings::Push;
