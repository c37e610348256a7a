//! Where a system and its services are, as the operator knows them.

use std::fmt;

use atlas_connectors::{Error, ErrorKind, Result};
use url::Url;

use crate::odata::Version;

const OPERATION: &str = "sap.address";
const V2: &str = "/sap/opu/odata/";
const V4: &str = "/sap/opu/odata4/";

/// One service of a system, named as the operator knows it.
///
/// ```
/// use atlas_connectors_erp::odata::Version;
/// use atlas_connectors_erp::sap::ServiceAddress;
///
/// // V2 by its name; the namespace is SAP's own unless another is named. Segment parameters are part of the address.
/// let orders = ServiceAddress::parse("API_SALES_ORDER_SRV")?;
/// assert_eq!(orders.path(), "/sap/opu/odata/sap/API_SALES_ORDER_SRV");
/// let list = ServiceAddress::parse("IWFND/CATALOGSERVICE;v=2")?;
/// assert_eq!(list.path(), "/sap/opu/odata/IWFND/CATALOGSERVICE;v=2");
///
/// // V4 by group, repository, service and version.
/// let orders = ServiceAddress::parse("api_salesorder/srvd_a2x/salesorder/0001")?;
/// assert_eq!(orders.version(), Version::V4);
/// assert_eq!(orders.path(), "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/salesorder/0001");
///
/// // Or as it was copied from a browser.
/// let pasted = "https://erp.example.com/sap/opu/odata/sap/API_PRODUCT_SRV/$metadata?sap-client=100";
/// assert_eq!(ServiceAddress::parse(pasted)?.name(), "API_PRODUCT_SRV");
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceAddress {
    version: Version,
    path: Box<str>,
    name: Box<str>,
}

impl ServiceAddress {
    /// A V2 service by its name, such as `API_SALES_ORDER_SRV`, `IWFND/CATALOGSERVICE;v=2`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is not one or two segments.
    pub fn v2(name: &str) -> Result<Self> {
        let segments: Vec<&str> = trimmed(name).split('/').collect();
        match segments.as_slice() {
            [service] => Self::of(Version::V2, &["sap", service]),
            [namespace, service] => Self::of(Version::V2, &[namespace, service]),
            _ => Err(invalid("a V2 service is one name, or namespace/name")),
        }
    }

    /// A V4 service by its four parts, such as `api_salesorder`, `srvd_a2x`, `salesorder`, `0001`, in SAP's namespace.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if a part holds what no segment may hold.
    pub fn v4(group: &str, repository: &str, service: &str, version: &str) -> Result<Self> {
        Self::of(Version::V4, &["sap", group, repository, "sap", service, version])
    }

    /// A service as people write it down: a V2 name, the four parts or the whole group path of a V4 service, a path or
    /// an address from a browser. Host, query and `$metadata` of an address are left away.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let text = text.split(['?', '#']).next().unwrap_or_default();
        let text = trimmed(text)
            .strip_suffix("$metadata")
            .map_or_else(|| trimmed(text), trimmed);
        for (mark, version) in [(V4, Version::V4), (V2, Version::V2)] {
            // Without the slash in front too: it was trimmed away.
            let found = text.find(mark).map(|at| at + mark.len());
            let found = found.or_else(|| text.starts_with(&mark[1..]).then(|| mark.len() - 1));
            if let Some(rest) = found.and_then(|at| text.get(at..)) {
                let segments: Vec<&str> = rest.split('/').collect();
                let fits = match version {
                    Version::V2 => segments.len() == 2,
                    Version::V4 => segments.len() >= 2,
                };
                return match fits {
                    true => Self::of(version, &segments),
                    false => Err(invalid("the path ends before the service, or goes on after it")),
                };
            }
        }
        if text.contains("://") {
            return Err(invalid(
                "an address of a service holds /sap/opu/odata/ or /sap/opu/odata4/",
            ));
        }
        let segments: Vec<&str> = text.split('/').collect();
        match segments.as_slice() {
            [_] | [_, _] => Self::v2(text),
            [group, repository, service, version] => Self::v4(group, repository, service, version),
            [_, _, _, _, _, _] => Self::of(Version::V4, &segments),
            _ => Err(invalid("neither a V2 name nor the four parts of a V4 service")),
        }
    }

    fn of(version: Version, segments: &[&str]) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | ';' | '=' | ':');
        for segment in segments {
            if segment.is_empty() || segment.chars().all(|c| c == '.') || !segment.chars().all(allowed) {
                return Err(invalid(
                    "a segment is empty or holds characters that no service name has",
                ));
            }
        }
        let root = match version {
            Version::V2 => V2,
            Version::V4 => V4,
        };
        // The last segment of a full V4 path is a version, which says nothing; of the short ones it is the name.
        let name = match (version, segments) {
            (Version::V4, [.., service, _]) if segments.len() >= 4 => service,
            (_, [.., service]) => service,
            _ => return Err(invalid("it is empty")),
        };
        let name = name.split(';').next().unwrap_or_default();
        Ok(Self {
            version,
            path: format!("{root}{}", segments.join("/")).into(),
            name: name.into(),
        })
    }

    /// Which OData it speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The path without a slash at its end, such as `/sap/opu/odata/sap/API_SALES_ORDER_SRV`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The short name for people and errors, such as `API_SALES_ORDER_SRV` or `salesorder`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// One system: where it listens, which of its clients (tenants) is meant, and the language of its texts.
