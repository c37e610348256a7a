//! The reqwest transport against servers that misbehave on the wire and in the handshake.
#![cfg(feature = "reqwest")]

mod canary;
mod stub;
mod tls;
mod wire;
