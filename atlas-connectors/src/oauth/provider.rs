//! What differs from provider to provider, as pure functions and settings.

use std::fmt;

use crate::connection::Identity;
use crate::error::{ClientFault, Denier, GrantEnd, OAuthError, Result};
use crate::ids::ProviderId;
use crate::oauth::{Endpoints, IdClaims, Prompt, Scope, ScopeSet, Workflow};

/// A provider's dialect of OAuth: addresses, scopes, and its tables of refusals. Pure; it sends nothing.
///
/// The defaults are what the RFCs say, so a dialect states only what is special.
///
/// ```
/// use atlas_connectors::error::{GrantEnd, OAuthError};
/// use atlas_connectors::oauth::{
///     Endpoints, GrantType, OAuthProvider, ScopePlan, ScopeSet, TokenRefusal, Workflow, standard_token_error,
/// };
/// use atlas_connectors::{Error, ErrorKind, ProviderId, Result};
///
/// #[derive(Debug)]
/// struct Post {
///     endpoints: Endpoints,
/// }
///
/// impl OAuthProvider for Post {
///     fn id(&self) -> ProviderId {
///         ProviderId::new("post")
///     }
///     fn endpoints(&self) -> &Endpoints {
///         &self.endpoints
///     }
///     fn scopes_for(&self, workflows: &[Workflow]) -> Result<ScopeSet> {
///         let scope = |workflow: &Workflow| match workflow {
///             Workflow::Triage => Ok("mail.read".into()),
///             Workflow::ApprovedReplies => Ok("mail.send".into()),
///             _ => Err(Error::new(ErrorKind::Unsupported { what: "workflow" }, "oauth.plan")),
///         };
///         workflows.iter().map(scope).collect()
///     }
///     // Only what this provider says in its own way; everything else is as the RFC has it.
///     fn classify_token_error(&self, refusal: &TokenRefusal<'_>) -> OAuthError {
///         match (refusal.error, refusal.suberror) {
///             ("invalid_grant", Some("session_over")) => OAuthError::InvalidGrant { cause: GrantEnd::SessionControl },
///             _ => standard_token_error(refusal),
///         }
///     }
/// }
///
/// let post = Post {
///     endpoints: Endpoints::new(
///         "https://post.example",
///         "https://post.example/authorize".parse().unwrap(),
///         "https://post.example/token".parse().unwrap(),
///     ),
/// };
/// let plan = ScopePlan::new(&post, &[Workflow::Triage])?;
/// assert_eq!(plan.asked, ScopeSet::parse("openid email mail.read"));
///
/// let report = plan.compare(&post, &ScopeSet::parse("openid email mail.send"));
/// assert_eq!(report.missing, ScopeSet::parse("mail.read"));
/// assert_eq!(report.excess, ScopeSet::parse("mail.send"));
///
/// let refusal = TokenRefusal::new(GrantType::RefreshToken, 400, "invalid_grant").with_suberror(Some("session_over"));
/// assert_eq!(post.classify_token_error(&refusal).code(), "oauth.invalid_grant.session_control");
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
pub trait OAuthProvider: fmt::Debug + Send + Sync + 'static {
    /// The provider's stable name.
    fn id(&self) -> ProviderId;

    /// The provider's addresses.
    fn endpoints(&self) -> &Endpoints;

    /// The narrowest scopes that cover all these workflows together, without those of [`OAuthProvider::identity_scopes`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for a workflow that the provider does not have.
    fn scopes_for(&self, workflows: &[Workflow]) -> Result<ScopeSet>;

    /// Scopes that are asked for always, to learn who came back. If `openid` is among them, an id token is demanded.
    fn identity_scopes(&self) -> ScopeSet {
        ScopeSet::parse("openid email")
    }

    /// The scope in the spelling in which the provider reports it. Google reports `email` as
    /// `https://www.googleapis.com/auth/userinfo.email` (`gmail.md`, section 1).
    fn normalize_scope(&self, scope: &Scope) -> Scope {
        scope.clone()
    }

    /// Whether holding the one scope allows everything that the other does. Both are normalised.
    fn implies(&self, held: &Scope, needed: &Scope) -> bool {
        held == needed
    }

    /// Parameters of the authorization request beyond the RFC's, such as Google's `access_type=offline`.
    fn authorize_extras(&self, request: &AuthorizeRequest<'_>) -> Vec<(&'static str, String)> {
        let _ = request;
        Vec::new()
    }

    /// Issuers that an id token may name. Google writes its own in two spellings.
    fn token_issuers(&self) -> Vec<String> {
        vec![self.endpoints().issuer.clone()]
    }

    /// Whether an id token of this issuer may be accepted, given its claims. A provider with one issuer for each
    /// organization compares `tid` here.
    fn accepts_issuer(&self, claims: &IdClaims) -> bool {
        self.token_issuers().contains(&claims.issuer)
    }

    /// Whether a redirect may name this issuer (RFC 9207). Exactly the one of [`OAuthProvider::endpoints`], unless a provider has one
    /// for each organization.
    fn accepts_redirect_issuer(&self, issuer: &str) -> bool {
        issuer == self.endpoints().issuer
    }

    /// Whether a verified account is of the kind that may connect at all: an organization's and not a personal one, of the
    /// organization that was asked for.
    ///
    /// # Errors
    /// [`OAuthError::WrongAccount`], most likely. The grant is revoked as far as the provider's rule allows, and nothing is stored.
    fn check_account(&self, claims: &IdClaims) -> Result<()> {
        let _ = claims;
        Ok(())
    }

    /// What the sign-in page shows in any case where the host does not say. By default the consent page: without it a provider may give
    /// no refresh token to somebody who agreed before (`gmail.md`, section 1).
    fn default_prompt(&self, reconnect: bool) -> Vec<Prompt> {
        let _ = reconnect;
        vec![Prompt::Consent]
    }

    /// Who the id token speaks of.
    fn identity(&self, claims: &IdClaims) -> Identity {
        Identity {
            subject: claims.subject.clone(),
            address: claims.email.clone(),
            tenant: None,
        }
    }

    /// What a well-formed refusal of the token endpoint means.
    fn classify_token_error(&self, refusal: &TokenRefusal<'_>) -> OAuthError {
        standard_token_error(refusal)
    }

    /// What an error in the redirect means.
    fn classify_redirect_error(&self, refusal: &RedirectRefusal<'_>) -> OAuthError {
        standard_redirect_error(refusal)
    }

    /// Whether a refresh gives a new refresh token and ends the old one. A refresh that may have been answered is then
    /// not repeated.
    fn rotates_refresh_tokens(&self) -> bool {
        false
    }

    /// How far a revocation reaches.
    fn revocation(&self) -> Revocation {
        if self.endpoints().revoke.is_some() {
            Revocation::Token
        } else {
            Revocation::Unsupported
        }
    }

    /// Whether a revocation names the client and its secret, as RFC 7009, section 2.1, has it. Google wants the token alone
    /// (`gmail.md`, section 1).
    fn revocation_names_client(&self) -> bool {
        true
    }

    /// How the client proves itself at the token endpoint.
    fn client_authentication(&self) -> ClientAuthentication {
        ClientAuthentication::Body
    }

    /// Whether the token endpoint gives a refresh token to a sign-in that asked rightly; where it does not, a
    /// missing one is no fault.
    fn gives_refresh_token(&self) -> bool {
        true
    }
}

