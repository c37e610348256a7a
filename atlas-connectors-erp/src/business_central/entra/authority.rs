//! Which organization a sign-in goes to, and at which addresses.

use std::fmt;

use atlas_connectors::oauth::Endpoints;
use atlas_connectors::{Error, ErrorKind, ProviderId, Result};
use url::Url;

use super::dialect::{EntraOAuth, OPERATION};
use super::scopes::{self, BUSINESS_CENTRAL};

/// Entra's worldwide cloud. China, the United States' government and emulators have other addresses.
const WORLDWIDE: &str = "https://login.microsoftonline.com";
/// What stands for the tenant's id in the issuer, as Microsoft's discovery document writes it.
const PLACE: &str = "{tenantid}";
/// The tenant of all personal accounts.
pub(super) const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// The organization that a sign-in goes to.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntraTenant {
    /// Whichever the person belongs to: for the first sign-in of an app that serves many.
    Organizations,
    /// One organization, by the id of its tenant. A domain name is not taken: an id token names the id, and only an id can be compared
    /// with it.
    Id(TenantGuid),
}

/// The id of a tenant: a GUID in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TenantGuid(Box<str>);

impl EntraTenant {
    /// One organization.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for what is not a GUID, and for the tenant of personal accounts, which has no Business Central.
    pub fn id(id: &str) -> Result<Self> {
        let refused = |why| Error::new(ErrorKind::Invalid { what: "tenant", why }, OPERATION);
        if !is_guid(id) {
            return Err(refused("the id of a tenant is a GUID"));
        }
        let id = id.to_ascii_lowercase();
        if id == CONSUMERS {
            return Err(refused("personal accounts have no organization"));
        }
        Ok(Self::Id(TenantGuid(id.into())))
    }

    /// The id, where it is one organization.
    pub fn as_id(&self) -> Option<&str> {
        match self {
            Self::Organizations => None,
            Self::Id(id) => Some(&id.0),
        }
    }

    /// How the authority's path names it.
    pub fn as_str(&self) -> &str {
        self.as_id().unwrap_or("organizations")
    }
}

impl fmt::Debug for EntraTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntraTenant({})", self.as_str())
    }
}

impl TenantGuid {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TenantGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantGuid({})", self.0)
    }
}

/// 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Settings of an [`EntraOAuth`].
///
/// ```
/// use atlas_connectors::oauth::OAuthProvider as _;
/// use atlas_connectors_erp::business_central::entra::{EntraOAuth, EntraTenant};
///
/// // Another cloud, with permissions one by one.
/// let entra = EntraOAuth::builder(EntraTenant::Organizations)
///     .login("https://login.partner.microsoftonline.cn".parse().unwrap())
///     .permissions(["Financials.ReadWrite.All"])
///     .build()?;
/// assert_eq!(
///     entra.endpoints().token.as_str(),
///     "https://login.partner.microsoftonline.cn/organizations/oauth2/v2.0/token"
/// );
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EntraBuilder {
    pub(super) tenant: EntraTenant,
    pub(super) provider: ProviderId,
    login: Option<Url>,
    issuer: Option<String>,
    keys: Option<Url>,
    pub(super) resource: String,
    permissions: Vec<String>,
}

impl EntraBuilder {
    pub(super) fn new(tenant: EntraTenant) -> Self {
        Self {
            tenant,
            provider: crate::business_central::provider(),
            login: None,
            issuer: None,
            keys: None,
            resource: BUSINESS_CENTRAL.to_owned(),
            permissions: Vec::new(),
        }
    }

    /// Where people sign in: another cloud or an emulator, whose path may begin with something of its own. The worldwide cloud unless
    /// set.
    pub fn login(mut self, login: Url) -> Self {
        self.login = Some(login);
        self
    }

    /// The issuer of id tokens, with `{tenantid}` for the tenant's id, as the discovery document writes it; `{login}/{tenantid}/v2.0`
    /// unless set.
    pub fn issuer(mut self, template: impl Into<String>) -> Self {
        self.issuer = Some(template.into());
        self
    }

    /// The key set that signs id tokens; `{login}/{tenant}/discovery/v2.0/keys` unless set.
    pub fn keys(mut self, keys: Url) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The resource that access is asked for, without a slash at the end; [`BUSINESS_CENTRAL`] unless set.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = resource.into();
        self
    }

    /// Single permissions of the resource instead of `.default`, which is everything that the app is registered for.
    pub fn permissions<T: Into<String>>(mut self, permissions: impl IntoIterator<Item = T>) -> Self {
        self.permissions = permissions.into_iter().map(Into::into).collect();
        self
    }

    /// The provider that connections are of; Business Central's name unless set.
    pub fn provider(mut self, provider: ProviderId) -> Self {
        self.provider = provider;
        self
    }

    /// The dialect with these settings.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for addresses that do not fit together, an issuer without its place for the tenant, or permissions that
    /// cannot be asked for together.
    pub fn build(self) -> Result<EntraOAuth> {
        let refused = |what, why| Error::new(ErrorKind::Invalid { what, why }, OPERATION);
        if self.resource.is_empty() || self.resource.ends_with('/') || self.resource.contains(char::is_whitespace) {
            return Err(refused("resource", "an address without a slash at the end"));
        }
        let scopes = scopes::of(&self.resource, &self.permissions)?;
        let login = match &self.login {
            Some(login) => login.as_str().trim_end_matches('/').to_owned(),
            None => WORLDWIDE.to_owned(),
        };
        if login.contains(['?', '#']) {
            return Err(refused("login", "an address without query and fragment"));
        }
        let issuer = self.issuer.clone().unwrap_or_else(|| format!("{login}/{PLACE}/v2.0"));
        let Some((before, after)) = issuer.split_once(PLACE) else {
            return Err(refused("issuer", "it needs {tenantid} where the tenant's id stands"));
        };
        let issuer_parts = (before.to_owned(), after.to_owned());
        let tenant = self.tenant.as_str();
        let at = |path: &str| {
            Url::parse(&format!("{login}/{tenant}/{path}")).map_err(|_| refused("login", "it is not an address"))
        };
        let issuer = match self.tenant.as_id() {
            Some(id) => issuer.replacen(PLACE, id, 1),
            None => issuer,
        };
        let keys = match &self.keys {
            Some(keys) => keys.clone(),
            None => at("discovery/v2.0/keys")?,
        };
        let endpoints = Endpoints::new(issuer, at("oauth2/v2.0/authorize")?, at("oauth2/v2.0/token")?)
            .with_jwks(keys)
            .with_device(at("oauth2/v2.0/devicecode")?)
            .with_admin_consent(at("v2.0/adminconsent")?);
        endpoints.check()?;
        Ok(EntraOAuth {
            endpoints,
            issuer: issuer_parts,
            scopes,
            settings: self,
        })
    }
}
