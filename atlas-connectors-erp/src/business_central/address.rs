//! Where a Business Central lives: one environment in the cloud or one instance on premises, and the APIs in it.
//!
//! Source: `business-central.md`, section 1.

use std::fmt;

use atlas_connectors::error::{EgressRule, ErrorKind};
use atlas_connectors::http::Origin;
use atlas_connectors::{Error, Result};
use url::Url;

/// The cloud's host.
pub const CLOUD: &str = "https://api.businesscentral.dynamics.com/";
/// The path of the list of a tenant's environments below [`CLOUD`] (December 2025; `v1.1` before).
pub const ENVIRONMENTS: &str = "environments/v1.2";

const OPERATION: &str = "business_central.address";

/// One API within an environment: the standard one, one of Microsoft's groups, or a custom one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiRoute(Box<str>);

impl ApiRoute {
    /// The standard API, `v2.0`.
    pub fn standard() -> Self {
        Self("v2.0".into())
    }

    /// Microsoft's automation API: companies, users, extensions. Needs a permission of its own.
    pub fn automation() -> Self {
        Self("microsoft/automation/v2.0".into())
    }

    /// Microsoft's runtime API: which entities webhooks can be had for.
    pub fn runtime() -> Self {
        Self("microsoft/runtime/beta".into())
    }

    /// A custom API page: publisher, group and version as `apicategoryroutes` lists them.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a publisher or group that is not alphanumeric, or a version that is neither `vX.Y` nor `beta`.
    pub fn custom(publisher: &str, group: &str, version: &str) -> Result<Self> {
        for (what, word) in [("API publisher", publisher), ("API group", group)] {
            if word.is_empty() || word.len() > 40 || !word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(invalid(what, "letters and digits only, as the API page declares it"));
            }
        }
        if !is_version(version) {
            return Err(invalid("API version", "it must be of the form v2.0, or beta"));
        }
        Ok(Self(format!("{publisher}/{group}/{version}").into()))
    }

    /// A route as written: `v2.0`, or `publisher/group/version`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] as [`ApiRoute::custom`].
    pub fn parse(route: &str) -> Result<Self> {
        let route = route.trim().trim_matches('/');
        let route = route.strip_prefix("api/").unwrap_or(route);
        match route.split('/').collect::<Vec<_>>().as_slice() {
            ["v2.0"] => Ok(Self::standard()),
            [publisher, group, version] => Self::custom(publisher, group, version),
            _ => Err(invalid("API route", "it must be v2.0 or publisher/group/version")),
        }
    }

    /// Whether it is the standard API.
    pub fn is_standard(&self) -> bool {
        &*self.0 == "v2.0"
    }

    /// The route, such as `v2.0`, without slashes around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ApiRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiRoute({})", self.0)
    }
}

/// One environment (cloud) or instance (on premises). Every request and every next link stays below it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Ends in `/api/`.
    apis: Url,
    route: ApiRoute,
    /// `?tenant=` of a multitenant instance on premises.
    tenant: Option<Box<str>>,
    environments: Option<Url>,
    environment: Box<str>,
}

impl Address {
    /// An environment in Microsoft's cloud. `tenant` is the Entra tenant id or a domain of it; without one the token's
    /// own tenant counts.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a tenant or environment that no address can hold.
    pub fn cloud(tenant: Option<&str>, environment: &str) -> Result<Self> {
        let base = Url::parse(CLOUD).map_err(|_| invalid("address", "it is not a URL"))?;
        Self::cloud_at(&base, tenant, environment)
    }

    /// As [`Address::cloud`] below another host: a regional one, a mock, a private proxy.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] as [`Address::cloud`]; [`ErrorKind::EgressDenied`] for a host that no token may go to.
    pub fn cloud_at(base: &Url, tenant: Option<&str>, environment: &str) -> Result<Self> {
        Origin::parse(base.as_str())?;
        let mut path = String::from("v2.0/");
        if let Some(tenant) = tenant.map(str::trim).filter(|tenant| !tenant.is_empty()) {
            let fits = tenant.len() <= 253
                && tenant
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
                && !tenant.starts_with('.')
                && !tenant.contains("..");
            if !fits {
                return Err(invalid(
                    "tenant",
                    "it must be the Entra tenant id or a domain of the tenant",
                ));
            }
            path.push_str(tenant);
            path.push('/');
        }
        let environment = environment.trim();
        let fits = (1..=64).contains(&environment.len())
            && environment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !fits {
            return Err(invalid(
                "environment",
                "letters, digits and hyphens only, as the admin center shows it (Production, Sandbox)",
            ));
        }
        path.push_str(environment);
        path.push_str("/api/");
        Ok(Self {
            apis: below(base, &path)?,
            route: ApiRoute::standard(),
            tenant: None,
            environments: Some(below(base, ENVIRONMENTS)?),
            environment: environment.into(),
        })
    }

