//! Google's dialect of OAuth: scopes, parameters, and what its refusals mean.
//!
//! Source: `gmail.md`, sections 1 to 5 (Google's guides for web and installed apps, and what others have captured).

use atlas_connectors::error::{
    AccountState, ClientFault, Denier, Error, ErrorKind, GrantEnd, OAuthError, OperationClass,
};
use atlas_connectors::oauth::{
    AuthorizeRequest, Endpoints as OAuthEndpoints, GrantType, IdClaims, OAuthProvider, RedirectRefusal, Revocation,
    Scope, ScopeSet, TokenRefusal, Workflow, standard_redirect_error, standard_token_error,
};
use atlas_connectors::{Identity, ProviderId, Result};

use crate::endpoints::Endpoints;
use crate::scopes;

/// Google as an authorization server, for [`atlas_connectors::oauth`].
///
/// ```
/// use atlas_connectors::oauth::{ScopePlan, ScopeSet, Workflow};
/// use atlas_connectors_gmail::{Endpoints, GoogleOAuth, scopes};
///
/// let google = GoogleOAuth::new(&Endpoints::google()?);
/// let plan = ScopePlan::new(&google, &[Workflow::Triage])?;
/// assert!(plan.asked.contains(&scopes::READONLY.into()));
///
/// // An older, wider consent came back: it suffices, and what is too much is reported.
/// let granted = ScopeSet::parse("openid email https://www.googleapis.com/auth/gmail.modify");
/// let report = plan.compare(&google, &granted);
/// assert!(report.missing.is_empty());
/// assert!(report.excess.contains(&scopes::MODIFY.into()));
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GoogleOAuth {
    endpoints: OAuthEndpoints,
}

impl GoogleOAuth {
    /// Google at these addresses.
    pub fn new(endpoints: &Endpoints) -> Self {
        Self {
            endpoints: endpoints.oauth.clone(),
        }
    }
}

impl OAuthProvider for GoogleOAuth {
    fn id(&self) -> ProviderId {
        crate::provider()
    }

    fn endpoints(&self) -> &OAuthEndpoints {
        &self.endpoints
    }

    fn scopes_for(&self, workflows: &[Workflow]) -> Result<ScopeSet> {
        if workflows.iter().any(|workflow| !workflow.is_mail()) {
            let kind = ErrorKind::Unsupported {
                what: "this workflow with a mailbox",
            };
            return Err(Error::new(kind, "gmail.scopes")
                .with_class(OperationClass::SignIn)
                .with_provider(crate::provider()));
        }
        Ok(scopes::for_workflows(workflows))
    }

    fn normalize_scope(&self, scope: &Scope) -> Scope {
        scopes::normalize(scope)
    }

    fn implies(&self, held: &Scope, needed: &Scope) -> bool {
        scopes::implies(held.as_str(), needed.as_str())
    }

    fn authorize_extras(&self, request: &AuthorizeRequest<'_>) -> Vec<(&'static str, String)> {
        // `include_granted_scopes` stays away on purpose: with it a narrow reconnect returns older, wider scopes.
        let mut extras = Vec::new();
        if request.offline {
            extras.push(("access_type", "offline".to_owned()));
        }
        if let Some(domain) = request.organization {
            // Narrows the account chooser; no check. The `hd` claim is compared when the person is back.
            extras.push(("hd", domain.to_owned()));
        }
        extras
    }

    fn token_issuers(&self) -> Vec<String> {
        let issuer = self.endpoints.issuer.clone();
        // Google's id tokens name it with or without the scheme.
        match issuer.as_str() {
            "https://accounts.google.com" => vec![issuer, "accounts.google.com".to_owned()],
            _ => vec![issuer],
        }
    }

    fn identity(&self, claims: &IdClaims) -> Identity {
        Identity {
            subject: claims.subject.clone(),
            address: claims.email.clone(),
            tenant: claims.text("hd").map(str::to_owned),
        }
    }

    fn classify_token_error(&self, refusal: &TokenRefusal<'_>) -> OAuthError {
        let misconfigured = |fault| OAuthError::ClientMisconfigured { fault };
        match refusal.error {
            "invalid_grant" => invalid_grant(refusal),
            "admin_policy_enforced" => OAuthError::AccessDenied {
                by: Denier::TenantPolicy,
            },
            "org_internal" => misconfigured(ClientFault::OtherOrganization),
            "deleted_client" => misconfigured(ClientFault::Deleted),
            "invalid_request" if refusal.description == Some("client_secret is missing.") => {
                misconfigured(ClientFault::Credentials)
            }
            "internal_failure" => OAuthError::Transient,
            _ => standard_token_error(refusal),
        }
    }

    fn classify_redirect_error(&self, refusal: &RedirectRefusal<'_>) -> OAuthError {
        let misconfigured = |fault| OAuthError::ClientMisconfigured { fault };
        match refusal.error {
            "admin_policy_enforced" => OAuthError::AccessDenied {
                by: Denier::TenantPolicy,
            },
            "org_internal" => misconfigured(ClientFault::OtherOrganization),
            "deleted_client" => misconfigured(ClientFault::Deleted),
            "disallowed_useragent" => misconfigured(ClientFault::EmbeddedBrowser),
            "redirect_uri_mismatch" => misconfigured(ClientFault::RedirectUri),
            // At the page it means that the PKCE challenge was missing or wrong.
            "invalid_grant" => misconfigured(ClientFault::Proof),
            _ => standard_redirect_error(refusal),
        }
    }

    fn rotates_refresh_tokens(&self) -> bool {
        false
    }

    fn revocation_names_client(&self) -> bool {
        false
    }

    fn revocation(&self) -> Revocation {
        // It ends every scope the person granted to the project, whichever token is given.
        if self.endpoints.revoke.is_some() {
            Revocation::WholeGrant
        } else {
            Revocation::Unsupported
        }
    }
}

/// Google says `invalid_grant` for many things; the sentence tells which, and an unknown sentence takes the plain meaning.
fn invalid_grant(refusal: &TokenRefusal<'_>) -> OAuthError {
    let description = refusal.description.unwrap_or_default();
    let cause = if refusal.suberror == Some("invalid_rapt") || description.contains("(invalid_rapt)") {
        GrantEnd::SessionControl
    } else if description.ends_with("code verifier.") || description == "PKCE verification failed." {
        return OAuthError::ClientMisconfigured {
            fault: ClientFault::Proof,
        };
    } else if description.starts_with("Invalid JWT") {
        // The key or the clock of a service account, not the mailbox.
        return OAuthError::ClientMisconfigured {
            fault: ClientFault::Credentials,
        };
    } else if description == "Invalid email or User ID" {
        GrantEnd::Account(AccountState::Missing)
    } else if description == "Malformed auth code." {
        GrantEnd::CodeRejected
    } else {
        match refusal.grant {
            GrantType::AuthorizationCode | GrantType::DeviceCode => GrantEnd::CodeRejected,
            _ => GrantEnd::RevokedOrExpired,
        }
    };
    OAuthError::InvalidGrant { cause }
}