/// How far the revocation of one token reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// The person's whole grant to this client: every connection that lives on it ends.
    WholeGrant,
    /// This token and those made from it.
    Token,
    /// There is no way to revoke.
    Unsupported,
}

/// How a client with a secret proves itself (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// `client_id` and `client_secret` in the form.
    Body,
    /// The `Authorization: Basic` header.
    Basic,
}

/// What the dialect may look at when it adds parameters to an authorization request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthorizeRequest<'a> {
    /// What is asked for.
    pub scopes: &'a ScopeSet,
    /// Whether the connection exists already and signs in again.
    pub reconnect: bool,
    /// Whether access is wanted while the person is away. Always so today.
    pub offline: bool,
    /// Domain of the organization that is expected, where the host names one.
    pub organization: Option<&'a str>,
}

impl<'a> AuthorizeRequest<'a> {
    /// A first sign-in for these scopes.
    pub const fn new(scopes: &'a ScopeSet) -> Self {
        Self {
            scopes,
            reconnect: false,
            offline: true,
            organization: None,
        }
    }
}

/// What was presented to the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrantType {
    /// An authorization code.
    AuthorizationCode,
    /// A refresh token.
    RefreshToken,
    /// The client's own credentials.
    ClientCredentials,
    /// A device code.
    DeviceCode,
    /// A signed assertion of a service account.
    JwtBearer,
    /// A SAML assertion about a person, made by the host's identity provider (RFC 7522).
    SamlBearer,
}

/// A well-formed refusal of the token endpoint: a JSON answer with `error` and a status of 400, 401 or 403.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct TokenRefusal<'a> {
    /// What was presented.
    pub grant: GrantType,
    /// The status.
    pub status: u16,
    /// The field `error`.
    pub error: &'a str,
    /// The field `error_description`. Free text: compare it with known sentences, never copy it.
    pub description: Option<&'a str>,
    /// The field `error_subtype` (Google) or `suberror` (Entra).
    pub suberror: Option<&'a str>,
    /// The field `error_codes` (Entra).
    pub codes: &'a [u64],
}