///
/// The client belongs to the identity of every record: the same number in two clients is two records (`sap-odata.md`,
/// section 4).
///
/// ```
/// use atlas_connectors_erp::sap::{ServiceAddress, SystemAddress};
///
/// let system = SystemAddress::parse("https://my300001-api.s4hana.cloud.sap")?.with_client("100")?;
/// let orders = ServiceAddress::parse("API_SALES_ORDER_SRV")?;
/// // A slash after the service root and none after anything else.
/// assert!(system.root(&orders).ends_with("/API_SALES_ORDER_SRV/?sap-client=100&sap-language=EN"));
/// assert_eq!(
///     system.resource(&orders, "A_SalesOrder('1')", "$select=SalesOrder"),
///     "https://my300001-api.s4hana.cloud.sap/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder('1')\
///      ?$select=SalesOrder&sap-client=100&sap-language=EN"
/// );
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemAddress {
    base: Box<str>,
    client: Option<Box<str>>,
    language: Box<str>,
}

impl SystemAddress {
    /// A system by its address, with the path of a proxy in front of it if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is not an http or https address of a host alone.
    pub fn parse(address: &str) -> Result<Self> {
        let url = Url::parse(address.trim()).map_err(|_| invalid("not an address such as https://erp.example.com"))?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain || url.fragment().is_some() {
            return Err(invalid("an address of the system has no user, query or fragment"));
        }
        if url.path().contains("/sap/opu/") {
            return Err(invalid(
                "the path of a service belongs to the service, not to the system",
            ));
        }
        Ok(Self {
            base: url.as_str().trim_end_matches('/').into(),
            client: None,
            language: "EN".into(),
        })
    }

    /// Sets the client, three digits. Without it the system takes its default.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is not three digits.
    pub fn with_client(mut self, client: &str) -> Result<Self> {
        if client.len() != 3 || !client.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid("a client is three digits, such as 100"));
        }
        self.client = Some(client.into());
        Ok(self)
    }

    /// Sets the language of messages and labels, two letters. `EN` unless set: logs and tests stay comparable.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is not two letters.
    pub fn with_language(mut self, language: &str) -> Result<Self> {
        if language.len() != 2 || !language.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(invalid("a language is two letters, such as EN"));
        }
        self.language = language.to_ascii_uppercase().into();
        Ok(self)
    }

    /// The address without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The client.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// The language.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The root of a service, with its slash: where tokens are fetched.
    pub fn root(&self, service: &ServiceAddress) -> String {
        self.resource(service, "", "")
    }

    /// The root without any query: what relative links are resolved against.
    pub fn link_root(&self, service: &ServiceAddress) -> String {
        format!("{}{}/", self.base, service.path())
    }

    /// The address of a resource of a service. Path and query come percent-encoded.
    pub fn resource(&self, service: &ServiceAddress, path: &str, query: &str) -> String {
        let mut address = self.link_root(service);
        address.push_str(path);
        let mut mark = '?';
        let mut add = |part: &str| {
            if !part.is_empty() {
                address.push(mark);
                address.push_str(part);
                mark = '&';
            }
        };
        add(query);
        if let Some(client) = &self.client {
            add(&format!("sap-client={client}"));
        }
        add(&format!("sap-language={}", self.language));
        address
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches('/')
}

