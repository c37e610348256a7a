//! Why sign-in or a grant failed, as the person who must act would put it.

use std::fmt;

/// A failed sign-in or a grant that no longer works.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OAuthError {
    /// Consent was refused.
    #[error("access was denied by {by}")]
    AccessDenied {
        /// Who refused.
        by: Denier,
    },
    /// The provider says that the grant (code or refresh token) is not valid. On a refresh: the person must sign in again.
    #[error("the grant is no longer valid: {cause}")]
    InvalidGrant {
        /// Why, as far as the provider tells.
        cause: GrantEnd,
    },
    /// The token lacks scopes that the operation or workflow needs.
    #[error("missing scopes: {}", missing.join(" "))]
    InsufficientPrivileges {
        /// The scopes that are missing, in the provider's spelling.
        missing: Vec<String>,
    },
    /// Somebody else signed in than the connection belongs to. Nothing stored has changed.
    #[error("signed in as {actual}, but the connection belongs to {expected}")]
    WrongAccount {
        /// The pinned identity, masked.
        expected: Masked,
        /// The identity that came back, masked.
        actual: Masked,
    },
    /// The provider gave no refresh token: access would end with the hour.
    #[error("the provider gave no refresh token")]
    NoOfflineAccess,
    /// The app registration is at fault, not the grant.
    #[error("the OAuth client is not set up right: {fault}")]
    ClientMisconfigured {
        /// What is wrong with it.
        fault: ClientFault,
    },
    /// The callback did not belong to a flow of ours, or its tokens did not verify. Nothing was redeemed or stored.
    #[error("the sign-in answer was rejected: {fault}")]
    FlowRejected {
        /// Which check failed.
        fault: FlowFault,
    },
    /// The authorization server could not answer; the grant is untouched.
    #[error("the authorization server is temporarily unable to answer")]
    Transient,
    /// An error code of the authorization server without an entry in the provider's table.
    #[error("the authorization server refused the request")]
    Other,
}

/// Who refused consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denier {
    /// The person at the consent page.
    User,
    /// An administrator has to approve the app first.
    Admin,
    /// A policy of the organization blocks the app or a scope.
    TenantPolicy,
}

impl fmt::Display for Denier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "the person at the consent page",
            Self::Admin => "the administrator",
            Self::TenantPolicy => "a policy of the organization",
        })
    }
}

/// Why a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrantEnd {
    /// Revoked by the person, a password change or an administrator; or expired; the provider does not say which.
    RevokedOrExpired,
    /// Known to have expired (lifetime or inactivity).
    Expired,
    /// Issued to another OAuth client.
    OtherClient,
    /// The account is disabled, deleted or otherwise not able to sign in.
    Account(AccountState),
    /// The organization limits the length of sessions; it will happen again.
    SessionControl,
    /// More proof is asked of the person (second factor, conditional access).
    InteractionRequired,
    /// The authorization code was malformed, used twice or expired.
    CodeRejected,
}

/// State of an account that cannot sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountState {
    /// Disabled by an administrator.
    Disabled,
    /// Deleted or unknown.
    Missing,
    /// The password has expired or was changed.
    PasswordChanged,
}

impl fmt::Display for GrantEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RevokedOrExpired => "revoked or expired",
            Self::Expired => "expired",
            Self::OtherClient => "it belongs to another OAuth client",
            Self::Account(AccountState::Disabled) => "the account is disabled",
            Self::Account(AccountState::Missing) => "the account does not exist",
            Self::Account(AccountState::PasswordChanged) => "the password was changed",
            Self::SessionControl => "the organization's session length is over",
            Self::InteractionRequired => "the organization asks for more proof of who signs in",
            Self::CodeRejected => "the authorization code was malformed, used twice or expired",
        })
    }
}

/// What is wrong with the app registration or its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientFault {
    /// Unknown client id, or a wrong, missing or rotated secret.
    Credentials,
    /// The redirect address is not registered or of the wrong kind.
    RedirectUri,
    /// The client may not use this grant type or these scopes.
    NotAuthorized,
    /// The client was deleted or switched off.
    Deleted,
    /// The app is limited to another organization.
    OtherOrganization,
    /// The organization that the request names does not exist, lives in another cloud, or was not named at all.
    Tenant,
    /// The organization does not have the service that access is asked for.
    Service,
    /// A scope that the provider does not know.
    Scope,
    /// The sign-in page was opened in an embedded browser.
    EmbeddedBrowser,
    /// The request was malformed; a defect in this library or in the host's settings.
    Request,
    /// A proof of key possession (PKCE, DPoP) was missing or wrong.
    Proof,
}

impl fmt::Display for ClientFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials => "client id or secret is wrong",
            Self::RedirectUri => "the redirect address is not registered",
            Self::NotAuthorized => "the client may not use this grant or scope",
            Self::Deleted => "the client was deleted or switched off",
            Self::OtherOrganization => "the app is limited to another organization",
            Self::Tenant => "the organization is unknown, in another cloud or not named",
            Self::Service => "the organization does not have the service",
            Self::Scope => "an unknown scope was asked for",
            Self::EmbeddedBrowser => "the sign-in page was opened in an embedded browser",
            Self::Request => "the request was malformed",
            Self::Proof => "the proof of key possession was refused",
        })
    }
}