impl<'a> TokenRefusal<'a> {
    /// A refusal with its code.
    pub const fn new(grant: GrantType, status: u16, error: &'a str) -> Self {
        Self {
            grant,
            status,
            error,
            description: None,
            suberror: None,
            codes: &[],
        }
    }

    /// Sets the description.
    #[must_use]
    pub const fn with_description(mut self, description: Option<&'a str>) -> Self {
        self.description = description;
        self
    }

    /// Sets the second code.
    #[must_use]
    pub const fn with_suberror(mut self, suberror: Option<&'a str>) -> Self {
        self.suberror = suberror;
        self
    }

    /// Sets the numbers.
    #[must_use]
    pub const fn with_codes(mut self, codes: &'a [u64]) -> Self {
        self.codes = codes;
        self
    }
}

impl fmt::Debug for TokenRefusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRefusal")
            .field("grant", &self.grant)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// An error that came back in the redirect.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct RedirectRefusal<'a> {
    /// The parameter `error`.
    pub error: &'a str,
    /// The parameter `error_description`. Free text: compare it with known sentences, never copy it.
    pub description: Option<&'a str>,
    /// The parameter `error_subcode` or `error_subtype`.
    pub suberror: Option<&'a str>,
}

impl<'a> RedirectRefusal<'a> {
    /// A refusal with its code.
    pub const fn new(error: &'a str) -> Self {
        Self {
            error,
            description: None,
            suberror: None,
        }
    }

    /// Sets the description.
    #[must_use]
    pub const fn with_description(mut self, description: Option<&'a str>) -> Self {
        self.description = description;
        self
    }

    /// Sets the second code.
    #[must_use]
    pub const fn with_suberror(mut self, suberror: Option<&'a str>) -> Self {
        self.suberror = suberror;
        self
    }
}

impl fmt::Debug for RedirectRefusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedirectRefusal")
    }
}

/// The table of RFC 6749, section 5.2, and RFC 8628, section 3.5: what every dialect falls back to.
pub fn standard_token_error(refusal: &TokenRefusal<'_>) -> OAuthError {
    let misconfigured = |fault| OAuthError::ClientMisconfigured { fault };
    match refusal.error {
        "invalid_grant" => OAuthError::InvalidGrant {
            cause: match refusal.grant {
                GrantType::AuthorizationCode => GrantEnd::CodeRejected,
                GrantType::DeviceCode => GrantEnd::CodeRejected,
                GrantType::RefreshToken
                | GrantType::ClientCredentials
                | GrantType::JwtBearer
                | GrantType::SamlBearer => GrantEnd::RevokedOrExpired,
            },
        },
        "interaction_required" | "login_required" | "consent_required" => OAuthError::InvalidGrant {
            cause: GrantEnd::InteractionRequired,
        },
        "access_denied" => OAuthError::AccessDenied { by: Denier::User },
        "invalid_client" => misconfigured(ClientFault::Credentials),
        "unauthorized_client" => misconfigured(ClientFault::NotAuthorized),
        "redirect_uri_mismatch" => misconfigured(ClientFault::RedirectUri),
        "invalid_scope" => misconfigured(ClientFault::Scope),
        "invalid_request" | "unsupported_grant_type" => misconfigured(ClientFault::Request),
        "use_dpop_nonce" | "invalid_dpop_proof" => misconfigured(ClientFault::Proof),
        "server_error" | "temporarily_unavailable" => OAuthError::Transient,
        _ => OAuthError::Other,
    }
}

/// The table of RFC 6749, section 4.1.2.1, and OpenID Connect Core, section 3.1.2.6: what every dialect falls back to.
pub fn standard_redirect_error(refusal: &RedirectRefusal<'_>) -> OAuthError {
    let misconfigured = |fault| OAuthError::ClientMisconfigured { fault };
    match refusal.error {
        "access_denied" => OAuthError::AccessDenied { by: Denier::User },
        "interaction_required" | "login_required" | "consent_required" | "account_selection_required" => {
            OAuthError::InvalidGrant {
                cause: GrantEnd::InteractionRequired,
            }
        }
        "unauthorized_client" => misconfigured(ClientFault::NotAuthorized),
        "invalid_scope" => misconfigured(ClientFault::Scope),
        "invalid_request" | "unsupported_response_type" => misconfigured(ClientFault::Request),
        "invalid_client" => misconfigured(ClientFault::Credentials),
        "server_error" | "temporarily_unavailable" => OAuthError::Transient,
        _ => OAuthError::Other,
    }
}
