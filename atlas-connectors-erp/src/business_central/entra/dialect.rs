//! The dialect: scopes, parameters, issuers and accounts.

use atlas_connectors::error::{ClientFault, FlowFault, Masked, OAuthError, OperationClass};
use atlas_connectors::oauth::{
    AuthorizeRequest, ClientId, Endpoints, IdClaims, OAuthProvider, Prompt, RedirectRefusal, Revocation, Scope,
    ScopeSet, TokenRefusal, Workflow,
};
use atlas_connectors::{Error, ErrorKind, Identity, ProviderId, Result};

use super::authority::{CONSUMERS, EntraBuilder, EntraTenant, is_guid};
use super::{classify, scopes};

pub(super) const OPERATION: &str = "entra.settings";

/// Entra ID as an authorization server, for [`atlas_connectors::oauth`]. See the [module page](super).
///
/// An account is the pair of `tid` (tenant) and `oid` (user in that tenant): the subject is `tid/oid`. The address is what people know
/// the account by and may change. The same person as a guest of another organization is another account.
#[derive(Clone, Debug)]
pub struct EntraOAuth {
    pub(super) endpoints: Endpoints,
    /// What stands before and after the tenant's id.
    pub(super) issuer: (String, String),
    pub(super) scopes: ScopeSet,
    pub(super) settings: EntraBuilder,
}

impl EntraOAuth {
    /// The worldwide cloud, for Business Central, with everything that the app is registered for.
    ///
    /// # Errors
    /// None with these settings; see [`EntraBuilder::build`].
    pub fn new(tenant: EntraTenant) -> Result<Self> {
        Self::builder(tenant).build()
    }

    /// Settings for another cloud, an emulator or single permissions.
    pub fn builder(tenant: EntraTenant) -> EntraBuilder {
        EntraBuilder::new(tenant)
    }

    /// The organization that sign-ins go to.
    pub fn tenant(&self) -> &EntraTenant {
        &self.settings.tenant
    }

    /// The same at the authority of one organization.
    ///
    /// # Errors
    /// As [`EntraTenant::id`].
    pub fn at_tenant(&self, id: &str) -> Result<Self> {
        let mut settings = self.settings.clone();
        settings.tenant = EntraTenant::id(id)?;
        settings.build()
    }

    /// The same at the authority of the organization that an account belongs to: for refreshes and reconnects.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the identity is not one of Entra's.
    pub fn at_tenant_of(&self, identity: &Identity) -> Result<Self> {
        self.at_tenant(identity.tenant.as_deref().unwrap_or_default())
    }

    /// What the client asks for on its own account, without any person: always `.default`.
    ///
    /// # Errors
    /// [`ClientFault::Tenant`] over `organizations`: Entra would refuse it (9001023).
    pub fn client_credentials_scopes(&self) -> Result<ScopeSet> {
        if self.settings.tenant.as_id().is_none() {
            return Err(self.misconfigured(ClientFault::Tenant, "oauth.client_credentials"));
        }
        Ok([scopes::default_of(&self.settings.resource)].into_iter().collect())
    }

    /// The client itself as an account of the organization, for a connection without any person.
    ///
    /// # Errors
    /// As [`EntraOAuth::client_credentials_scopes`].
    pub fn client_identity(&self, client: &ClientId) -> Result<Identity> {
        match self.settings.tenant.as_id() {
            Some(tenant) => Ok(Identity {
                subject: format!("{tenant}/app:{client}"),
                address: None,
                tenant: Some(tenant.to_owned()),
            }),
            None => Err(self.misconfigured(ClientFault::Tenant, "oauth.client_credentials")),
        }
    }

    fn misconfigured(&self, fault: ClientFault, operation: &'static str) -> Error {
        Error::new(OAuthError::ClientMisconfigured { fault }, operation)
            .with_class(OperationClass::SignIn)
            .with_provider(self.id())
    }

    /// The tenant that an issuer names, if it is one of this cloud.
    fn tenant_of<'a>(&self, issuer: &'a str) -> Option<&'a str> {
        let (before, after) = &self.issuer;
        let id = issuer.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
        is_guid(id).then_some(id)
    }
}

impl OAuthProvider for EntraOAuth {
    fn id(&self) -> ProviderId {
        self.settings.provider.clone()
    }

    fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The same for reading and writing: no read-only permission is documented, so that the narrower right has to come from Business
    /// Central's permission sets.
    fn scopes_for(&self, workflows: &[Workflow]) -> Result<ScopeSet> {
        if workflows.iter().any(Workflow::is_mail) {
            let kind = ErrorKind::Unsupported {
                what: "this workflow with an ERP",
            };
            return Err(Error::new(kind, "entra.scopes")
                .with_class(OperationClass::SignIn)
                .with_provider(self.id()));
        }
        Ok(self.scopes.clone())
    }

    fn identity_scopes(&self) -> ScopeSet {
        ScopeSet::parse(scopes::IDENTITY)
    }

    fn normalize_scope(&self, scope: &Scope) -> Scope {
        scopes::normalize(scope)
    }

    fn implies(&self, held: &Scope, needed: &Scope) -> bool {
        scopes::implies(held.as_str(), needed.as_str())
    }

    fn authorize_extras(&self, request: &AuthorizeRequest<'_>) -> Vec<(&'static str, String)> {
        // Leads past the page that asks where the account belongs; checked is `tid`, when the person is back.
        let hint = match (request.organization, self.settings.tenant.as_id()) {
            (Some(domain), _) => Some(domain),
            (None, Some(tenant)) if request.reconnect => Some(tenant),
            _ => None,
        };
        hint.map(|hint| ("domain_hint", hint.to_owned())).into_iter().collect()
    }

    /// The choice of account, at the first sign-in. Never the consent page: it appears by itself where it is needed, and asked for in any
    /// case it stops everybody in an organization where only administrators may consent.
    fn default_prompt(&self, reconnect: bool) -> Vec<Prompt> {
        if reconnect {
            Vec::new()
        } else {
            vec![Prompt::SelectAccount]
        }
    }

    /// Each organization is an issuer of its own: `iss` has to name the tenant that `tid` names, in this cloud.
    fn accepts_issuer(&self, claims: &IdClaims) -> bool {
        let tenant = self.tenant_of(&claims.issuer);
        tenant.is_some() && tenant == claims.text("tid")
    }

    fn accepts_redirect_issuer(&self, issuer: &str) -> bool {
        match (self.tenant_of(issuer), self.settings.tenant.as_id()) {
            (Some(named), Some(ours)) => named == ours,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    fn check_account(&self, claims: &IdClaims) -> Result<()> {
        let tenant = claims.text("tid").unwrap_or_default();
        let user = claims.text("oid").unwrap_or_default();
        let wrong = |expected| {
            let named = claims.text("preferred_username").unwrap_or(user);
            let actual = Masked::new(named);
            Error::new(OAuthError::WrongAccount { expected, actual }, "oauth.sign_in")
        };
        if tenant == CONSUMERS {
            let expected = Masked::fixed("an account of an organization");
            return Err(wrong(expected).with_context("organization", "personal account"));
        }
        if let Some(ours) = self.settings.tenant.as_id()
            && tenant != ours
        {
            return Err(wrong(Masked::fixed("an account of another organization"))
                .with_context("expected_organization", ours)
                .with_context("organization", tenant));
        }
        if !is_guid(user) {
            let fault = FlowFault::IdToken;
            return Err(Error::new(OAuthError::FlowRejected { fault }, "oauth.id_token").with_context("check", "oid"));
        }
        Ok(())
    }

    fn identity(&self, claims: &IdClaims) -> Identity {
        let tenant = claims.text("tid").unwrap_or_default();
        let user = claims.text("oid").unwrap_or_default();
        Identity {
            subject: format!("{tenant}/{user}"),
            address: claims.text("preferred_username").map(str::to_owned),
            tenant: Some(tenant.to_owned()),
        }
    }

    fn classify_token_error(&self, refusal: &TokenRefusal<'_>) -> OAuthError {
        classify::token(refusal)
    }

    fn classify_redirect_error(&self, refusal: &RedirectRefusal<'_>) -> OAuthError {
        classify::redirect(refusal)
    }

    /// Each refresh gives a new refresh token, and the old one stays good: a lost answer loses nothing.
    fn rotates_refresh_tokens(&self) -> bool {
        false
    }

    fn revocation(&self) -> Revocation {
        Revocation::Unsupported
    }
}
