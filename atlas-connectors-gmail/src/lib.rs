//! Gmail for the Atlas connector SDK: sign-in, sync, search, labels, attachments, pushes, drafts, and sends that only an approval
//! can release.
//!
//! Start with [`GmailBuilder`]. It gives a [`GmailMailbox`], which is all the core's sync, inbox and outbox need, or a
//! [`Gmail`] with every operation as Google's reference has it. [`GoogleOAuth`] is Google's side of the core's sign-in.
//!
//! # Example
//! The transport is scripted here; in a product it is the core's transport over the network, and the tokens come from the
//! core's sign-in.
//!
//! ```
//! use std::sync::Arc;
//! use atlas_connectors::credential::{AccessToken, TokenSource};
//! use atlas_connectors::mail::{MailQuery, Mailbox as _};
//! use atlas_connectors::oauth::ScopeSet;
//! # use atlas_connectors::testkit::ScriptedTransport;
//! use atlas_connectors::{ConnectionId, ConnectionRef, Epoch, Result};
//! use atlas_connectors_gmail::{GmailBuilder, scopes};
//!
//! /// A token that somebody else renews.
//! #[derive(Debug)]
//! struct Fixed(ConnectionRef, AccessToken);
//!
//! #[async_trait::async_trait]
//! impl TokenSource for Fixed {
//!     fn connection(&self) -> &ConnectionRef {
//!         &self.0
//!     }
//!     async fn token(&self) -> Result<AccessToken> {
//!         Ok(self.1.clone())
//!     }
//!     async fn reject(&self, _rejected: &AccessToken) {}
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! # let transport = ScriptedTransport::new().with_json(200, r#"{"messages":[{"id":"18f5","threadId":"18f5"}]}"#);
//! let connection = ConnectionRef {
//!     tenant: "acme".into(),
//!     connection: ConnectionId::random(),
//!     epoch: Epoch::FIRST,
//!     provider: atlas_connectors_gmail::provider(),
//! };
//! let granted = ScopeSet::parse(scopes::READONLY);
//! let token = AccessToken::new("ya29.…".into(), granted.clone(), 1);
//!
//! let mailbox = GmailBuilder::new(Arc::new(transport), Arc::new(Fixed(connection, token)), granted).mailbox()?;
//! let orders = MailQuery::new().subject("purchase order").has_attachment();
//! let found = mailbox.search(&orders, None).await?;
//! assert_eq!(found.items.len(), 1);
//! # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
//! ```
//!
//! # What leaves, and how
//! Reading needs no approval. Sending and labelling go through [`GmailMailbox`] with an
//! [`Approved`](atlas_connectors::action::Approved) in the core's outbox; [`Gmail`] has no method that sends. With `gmail.compose` or
//! `gmail.modify` a send begins as a draft, so that an interrupted one can be looked up; with `gmail.send` alone it may end as
//! uncertain. Nothing in this crate repeats an effect.
//!
//! # Features
//! | feature | gives |
//! | --- | --- |
//! | (none) | everything but the two below |
//! | `hub` | [`google_gmail1`](https://docs.rs/google-gmail1) fed by our tokens, limited to reading (module `hub`) |
//! | `testkit` | `mock::Google`, a stateful mock of Google's sign-in and Gmail for your own tests |
//!
//! # Addresses, prices and limits
//! All addresses are settings ([`Endpoints`]): Google's, one server's, or those of a discovery document. What calls cost and how much
//! an account may spend is data ([`Tariff`]), since Google changed it on 2026-05-01; the Cloud console of your project is
//! authoritative.
//!
//! # Your duties as owner of the OAuth client
//! Every Gmail scope but `gmail.labels` and `gmail.send` is *restricted*: Google verifies the app, demands Limited Use of the data, and a
//! yearly security assessment (CASA) once data is handled on servers. While the consent screen is in *Testing*, refresh tokens end after
//! seven days. These duties lie with whoever owns the client id; a library cannot take them over. Ask for the narrowest workflow:
//! [`scopes::for_workflows`].
//!
//! Oddities of Gmail that shaped this crate are listed in `QUIRKS.md`, each with the test that keeps it in mind.
#![forbid(unsafe_code)]

mod account;
mod attachment;
pub mod base64;
pub mod batch;
mod builder;
mod classify;
mod dialect;
mod endpoints;
mod full;
mod gmail;
#[cfg(feature = "hub")]
pub mod hub;
mod mailbox;
#[cfg(feature = "testkit")]
pub mod mock;
pub mod push;
pub mod query;
mod quota;
pub mod scopes;
mod sending;
pub mod wire;

pub use account::GmailAccount;
pub use builder::{Baseline, GmailBuilder, TRUSTED_SERVER};
pub use classify::GmailErrors;
pub use dialect::GoogleOAuth;
pub use endpoints::Endpoints;
pub use gmail::Gmail;
pub use mailbox::GmailMailbox;
pub use quota::{CONCURRENCY, Tariff};

/// The provider's stable name in code, spans and errors.
pub const PROVIDER: &str = "gmail";

/// The provider's name as an id.
pub fn provider() -> atlas_connectors::ProviderId {
    PROVIDER.into()
}