fn invalid(why: &'static str) -> Error {
    let what = "SAP address";
    Error::new(ErrorKind::Invalid { what, why }, OPERATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_in_what_people_write() {
        for (text, path) in [
            ("API_SALES_ORDER_SRV", "/sap/opu/odata/sap/API_SALES_ORDER_SRV"),
            (" /API_SALES_ORDER_SRV/ ", "/sap/opu/odata/sap/API_SALES_ORDER_SRV"),
            ("message_text;o=LOCAL", "/sap/opu/odata/sap/message_text;o=LOCAL"),
            ("sap/catalogservice;v=2", "/sap/opu/odata/sap/catalogservice;v=2"),
            (
                "/sap/opu/odata/IWFND/CATALOGSERVICE;v=2/",
                "/sap/opu/odata/IWFND/CATALOGSERVICE;v=2",
            ),
            (
                "https://erp.example.com:44300/sap/opu/odata/sap/API_X/$metadata?sap-client=100",
                "/sap/opu/odata/sap/API_X",
            ),
            (
                "sap/api_salesorder/srvd_a2x/sap/salesorder/0001",
                "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/salesorder/0001",
            ),
            (
                "https://erp.example.com/proxy/sap/opu/odata4/sap/zui/srvd/sap/zorders/0001/",
                "/sap/opu/odata4/sap/zui/srvd/sap/zorders/0001",
            ),
            ("/sap/opu/odata4/sap/Z_TYPES_SRV", "/sap/opu/odata4/sap/Z_TYPES_SRV"),
        ] {
            assert_eq!(ServiceAddress::parse(text).unwrap().path(), path, "{text}");
        }
        for text in [
            "",
            "/",
            "a b",
            "API_X/..",
            "a/b/c",
            "a/b/c/d/e",
            "https://erp.example.com/odata/x",
            "/sap/opu/odata/sap/API_X/A_SalesOrder",
        ] {
            assert_eq!(ServiceAddress::parse(text).unwrap_err().code(), "invalid", "{text}");
        }
    }

    #[test]
    fn names_leave_versions_and_parameters_away() {
        let name = |text| ServiceAddress::parse(text).unwrap().name().to_owned();
        assert_eq!(name("IWFND/CATALOGSERVICE;v=2"), "CATALOGSERVICE");
        assert_eq!(name("api_salesorder/srvd_a2x/salesorder/0001"), "salesorder");
        assert_eq!(name("/sap/opu/odata4/sap/Z_TYPES_SRV"), "Z_TYPES_SRV");
    }

    #[test]
    fn client_and_language_go_with_every_address_of_ours() {
        let system = SystemAddress::parse("https://erp.example.com/prefix/").unwrap();
        let service = ServiceAddress::parse("API_X").unwrap();
        assert_eq!(
            system.root(&service),
            "https://erp.example.com/prefix/sap/opu/odata/sap/API_X/?sap-language=EN"
        );
        let system = system.with_client("023").unwrap().with_language("de").unwrap();
        assert_eq!(
            system.resource(&service, "A_B", "$top=1"),
            "https://erp.example.com/prefix/sap/opu/odata/sap/API_X/A_B?$top=1&sap-client=023&sap-language=DE"
        );
        assert!(system.clone().with_client("1").is_err());
        assert!(system.with_language("english").is_err());
        for address in [
            "erp.example.com",
            "ftp://erp.example.com",
            "https://user:pw@erp.example.com",
            "https://erp.example.com/?a=b",
            "https://erp.example.com/sap/opu/odata/sap/API_X",
        ] {
            assert_eq!(
                SystemAddress::parse(address).unwrap_err().code(),
                "invalid",
                "{address}"
            );
        }
    }
}
