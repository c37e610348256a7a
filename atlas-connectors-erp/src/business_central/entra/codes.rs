//! Entra's error numbers: what each is about and who acts.

use std::fmt;

use super::table::TABLE;

/// An error number of Entra (the digits of `AADSTS65001`).
///
/// Microsoft says that clients must not rely on the numbers, which may change: they refine what `error` and `suberror` say and never
/// decide alone.
///
/// ```
/// use atlas_connectors_erp::business_central::entra::{EntraAction, EntraClass, EntraCode};
///
/// let expired = EntraCode::of(700_082).unwrap();
/// assert_eq!((expired.class, expired.action), (EntraClass::InvalidGrant, EntraAction::Reauthorize));
/// assert!(EntraCode::of(1).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntraCode {
    /// The number.
    pub number: u32,
    /// What it is about.
    pub class: EntraClass,
    /// What helps.
    pub action: EntraAction,
    /// What it says, in a few words of ours.
    pub meaning: &'static str,
}

impl EntraCode {
    /// The entry of a number; `None` for one that is not in the table.
    pub fn of(number: u64) -> Option<&'static Self> {
        let at = TABLE.binary_search_by_key(&number, |row| u64::from(row.number)).ok()?;
        TABLE.get(at)
    }

    /// The whole table, by number.
    pub fn all() -> &'static [Self] {
        TABLE
    }
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntraClass {
    /// Somebody has to consent, or declined to.
    AccessDenied,
    /// The grant, the code or the session is over, or more proof is asked for.
    InvalidGrant,
    /// A policy of the organization stands against it.
    InsufficientPrivileges,
    /// The account is not one of the organization, or not of the kind that is accepted.
    WrongAccount,
    /// The app's registration, its secret, its request or the tenant addressed.
    MisconfiguredClient,
    /// A passing failure.
    Transient,
    /// The person has not decided yet.
    Pending,
}

impl EntraClass {
    /// Stable word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidGrant => "invalid_grant",
            Self::InsufficientPrivileges => "insufficient_privileges",
            Self::WrongAccount => "wrong_account",
            Self::MisconfiguredClient => "misconfigured_client",
            Self::Transient => "transient",
            Self::Pending => "pending",
        }
    }
}

impl fmt::Display for EntraClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What helps against a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntraAction {
    /// An administrator changes the account or a policy.
    Admin,
    /// An administrator approves the app.
    AdminConsent,
    /// Whoever runs the app switches it on again.
    AppDisabled,
    /// The person chooses another account.
    ChooseAccount,
    /// The person, or an administrator, consents.
    Consent,
    /// The registration is changed.
    FixApp,
    /// The client id is corrected.
    FixClientId,
    /// The tenant lives in another cloud.
    FixCloud,
    /// The redirect address is registered.
    FixRedirect,
    /// A defect of the library or of the host's settings.
    FixRequest,
    /// The scopes are corrected.
    FixScope,
    /// The secret or certificate is replaced.
    FixSecret,
    /// The tenant is corrected.
    FixTenant,
    /// The person signs in again.
    Reauthorize,
    /// The organization has to have the service.
    ResourceMissing,
    /// Repeating helps.
    Retry,
    /// Nothing: it was decided so.
    Stop,
    /// Whatever repeats the request in a loop is stopped.
    StopLoop,
    /// Asking again in a while.
    Wait,
}

impl EntraAction {
    /// Stable word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::AdminConsent => "admin_consent",
            Self::AppDisabled => "app_disabled",
            Self::ChooseAccount => "choose_account",
            Self::Consent => "consent",
            Self::FixApp => "fix_app",
            Self::FixClientId => "fix_client_id",
            Self::FixCloud => "fix_cloud",
            Self::FixRedirect => "fix_redirect",
            Self::FixRequest => "fix_request",
            Self::FixScope => "fix_scope",
            Self::FixSecret => "fix_secret",
            Self::FixTenant => "fix_tenant",
            Self::Reauthorize => "reauthorize",
            Self::ResourceMissing => "resource_missing",
            Self::Retry => "retry",
            Self::Stop => "stop",
            Self::StopLoop => "stop_loop",
            Self::Wait => "wait",
        }
    }
}

impl fmt::Display for EntraAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
