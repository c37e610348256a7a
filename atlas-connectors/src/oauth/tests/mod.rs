//! Tests of sign-in against an authorization server that follows a script.

mod admin_consent;
mod answers;
mod callbacks;
mod claims;
mod device;
mod grants;
mod id_tokens;
mod loopback;
mod races;
mod world;
