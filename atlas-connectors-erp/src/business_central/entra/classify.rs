//! What a refusal of Entra means: `error` first, then `suberror`, and numbers only to refine.
//!
//! Source: `business-central.md`, section 9. A number alone never ends a grant, because Microsoft may change the numbers.

use atlas_connectors::error::{AccountState, ClientFault, Denier, GrantEnd, Masked, OAuthError};
use atlas_connectors::oauth::{GrantType, RedirectRefusal, TokenRefusal};

use super::codes::{EntraAction, EntraClass, EntraCode};

/// How many numbers of one refusal are looked at.
const MAX_NUMBERS: usize = 8;

/// What is known of a refusal.
#[derive(Clone, Copy)]
struct Verdict {
    class: EntraClass,
    action: EntraAction,
    number: Option<u32>,
    /// Why the grant ended, where the words say more than the class.
    end: Option<GrantEnd>,
    /// Whether `error` itself speaks of the grant: only then may the grant be over.
    about_grant: bool,
}

impl Verdict {
    const fn of(class: EntraClass, action: EntraAction) -> Self {
        Self {
            class,
            action,
            number: None,
            end: None,
            about_grant: matches!(class, EntraClass::InvalidGrant | EntraClass::AccessDenied),
        }
    }

    const fn interaction(self) -> Self {
        Self {
            end: Some(GrantEnd::InteractionRequired),
            ..self
        }
    }
}

/// Where the refusal came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Redirect,
    Token(GrantType),
}

pub(super) fn token(refusal: &TokenRefusal<'_>) -> OAuthError {
    let numbers = match refusal.codes {
        [] => numbers_in(refusal.description),
        codes => codes.iter().copied().take(MAX_NUMBERS).collect(),
    };
    match verdict(refusal.error, refusal.suberror, &numbers) {
        Some(verdict) => meaning(verdict, At::Token(refusal.grant)),
        None => OAuthError::Other,
    }
}

pub(super) fn redirect(refusal: &RedirectRefusal<'_>) -> OAuthError {
    // A redirect has no `error_codes`: the numbers stand in the description only.
    let numbers = numbers_in(refusal.description);
    match verdict(refusal.error, None, &numbers) {
        Some(verdict) => meaning(verdict, At::Redirect),
        None => OAuthError::Other,
    }
}

/// The numbers of `AADSTS…` in a description, which is for people otherwise.
fn numbers_in(description: Option<&str>) -> Vec<u64> {
    let pieces = description.unwrap_or_default().split("AADSTS").skip(1);
    pieces
        .filter_map(|piece| {
            let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
            piece.get(..end)?.parse().ok()
        })
        .take(MAX_NUMBERS)
        .collect()
}

fn verdict(error: &str, suberror: Option<&str>, numbers: &[u64]) -> Option<Verdict> {
    let by_error = by_error(error);
    let error_class = by_error.map(|verdict| verdict.class);
    if matches!(error_class, Some(EntraClass::Pending | EntraClass::Transient)) {
        return by_error;
    }
    let about_grant = by_error.is_some_and(|verdict| verdict.about_grant);
    let by_suberror = suberror.filter(|_| about_grant).and_then(by_suberror);
    let coarse = by_suberror.or(by_error);
    let refined = |class: EntraClass| match (by_suberror, class) {
        (Some(said), _) => class == said.class,
        (None, EntraClass::Pending) => false,
        (None, EntraClass::InvalidGrant) => about_grant,
        (None, _) => true,
    };
    let rows = || {
        let known = numbers.iter().filter_map(|number| EntraCode::of(*number));
        known.filter(|row| refined(row.class))
    };
    // 70002 beside 70000 tells less than 70000 alone: what agrees with `error` goes first.
    let row = rows()
        .find(|row| coarse.is_some_and(|coarse| coarse.class == row.class))
        .or_else(|| rows().next());
    match row {
        Some(row) => Some(Verdict {
            class: row.class,
            action: row.action,
            number: Some(row.number),
            end: coarse.and_then(|coarse| coarse.end),
            about_grant,
        }),
        None => coarse,
    }
}

fn by_error(error: &str) -> Option<Verdict> {
    use EntraAction as Action;
    use EntraClass as Class;
    let (class, action) = match error {
        "access_denied" | "authorization_declined" => (Class::AccessDenied, Action::Stop),
        "consent_required" => (Class::AccessDenied, Action::Consent),
        "permission_denied" => (Class::AccessDenied, Action::AdminConsent),
        "interaction_required" | "login_required" => {
            return Some(Verdict::of(Class::InvalidGrant, Action::Reauthorize).interaction());
        }
        "invalid_grant" | "expired_token" => (Class::InvalidGrant, Action::Reauthorize),
        "invalid_client" => (Class::MisconfiguredClient, Action::FixSecret),
        "unauthorized_client" => (Class::MisconfiguredClient, Action::FixApp),
        "invalid_scope" => (Class::MisconfiguredClient, Action::FixScope),
        "invalid_resource" => (Class::MisconfiguredClient, Action::ResourceMissing),
        "invalid_request" | "unsupported_grant_type" | "unsupported_response_type" => {
            (Class::MisconfiguredClient, Action::FixRequest)
        }
        "bad_verification_code" => (Class::MisconfiguredClient, Action::Stop),
        "authorization_pending" | "slow_down" => (Class::Pending, Action::Wait),
        "server_error" | "temporarily_unavailable" => (Class::Transient, Action::Retry),
        _ => return None,
    };
    Some(Verdict::of(class, action))
}

