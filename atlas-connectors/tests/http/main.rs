//! The reqwest transport against servers that misbehave on the wire and in the handshake.
#![cfg(feature = "reqwest")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail their test")]

mod canary;
mod stub;
mod tls;
mod wire;
