//! `mock::Entra`: a Microsoft Entra ID on loopback for test harnesses.
//!
//! It answers the addresses of the v2.0 endpoint for any number of tenants: sign-in page, token endpoint, device code, administrators'
//! consent, discovery and keys. It has a memory (consents, grants, codes, tokens), misbehaves by script, and counts the calls of its token
//! endpoint. It knows nothing of this library: whatever speaks HTTP can be tested against it.
//!
//! | to | use |
//! | --- | --- |
//! | start it | [`Entra::start`], [`Entra::builder`] (clock, people, clients, tenants, rotation, who may consent) |
//! | sign in without a browser | [`Entra::consent`], with [`Entra::next_consent`] for what the person does |
//! | consent as an administrator | [`Entra::admin_consent`], with [`Entra::next_admin_consent`] |
//! | type a device code | [`Entra::approve_device`], [`Entra::decline_device`] |
//! | act as the organization | [`Entra::withdraw_consent`], [`Entra::revoke_sessions`], [`Entra::disable`], [`Entra::demand_claims`] |
//! | break things | [`Entra::faults`] with a [`Refusal`] or any [`Fault`](atlas_connectors::testkit::server::Fault), [`Entra::next_claims`], [`Entra::rotate_keys`] |
//! | let a mock API know its callers | [`Entra::who`] |
//! | assert | [`Entra::counters`] |
//!
//! ```
//! use atlas_connectors::oauth::OAuthProvider as _;
//! use atlas_connectors_erp::business_central::entra::{EntraOAuth, EntraTenant};
//! use atlas_connectors_erp::mock::entra::{Entra, Refusal, TENANT};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let entra = Entra::start().await;
//! let dialect = EntraOAuth::builder(EntraTenant::Organizations).login(entra.url()).build().unwrap();
//! assert!(dialect.endpoints().token.as_str().starts_with(entra.uri()));
//!
//! // The next token call is refused because nobody has consented.
//! entra.faults().next("entra.token", Refusal::of(65_001));
//! assert_eq!(entra.faults().pending(), 1);
//! assert_eq!(entra.counters().token_calls, 0);
//! assert!(dialect.at_tenant(TENANT).is_ok());
//! # }
//! ```
//!
//! # What is like Entra and what is not
//! Addresses, parameters, shape and numbers of refusals, claims of id tokens and the life of refresh tokens follow
//! `business-central.md`, section 9. Plainly different: HTTP without TLS, tokens are opaque, no page is ever shown; the `error` beside some
//! numbers is a guess, marked at [`Refusal::of`].

mod account;
mod authorize;
mod counters;
mod device;
mod refusal;
mod server;
mod token;
mod world;

pub use account::{AdminChoice, Blocked, Client, Consent, Person};
pub use counters::Counters;
pub use refusal::Refusal;
pub use server::{Builder, CLIENT_ID, CLIENT_SECRET, Entra, OTHER_TENANT, PUBLIC_CLIENT_ID, TENANT, USER};