fn by_suberror(suberror: &str) -> Option<Verdict> {
    use EntraAction as Action;
    use EntraClass as Class;
    let (class, action) = match suberror {
        "consent_required" => (Class::AccessDenied, Action::Consent),
        "basic_action" => return Some(Verdict::of(Class::InvalidGrant, Action::Reauthorize).interaction()),
        "bad_token" => (Class::InvalidGrant, Action::Reauthorize),
        "message_only" => (Class::InsufficientPrivileges, Action::Admin),
        _ => return None,
    };
    Some(Verdict::of(class, action))
}

fn meaning(verdict: Verdict, at: At) -> OAuthError {
    let refresh = at == At::Token(GrantType::RefreshToken) && verdict.about_grant;
    match verdict.class {
        EntraClass::Transient | EntraClass::Pending => OAuthError::Transient,
        EntraClass::AccessDenied => match verdict.action {
            // On a refresh the consent was there once: it has been withdrawn.
            EntraAction::Consent if refresh => OAuthError::InvalidGrant {
                cause: GrantEnd::RevokedOrExpired,
            },
            EntraAction::Admin | EntraAction::AdminConsent => OAuthError::AccessDenied { by: Denier::Admin },
            _ => OAuthError::AccessDenied { by: Denier::User },
        },
        EntraClass::InvalidGrant => invalid_grant(verdict, at),
        // Nothing is wrong with the grant: it works again once the policy lets it.
        EntraClass::InsufficientPrivileges => OAuthError::AccessDenied {
            by: Denier::TenantPolicy,
        },
        EntraClass::WrongAccount => match verdict.action {
            EntraAction::Admin if refresh => OAuthError::AccessDenied {
                by: Denier::TenantPolicy,
            },
            // It belonged there once.
            _ if refresh => OAuthError::InvalidGrant {
                cause: GrantEnd::Account(AccountState::Missing),
            },
            _ => OAuthError::WrongAccount {
                expected: Masked::fixed("an account of the organization"),
                actual: Masked::fixed("another account"),
            },
        },
        EntraClass::MisconfiguredClient => OAuthError::ClientMisconfigured {
            fault: match verdict.action {
                EntraAction::FixSecret | EntraAction::FixClientId => ClientFault::Credentials,
                EntraAction::AppDisabled => ClientFault::Deleted,
                EntraAction::FixRedirect => ClientFault::RedirectUri,
                EntraAction::FixScope => ClientFault::Scope,
                EntraAction::FixTenant | EntraAction::FixCloud => ClientFault::Tenant,
                EntraAction::ResourceMissing => ClientFault::Service,
                EntraAction::FixApp | EntraAction::AdminConsent => ClientFault::NotAuthorized,
                _ => ClientFault::Request,
            },
        },
    }
}

fn invalid_grant(verdict: Verdict, at: At) -> OAuthError {
    // The client's own proof: there is no person who could sign in again.
    if matches!(at, At::Token(GrantType::ClientCredentials | GrantType::JwtBearer)) {
        return OAuthError::ClientMisconfigured {
            fault: ClientFault::Credentials,
        };
    }
    let cause = match verdict.number {
        Some(700_082 | 700_084 | 50_089) => GrantEnd::Expired,
        Some(70_043) => GrantEnd::SessionControl,
        Some(50_132 | 50_133) => GrantEnd::Account(AccountState::PasswordChanged),
        Some(50_053 | 50_057) => GrantEnd::Account(AccountState::Disabled),
        Some(54_005 | 700_005 | 501_481 | 70_019) => GrantEnd::CodeRejected,
        Some(
            50_055 | 50_058 | 50_072 | 50_074 | 50_076 | 50_078 | 50_079 | 50_085 | 50_125 | 50_126 | 50_140 | 50_144
            | 50_158 | 50_199 | 700_020,
        ) => GrantEnd::InteractionRequired,
        _ => match (verdict.end, at) {
            (Some(end), _) => end,
            (None, At::Redirect) => GrantEnd::InteractionRequired,
            (None, At::Token(GrantType::AuthorizationCode | GrantType::DeviceCode)) => GrantEnd::CodeRejected,
            (None, At::Token(_)) => GrantEnd::RevokedOrExpired,
        },
    };
    OAuthError::InvalidGrant { cause }
}
