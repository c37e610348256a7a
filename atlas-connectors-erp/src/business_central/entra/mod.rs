//! Microsoft Entra ID as an authorization server: its dialect of OAuth, and what its refusals mean.
//!
//! ```
//! use atlas_connectors::oauth::{ScopePlan, Workflow};
//! use atlas_connectors_erp::business_central::entra::{EntraOAuth, EntraTenant};
//!
//! // The first sign-in goes to whatever organization the person belongs to.
//! let entra = EntraOAuth::new(EntraTenant::Organizations)?;
//! let plan = ScopePlan::new(&entra, &[Workflow::ReadRecords])?;
//! assert!(plan.asked.contains(&"https://api.businesscentral.dynamics.com/.default".into()));
//!
//! // Once it is known which, everything goes there: refreshes, reconnects, the client's own credentials.
//! let contoso = entra.at_tenant("11111111-1111-4111-8111-111111111111")?;
//! assert!(contoso.client_credentials_scopes().is_ok() && entra.client_credentials_scopes().is_err());
//! # Ok::<(), atlas_connectors::Error>(())
//! ```
//!
//! # Signing people in
//! One [`OAuthApp`](atlas_connectors::oauth::OAuthApp) at [`EntraTenant::Organizations`] begins new connections. A connection that exists
//! is refreshed and reconnected by the same app at its own tenant: `app.at(Arc::new(entra.at_tenant_of(&identity)?))`. Some tenants
//! refuse refreshes over `organizations`.
//!
//! # Public and confidential clients
//! A desktop app is an [`OAuthClient::public`](atlas_connectors::oauth::OAuthClient::public) with the redirect `http://localhost`
//! ([`Loopback::named_localhost`](atlas_connectors::oauth::Loopback::named_localhost)); a server has a secret. Entra refuses a secret from the former (700025) and its lack from the latter (7000218).
//!
//! # Ending a grant
//! Entra has no endpoint at which an app could revoke its grant. A disconnect erases the tokens here; the person removes the app at the
//! My Apps portal, an administrator under Enterprise applications, Permissions.
//!
//! Source: `business-central.md`, section 9.

mod authority;
mod classify;
mod codes;
mod dialect;
mod scopes;
mod table;

pub use authority::{EntraBuilder, EntraTenant, TenantGuid};
pub use codes::{EntraAction, EntraClass, EntraCode};
pub use dialect::EntraOAuth;
pub use scopes::BUSINESS_CENTRAL;
