//! Tests of sign-in against an authorization server that follows a script.

mod answers;
mod callbacks;
mod device;
mod grants;
mod id_tokens;
mod loopback;
mod races;
mod world;