/// Which check of a sign-in answer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlowFault {
    /// No flow with this state is waiting: never begun, already used, or expired and swept.
    UnknownState,
    /// The flow was begun in another session or by another user of the host.
    OtherSession,
    /// The flow was begun too long ago.
    Expired,
    /// The answer names another issuer.
    Issuer,
    /// The answer holds both a code and an error, or neither.
    Malformed,
    /// The id token's signature, audience, issuer, expiry or nonce is wrong.
    IdToken,
    /// No answer reached the listener in time; the provider may be showing its error to the person instead.
    NoAnswer,
    /// The connection was disconnected or reconnected while this flow was open.
    Superseded,
}

impl fmt::Display for FlowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownState => "no sign-in with this state is waiting",
            Self::OtherSession => "it was begun by another user or in another session",
            Self::Expired => "it was begun too long ago",
            Self::Issuer => "it comes from another issuer",
            Self::Malformed => "it is malformed",
            Self::IdToken => "the id token does not verify",
            Self::NoAnswer => "no answer arrived in time",
            Self::Superseded => "the connection has changed since it was begun",
        })
    }
}

/// An address or subject with most of it hidden: `o**@acme-manufacturing.com`, `10***42`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Masked(Box<str>);

impl Masked {
    /// Masks a mail address (first letter and domain stay) or any other identifier (two characters at each end stay).
    pub fn new(text: &str) -> Self {
        let masked = match text.split_once('@') {
            Some((local, domain)) => {
                let first: String = local.chars().take(1).collect();
                format!("{first}**@{domain}")
            }
            None => {
                let chars: Vec<char> = text.chars().collect();
                match chars.len() {
                    0..=5 => "***".to_owned(),
                    n => {
                        let head: String = chars.iter().take(2).collect();
                        let tail: String = chars.iter().skip(n - 2).collect();
                        format!("{head}***{tail}")
                    }
                }
            }
        };
        Self(masked.into())
    }

    /// A text that names nobody, shown as it is: `an account of an organization`.
    pub fn fixed(text: &'static str) -> Self {
        Self(text.into())
    }

    /// The masked text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OAuthError {
    /// Stable code of the class.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AccessDenied { by: Denier::User } => "oauth.access_denied.user",
            Self::AccessDenied { by: Denier::Admin } => "oauth.access_denied.admin",
            Self::AccessDenied {
                by: Denier::TenantPolicy,
            } => "oauth.access_denied.tenant_policy",
            Self::InvalidGrant { cause } => match cause {
                GrantEnd::RevokedOrExpired => "oauth.invalid_grant.revoked",
                GrantEnd::Expired => "oauth.invalid_grant.expired",
                GrantEnd::OtherClient => "oauth.invalid_grant.other_client",
                GrantEnd::Account(_) => "oauth.invalid_grant.account",
                GrantEnd::SessionControl => "oauth.invalid_grant.session_control",
                GrantEnd::InteractionRequired => "oauth.invalid_grant.interaction_required",
                GrantEnd::CodeRejected => "oauth.invalid_grant.code",
            },
            Self::InsufficientPrivileges { .. } => "oauth.insufficient_privileges",
            Self::WrongAccount { .. } => "oauth.wrong_account",
            Self::NoOfflineAccess => "oauth.no_offline_access",
            Self::ClientMisconfigured { fault } => match fault {
                ClientFault::Credentials => "oauth.client.credentials",
                ClientFault::RedirectUri => "oauth.client.redirect_uri",
                ClientFault::NotAuthorized => "oauth.client.not_authorized",
                ClientFault::Deleted => "oauth.client.deleted",
                ClientFault::OtherOrganization => "oauth.client.other_organization",
                ClientFault::Tenant => "oauth.client.tenant",
                ClientFault::Service => "oauth.client.service",
                ClientFault::Scope => "oauth.client.scope",
                ClientFault::EmbeddedBrowser => "oauth.client.embedded_browser",
                ClientFault::Request => "oauth.client.request",
                ClientFault::Proof => "oauth.client.proof",
            },
            Self::FlowRejected { fault } => match fault {
                FlowFault::UnknownState => "oauth.flow.unknown_state",
                FlowFault::OtherSession => "oauth.flow.other_session",
                FlowFault::Expired => "oauth.flow.expired",
                FlowFault::Issuer => "oauth.flow.issuer",
                FlowFault::Malformed => "oauth.flow.malformed",
                FlowFault::IdToken => "oauth.flow.id_token",
                FlowFault::NoAnswer => "oauth.flow.no_answer",
                FlowFault::Superseded => "oauth.flow.superseded",
            },
            Self::Transient => "oauth.transient",
            Self::Other => "oauth.other",
        }
    }

    /// Whether the stored grant is over: only a sign-in by the person brings the connection back.
    pub const fn ends_grant(&self) -> bool {
        matches!(self, Self::InvalidGrant { .. })
    }
}
