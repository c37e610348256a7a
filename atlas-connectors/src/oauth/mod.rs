//! OAuth: sign-in, callback checks, scopes, revocation, and the pure tables that classify failures.

mod accept;
mod admin_consent;
mod answer;
mod app;
mod callback;
mod claims;
mod client;
mod device;
mod flow;
mod flow_store;
mod id_token;
mod loopback;
mod profile;
mod provider;
mod refresh;
mod scope;
mod sign_in;
#[cfg(test)]
mod tests;
mod wire;
mod workflow;

pub use accept::SignedIn;
pub use admin_consent::{AdminConsentBegun, AdminConsentCallback};
pub use app::OAuthApp;
pub use callback::Callback;
pub use claims::IdClaims;
pub use client::{ClientId, Endpoints, OAuthClient};
pub use device::DeviceSignIn;
pub use flow_store::{FlowStore, StateHash, StoredFlow};
pub use loopback::{Loopback, open_browser};
pub use profile::AccountProfile;
pub use provider::{
    AuthorizeRequest, ClientAuthentication, GrantType, OAuthProvider, RedirectRefusal, Revocation, TokenRefusal,
    standard_redirect_error, standard_token_error,
};
pub use refresh::{RefreshGrant, RenewClientCredentials, RenewSamlBearer, SamlAssertions};
pub use scope::{Scope, ScopeSet};
pub use sign_in::{Begun, Prompt, SignIn, SignInRequest};
pub use workflow::{ScopePlan, ScopeReport, Workflow};

/// The field of the credential store in which a connection's OAuth grant lies.
pub const OAUTH_FIELD: &str = "oauth";
