//! OAuth: sign-in, callback checks, scopes, revocation, and the pure tables that classify failures.

mod scope;

pub use scope::{Scope, ScopeSet};
