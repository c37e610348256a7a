//! Against servers that nobody here wrote: Google and Entra of `emulate`, `oidc-provider-mock`, and SAP's own OData stack with
//! its application router. `.ci/run peers` installs, starts and
//! names them. Gaps of theirs that the tests step around are said where they do.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a failing helper fails its test; the environment names the peers"
)]

#[path = "peers/business_central.rs"]
mod business_central;
#[path = "peers/cli.rs"]
mod cli;
#[path = "peers/entra.rs"]
mod entra;
#[path = "peers/mail.rs"]
mod mail;
#[path = "peers/oidc.rs"]
mod oidc;
#[path = "peers/sap.rs"]
mod sap;
#[path = "peers/sign_in.rs"]
mod sign_in;

use atlas_connectors_tests::peer::PeerGoogle;

/// The Google that the environment names.
async fn google() -> PeerGoogle {
    PeerGoogle::at(&std::env::var("ATLAS_PEER_GOOGLE").unwrap())
        .await
        .unwrap()
}
