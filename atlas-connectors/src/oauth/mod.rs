//! OAuth: sign-in, callback checks, scopes, revocation, and the pure tables that classify failures.

mod claims;
mod client;
mod flow_store;
mod provider;
mod scope;
mod workflow;

pub use claims::IdClaims;
pub use client::{ClientId, Endpoints, OAuthClient};
pub use flow_store::{FlowStore, StateHash, StoredFlow};
pub use provider::{
    AuthorizeRequest, ClientAuthentication, GrantType, OAuthProvider, RedirectRefusal, Revocation, TokenRefusal,
    standard_redirect_error, standard_token_error,
};
pub use scope::{Scope, ScopeSet};
pub use workflow::{ScopePlan, ScopeReport, Workflow};
