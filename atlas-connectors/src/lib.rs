//! Connector SDK core: mailboxes and ERPs behind small traits, with everything that makes an integration survive real life.
//!
//! A *host* application embeds this crate and a provider crate such as `atlas-connectors-gmail` or `atlas-connectors-erp`. What it gets:
//!
//! - **An unapproved send or write does not compile.** A provider's effect takes an [`action::Approved`], which only the approval gate
//!   makes.
//! - **One crash never becomes two mails, or two orders.** The [`action::Outbox`] stores an intent before it acts, looks up what is unclear, and says
//!   *uncertain* where nobody can know.
//! - **A dead grant says why and what to do.** Every [`Error`] has a stable code and [advice](error::Advice) for operator and developer.
//! - **A secret never reaches a log.** Secrets are `secrecy` types, sealed at rest; errors and spans are built from named fields.
//!
//! # The pieces
//! | module | gives | begin with |
//! | --- | --- | --- |
//! | [`connection`] | identity, epoch, status with proof, the buttons that make sense | [`connection::Connections`] |
//! | [`oauth`] | sign-in, scopes, revoke | [`oauth::SignIn`] |
//! | [`credential`] | sealing, stores, tokens refreshed once | [`credential::Vault`], [`credential::RefreshingToken`] |
//! | [`http`] | one pipeline for every call | [`http::Client`] |
//! | [`mail`] | messages in and out | [`mail::Mailbox`] |
//! | [`erp`] | catalog, queries, exact records, documents and writes | [`erp::ErpConnector`] |
//! | [`sync`] | an inbox that is provably complete | [`sync::SyncEngine`] |
//! | [`action`] | policy, gate, outbox, audit | [`action::Outbox`] |
//! | [`store`] | memory, SQLite | [`store::MemoryStore`] |
//! | [`error`] | what went wrong, and what next | [`ErrorKind`] |
//!
//! # Putting them together
//! Once at start; `examples/src/host.rs` in the repository is a whole host in some 350 lines.
//!
//! ```
//! use std::sync::Arc;
//! use atlas_connectors::action::{Autonomy, Connected, Outbox};
//! use atlas_connectors::connection::Connections;
//! use atlas_connectors::credential::{KeyRing, Sealer, Vault};
//! use atlas_connectors::store::MemoryStore;
//! use atlas_connectors::{SystemClock, TenantId};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! // One key seals credentials, mail bodies and waiting actions. Without a key there is no start.
//! let sealer = Sealer::new(Arc::new(KeyRing::ephemeral()))?;
//! // `SqliteStore::open(path)?` keeps the same in one file that many processes share.
//! let store = Arc::new(MemoryStore::new());
//! let connections = Connections::new(store.clone(), Vault::new(store.clone(), sealer.clone()), Arc::new(SystemClock));
//!
//! // Mailboxes are put in here once they are connected; nothing leaves without a person's approval.
//! let connected = Connected::new();
//! let outbox = Outbox::builder(store, sealer, Arc::new(connected)).policy(Autonomy::AskForEverything).build();
//!
//! assert!(connections.list(&TenantId::new("acme")).await?.is_empty());
//! assert!(outbox.gate().pending(&TenantId::new("acme"), None, 10).await?.is_empty());
//! # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
//! ```
//!
//! # Features
//! | feature | default | gives |
//! | --- | --- | --- |
//! | `reqwest` | yes | [`http`]'s transport over reqwest and rustls (aws-lc-rs) |
//! | `sqlite` | yes | the embedded store: SQLite, bundled, one file |
//! | `keyring` | no | the sealing key from the operating system's keyring |
//! | `cedar` | no | approval rules written in Cedar |
//! | `testkit` | no | behaviour suites for every trait, fault injection, crash points, clocks moved by hand |
//! | `mock-server` | no | `testkit` and the shell of mock servers, for a mock of one's own |
//!
//! # TLS
//! rustls with aws-lc-rs, handed over explicitly: the library installs no process-wide default. There is no switch to accept any
//! certificate; a company's own authority is *added* for one connection.
//!
//! # Testing without a provider
//! Switch on `testkit` here and in the provider crate: `mock::Google`, `mock::Odoo`, `mock::Sap`, `mock::BusinessCentral` and
//! `mock::Entra` answer on loopback, scripted and counting.
#![forbid(unsafe_code)]

pub mod action;
mod clock;
pub mod connection;
pub mod credential;
pub mod erp;
pub mod error;
pub mod http;
mod ids;
pub mod mail;
pub mod oauth;
mod page;
mod random;
pub mod store;
pub mod sync;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use clock::{Clock, ParseTimestampError, SystemClock, Timestamp};
pub use connection::{ConnectionRef, Identity};
pub use error::{Error, ErrorKind, OAuthError, Result};
pub use ids::{
    ActorId, CompanyId, ConnectionId, CorrelationId, DraftId, Epoch, HolderId, IntentId, LabelId, MessageId,
    ProviderId, SessionId, TenantId, ThreadId, Version,
};
pub use page::{Page, PageToken};
