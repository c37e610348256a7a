//! Microsoft Dynamics 365 Business Central and its sign-in, Entra ID.

pub mod entra;

/// The provider's stable name in code, spans and errors.
pub const PROVIDER: &str = "business_central";

/// The provider's name as an id.
pub fn provider() -> atlas_connectors::ProviderId {
    PROVIDER.into()
}