    /// An instance on premises: `https://host:7048/instance`, with or without `/api` and `/api/v2.0` behind it.
    /// `tenant` for a multitenant instance.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an address without an instance name; [`ErrorKind::EgressDenied`] for plain http.
    pub fn on_premises(instance: &str, tenant: Option<&str>) -> Result<Self> {
        Origin::parse(instance.trim())?;
        let mut base =
            Url::parse(instance.trim()).map_err(|_| invalid("address", "it must be https://host:port/instance"))?;
        base.set_query(None);
        base.set_fragment(None);
        let path = base.path().trim_end_matches('/').to_owned();
        let path = path.strip_suffix("/v2.0").unwrap_or(&path);
        let path = path.strip_suffix("/api").unwrap_or(path).to_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(invalid(
                "address",
                "the instance name is missing: https://host:port/instance",
            ));
        }
        base.set_path(&format!("{path}/api/"));
        Ok(Self {
            apis: base,
            route: ApiRoute::standard(),
            tenant: tenant
                .map(str::trim)
                .filter(|tenant| !tenant.is_empty())
                .map(Into::into),
            environments: None,
            environment: name.into(),
        })
    }

    /// Another API of the same environment.
    #[must_use]
    pub fn with_route(mut self, route: ApiRoute) -> Self {
        self.route = route;
        self
    }

    /// Which API it is.
    pub fn route(&self) -> &ApiRoute {
        &self.route
    }

    /// The name of the environment, or of the instance on premises.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// Scheme, host and port: where the credential goes.
    ///
    /// # Errors
    /// [`ErrorKind::EgressDenied`] for plain http to another machine.
    pub fn origin(&self) -> Result<Origin> {
        Origin::parse(self.apis.as_str())
    }

    /// The list of the tenant's environments; none on premises.
    pub fn environments(&self) -> Option<&Url> {
        self.environments.as_ref()
    }

    /// The address of `path` in this API: `companies`, `$metadata`, `companies(…)/customers?$filter=…`. The path is
    /// taken as it is, so quote what goes into it first.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a path that does not stay below the API.
    pub fn at(&self, path: &str) -> Result<Url> {
        let mut url = self
            .apis
            .join(&format!("{}/", self.route))
            .and_then(|root| root.join(&format!("./{path}")))
            .map_err(|_| invalid("path", "it cannot be part of an address"))?;
        if !url.path().starts_with(self.apis.path()) {
            return Err(invalid("path", "it leaves the API"));
        }
        if let Some(tenant) = &self.tenant {
            url.query_pairs_mut().append_pair("tenant", tenant);
        }
        Ok(url)
    }

    /// A link that the service gave, if it stays within the environment: same scheme, host and port, and a path below
    /// `/v2.0/{tenant}/{environment}/api/`. The link decides where the token goes, so nothing else is followed.
    ///
    /// # Errors
    /// [`ErrorKind::EgressDenied`] for a link elsewhere.
    pub fn within(&self, link: &str) -> Result<Url> {
        let refused = || Error::new(EgressRule::Origin, OPERATION).with_context("what", "next link");
        // Absolute as the service writes it; relative to the API in batches.
        let url = match Url::parse(link) {
            Ok(url) => url,
            Err(url::ParseError::RelativeUrlWithoutBase) if !link.starts_with(['/', '\\']) => {
                self.at(link).map_err(|_| refused())?
            }
            Err(_) => return Err(refused()),
        };
        let same = url.scheme() == self.apis.scheme()
            && url.host() == self.apis.host()
            && url.port_or_known_default() == self.apis.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none();
        // The names of environments and tenants are not case sensitive; a service may answer with its own spelling.
        let below = self.apis.path();
        let inside = url
            .path()
            .get(..below.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(below));
        // An encoded slash or dot could climb out behind the check, in a server that decodes before it routes.
        let path = url.path().to_ascii_lowercase();
        let climbs = path.contains("%2f") || path.contains("%2e") || path.contains("%5c");
        if same && inside && !climbs {
            Ok(url)
        } else {
            Err(refused())
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.apis, self.route)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn is_version(version: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    version == "beta"
        || version
            .strip_prefix('v')
            .and_then(|numbers| numbers.split_once('.'))
            .is_some_and(|(major, minor)| number(major) && number(minor))
}

fn below(base: &Url, path: &str) -> Result<Url> {
    let mut root = base.clone();
    root.set_query(None);
    root.set_fragment(None);
    if !root.path().ends_with('/') {
        let path = format!("{}/", root.path());
        root.set_path(&path);
    }
    root.join(path)
        .map_err(|_| invalid("address", "it cannot have a path below it"))
}

fn invalid(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, OPERATION).with_provider(super::provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-1111-4111-8111-111111111111";

    #[test]
    fn addresses_are_those_of_the_reference() {
        let cloud = Address::cloud(Some(TENANT), "Production").unwrap();
        assert_eq!(
            cloud.at("companies").unwrap().as_str(),
            format!("https://api.businesscentral.dynamics.com/v2.0/{TENANT}/Production/api/v2.0/companies")
        );
        assert_eq!(
            cloud.environments().unwrap().as_str(),
            "https://api.businesscentral.dynamics.com/environments/v1.2"
        );
        let short = Address::cloud(None, "Sandbox").unwrap();
        assert_eq!(
            short.at("$metadata").unwrap().as_str(),
            "https://api.businesscentral.dynamics.com/v2.0/Sandbox/api/v2.0/$metadata"
        );
        let custom = short.with_route(ApiRoute::custom("contoso", "trucks", "v1.0").unwrap());
        assert_eq!(
            custom.at("$batch").unwrap().as_str(),
            "https://api.businesscentral.dynamics.com/v2.0/Sandbox/api/contoso/trucks/v1.0/$batch"
        );
        for spelled in ["https://erp.example:7048/BC", "https://erp.example:7048/BC/api/v2.0/"] {
            let own = Address::on_premises(spelled, Some("default")).unwrap();
            assert_eq!(
                own.at("companies").unwrap().as_str(),
                "https://erp.example:7048/BC/api/v2.0/companies?tenant=default"
            );
            assert_eq!(own.environment(), "BC");
            assert!(own.environments().is_none());
        }
    }

    #[test]
    fn what_cannot_be_an_address_is_refused_before_anything_is_sent() {
        for (tenant, environment) in [
            (Some("a/b"), "Production"),
            (Some("contoso..example"), "Production"),
            (None, ""),
            (None, "Prod uction"),
            (None, "../x"),
        ] {
            assert_eq!(
                Address::cloud(tenant, environment).unwrap_err().code(),
                "invalid",
                "{tenant:?} {environment}"
            );
        }
        assert_eq!(
            Address::on_premises("http://erp.example:7048/BC", None)
                .unwrap_err()
                .code(),
            "egress.scheme"
        );
        assert_eq!(
            Address::on_premises("https://erp.example:7048/", None)
                .unwrap_err()
                .code(),
            "invalid"
        );
        for route in ["v3.0", "a/b", "a b/c/v1.0", "a/b/1.0", "a/b/v1", "../b/v1.0"] {
            assert!(ApiRoute::parse(route).is_err(), "{route}");
        }
        for route in ["v2.0", "/api/v2.0", "microsoft/automation/v2.0", "contoso/app1/beta"] {
            assert!(ApiRoute::parse(route).is_ok(), "{route}");
        }
        assert!(Address::cloud(None, "Production").unwrap().at("../../../../x").is_err());
    }

    #[test]
    fn a_link_is_followed_within_the_environment_only() {
        let base = Url::parse("https://api.businesscentral.dynamics.com").unwrap();
        let address = Address::cloud_at(&base, Some(TENANT), "Production").unwrap();
        let root = format!("https://api.businesscentral.dynamics.com/v2.0/{TENANT}");
        for inside in [
            format!("{root}/Production/api/v2.0/companies(1)/items?$skiptoken=a%2Fb"),
            format!("{root}/production/api/v2.0/items"),
            format!("{root}/Production/api/contoso/trucks/v1.0/x"),
            "companies(1)/items?$skiptoken=1".to_owned(),
        ] {
            assert!(address.within(&inside).is_ok(), "{inside}");
        }
        for outside in [
            format!("http://api.businesscentral.dynamics.com/v2.0/{TENANT}/Production/api/v2.0/items"),
            format!("https://api.businesscentral.dynamics.com:444/v2.0/{TENANT}/Production/api/v2.0/items"),
            format!("https://api.businesscentral.dynamics.com.evil.test/v2.0/{TENANT}/Production/api/v2.0/items"),
            format!("https://user@api.businesscentral.dynamics.com/v2.0/{TENANT}/Production/api/v2.0/items"),
            format!("{root}/Sandbox/api/v2.0/items"),
            format!("{root}/Production/api/../../Sandbox/api/v2.0/items"),
            format!("{root}/Production/api/%2e%2e/%2e%2e/Sandbox/api/v2.0/items"),
            format!("{root}/Production/api/..%2f..%2fSandbox/api/v2.0/items"),
            format!("{root}/Production/ODataV4/x"),
            "//evil.test/x".to_owned(),
            "javascript:alert(1)".to_owned(),
            String::new() + "/v2.0/other/api/v2.0",
        ] {
            assert_eq!(
                address.within(&outside).unwrap_err().code(),
                "egress.origin",
                "{outside}"
            );
        }
    }
}
