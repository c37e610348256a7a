//! An administrator approves the app for a whole organization: the page, and what comes back from it.
//!
//! Source: `business-central.md`, section 9 (Microsoft's page on admin consent). No RFC knows it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use url::{Url, form_urlencoded};

use crate::clock::Timestamp;
use crate::error::{Denier, Error, ErrorKind, FlowFault, OAuthError, Result};
use crate::ids::{ActorId, ConnectionId, SessionId, TenantId};
use crate::oauth::flow::{Flow, Purpose};
use crate::oauth::sign_in::{Arrived, check_redirect};
use crate::oauth::wire::FlowSecrets;
use crate::oauth::{RedirectRefusal, ScopePlan, ScopeSet, SignIn, Workflow};

const OPERATION: &str = "oauth.admin_consent";
/// More than any provider sends, in bytes.
const MAX_QUERY: usize = 16 * 1024;

/// An administrator's consent that is being waited for.
#[derive(Clone)]
#[non_exhaustive]
pub struct AdminConsentBegun {
    /// Where to send the administrator's browser. Carries the state: show it to nobody else and do not log it.
    pub url: Url,
    /// What is asked for.
    pub scopes: ScopeSet,
    /// After this moment the answer is refused.
    pub expires: Timestamp,
}

impl fmt::Debug for AdminConsentBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminConsentBegun")
            .field("scopes", &self.scopes)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The parameters with which the administrator's browser came back. `Debug` shows none of them.
///
/// The organization that the address names is not read: anybody can write one there. Which organization has the app is seen at the
/// next sign-in or token call.
///
/// ```
/// use atlas_connectors::oauth::AdminConsentCallback;
///
/// // Microsoft says `admin_consent=True` when the administrator said no, too: the error counts.
/// let refused = AdminConsentCallback::from_query("admin_consent=True&error=consent_required&state=s")?;
/// assert!(!refused.is_granted());
/// let granted = AdminConsentCallback::from_query("admin_consent=True&tenant=t&scope=x&state=s")?;
/// assert!(granted.is_granted());
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
pub struct AdminConsentCallback {
    state: SecretString,
    refused: Option<Refused>,
}

struct Refused {
    error: String,
    description: Option<String>,
    suberror: Option<String>,
}

impl AdminConsentCallback {
    /// Takes the address to which the browser was sent back.
    ///
    /// # Errors
    /// [`FlowFault::Malformed`] if it holds a parameter twice, no state, or neither consent nor an error.
    pub fn from_url(url: &Url) -> Result<Self> {
        Self::from_query(url.query().unwrap_or_default())
    }

    /// Takes the query of that address, as it came: it is decoded here, once.
    ///
    /// # Errors
    /// As [`AdminConsentCallback::from_url`].
    pub fn from_query(query: &str) -> Result<Self> {
        let malformed = || {
            Error::new(
                OAuthError::FlowRejected {
                    fault: FlowFault::Malformed,
                },
                OPERATION,
            )
        };
        if query.len() > MAX_QUERY {
            return Err(malformed());
        }
        let mut parameters: BTreeMap<Cow<'_, str>, Cow<'_, str>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.insert(name, value).is_some() {
                return Err(malformed());
            }
        }
        let mut take = |name: &str| {
            parameters
                .remove(name)
                .map(Cow::into_owned)
                .filter(|text| !text.is_empty())
        };
        let state = SecretString::from(take("state").ok_or_else(malformed)?);
        let refused = match (take("error"), take("admin_consent")) {
            (Some(error), _) => Some(Refused {
                error,
                description: take("error_description"),
                suberror: take("error_subcode"),
            }),
            (None, Some(granted)) if granted.eq_ignore_ascii_case("true") => None,
            _ => return Err(malformed()),
        };
        Ok(Self { state, refused })
    }

    /// Whether the address says that the administrator agreed. Believe it only of what [`SignIn::complete_admin_consent`] let through.
    pub fn is_granted(&self) -> bool {
        self.refused.is_none()
    }
}

impl fmt::Debug for AdminConsentCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminConsentCallback")
    }
}

impl SignIn {
    /// Prepares the page on which an administrator approves the app for everybody in the organization, for all these workflows.
    ///
    /// `redirect` is a registered address of the host; the answer goes to [`SignIn::complete_admin_consent`], by the same user in the
    /// same session.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the provider has no such page or not one of the workflows; else as [`SignIn::begin`].
    pub async fn begin_admin_consent(
        &self,
        tenant: TenantId,
        actor: ActorId,
        session: SessionId,
        redirect: Url,
        workflows: &[Workflow],
    ) -> Result<AdminConsentBegun> {
        check_redirect(&redirect)?;
        let app = self.app();
        let Some(page) = &app.provider().endpoints().admin_consent else {
            return Err(Error::new(ErrorKind::Unsupported { what: "admin consent" }, OPERATION));
        };
        let plan = ScopePlan::new(app.provider(), workflows)?;
        let scopes = app.provider().scopes_for(&plan.workflows)?;
        let now = app.clock().now();
        self.flows().sweep(now.before(self.time_limit())).await?;
        let secrets = FlowSecrets::random();
        let mut url = page.clone();
        url.query_pairs_mut()
            .append_pair("client_id", app.client().id.as_str())
            .append_pair("scope", &scopes.to_list())
            .append_pair("redirect_uri", redirect.as_str())
            .append_pair("state", secrets.state.expose_secret());
        let flow = Flow {
            provider: app.provider().id(),
            client: app.client().id.clone(),
            tenant,
            // No connection is made by it; the seal wants a name.
            connection: ConnectionId::random(),
            epoch: None,
            actor,
            session,
            purpose: Purpose::AdminConsent,
            redirect: redirect.into(),
            plan,
            expires: now.after(self.time_limit()),
            state: secrets.state,
            nonce: secrets.nonce,
            verifier: secrets.verifier,
        };
        self.flows()
            .put(flow.seal(self.connections().vault().sealer())?)
            .await?;
        Ok(AdminConsentBegun {
            url,
            scopes,
            expires: flow.expires,
        })
    }

    /// Takes in what the administrator's browser brought back. `actor` and `session` come from the host's own session of the request in
    /// which it arrived.
    ///
    /// An `Ok` means that the answer belongs to a consent that this person asked for and says yes. It is a reason to sign in, not a
    /// proof: the address is written by the browser.
    ///
    /// # Errors
    /// [`OAuthError::FlowRejected`] for an answer that belongs to no consent that is being waited for; [`OAuthError::AccessDenied`] if
    /// the administrator said no; [`OAuthError`] otherwise as the provider's table has it, or the store.
    pub async fn complete_admin_consent(
        &self,
        callback: AdminConsentCallback,
        actor: &ActorId,
        session: &SessionId,
    ) -> Result<()> {
        let arrived = Arrived {
            state: &callback.state,
            issuer: None,
            purpose: Purpose::AdminConsent,
        };
        self.take(&arrived, actor, session).await?;
        let Some(refused) = &callback.refused else {
            return Ok(());
        };
        let refusal = RedirectRefusal::new(&refused.error)
            .with_description(refused.description.as_deref())
            .with_suberror(refused.suberror.as_deref());
        let class = match self.app().provider().classify_redirect_error(&refusal) {
            // Whoever says no on this page is the administrator.
            OAuthError::AccessDenied { by: Denier::User } => OAuthError::AccessDenied { by: Denier::Admin },
            class => class,
        };
        Err(self.app().refused(class, OPERATION).with_provider_code(&refused.error))
    }
}
