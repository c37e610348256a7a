//! Following a page's link to the next one without leaving the service and without going round in circles.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use atlas_connectors::error::{BadPayload, EgressRule};
use atlas_connectors::{Error, Result};
use url::Url;

/// Pages after which a guard forgets nothing but gives up: no read of this library is that long.
const PAGES: usize = 1_000_000;
/// A longer link is no link.
const LONGEST: usize = 64 * 1024;

/// The root of a service, and the only addresses that its links may lead to.
///
/// ```
/// use atlas_connectors_erp::odata::ServiceRoot;
///
/// let root = ServiceRoot::new("https://erp.example.com/sap/opu/odata/sap/API_X;v=2")?;
/// let next = root.resolve("sap.next", "A_X?%24skiptoken=200")?;
/// assert_eq!(next.as_str(), "https://erp.example.com/sap/opu/odata/sap/API_X;v=2/A_X?%24skiptoken=200");
/// assert!(root.resolve("sap.next", "https://erp.example.com.evil.test/sap/opu/odata/sap/API_X;v=2/A_X").is_err());
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRoot {
    root: Url,
}

impl ServiceRoot {
    /// The root with its slash (`sap-odata.md`, section 1). A query is left away, segment parameters such as `;v=2` are kept.
    ///
    /// # Errors
    /// [`EgressRule::Url`] for what is no address or has user info; [`EgressRule::Scheme`] for another scheme than http(s).
    pub fn new(address: &str) -> Result<Self> {
        let refused = |rule: EgressRule| Error::new(rule, "odata.root");
        let mut root = Url::parse(address).map_err(|_| refused(EgressRule::Url))?;
        if !matches!(root.scheme(), "http" | "https") {
            return Err(refused(EgressRule::Scheme));
        }
        if !root.username().is_empty() || root.password().is_some() || root.host().is_none() {
            return Err(refused(EgressRule::Url));
        }
        root.set_query(None);
        root.set_fragment(None);
        if !root.path().ends_with('/') {
            let path = format!("{}/", root.path());
            root.set_path(&path);
        }
        Ok(Self { root })
    }

    /// The root, ending in a slash.
    pub fn as_str(&self) -> &str {
        self.root.as_str()
    }

    /// The root as an address.
    pub fn url(&self) -> &Url {
        &self.root
    }

    /// The address of a path below the root, which is already encoded: `A_SalesOrder('1')?$select=SalesOrder`.
    pub fn join(&self, path: &str) -> String {
        format!("{}{}", self.root, path)
    }

    /// The address that a link means: absolute, relative to the host (`/…`) or relative to the root. Query and token stay
    /// as they came.
    ///
    /// # Errors
    /// [`EgressRule::Origin`] for another scheme, host or port and for a path outside the root: a link decides where the
    /// credential goes. [`EgressRule::Url`] for what is no address.
    pub fn resolve(&self, operation: &'static str, link: &str) -> Result<Url> {
        let refused = |rule: EgressRule| Error::new(rule, operation);
        let odd = link.is_empty()
            || link.len() > LONGEST
            || link.contains(['\\', '\n', '\r', '\t'])
            || link.starts_with("//");
        if odd || link.trim() != link {
            return Err(refused(EgressRule::Url));
        }
        let url = self.root.join(link).map_err(|_| refused(EgressRule::Url))?;
        let same_origin = url.scheme() == self.root.scheme()
            && url.host() == self.root.host()
            && url.port_or_known_default() == self.root.port_or_known_default();
        if !same_origin || !url.username().is_empty() || url.password().is_some() {
            return Err(refused(EgressRule::Origin));
        }
        if url.fragment().is_some() {
            return Err(refused(EgressRule::Url));
        }
        // `join` has already taken out `.` and `..`, also spelt with `%2e`; an encoded slash could still hide one.
        let inside = url.path().starts_with(self.root.path());
        if !inside || climbs(url.path()) {
            return Err(refused(EgressRule::Origin));
        }
        Ok(url)
    }
}

/// Whether a path names its parent once a server decodes slashes.
fn climbs(path: &str) -> bool {
    let path = path
        .to_ascii_lowercase()
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace("%2e", ".");
    path.split('/').any(|segment| segment == ".." || segment == ".")
}

/// Stops a read that goes round in circles: a garbage or expired token may be answered with the first page again
/// (`sap-odata.md`, section 8).
#[derive(Clone, Debug, Default)]
pub struct LinkGuard {
    links: HashSet<u64>,
    first_keys: HashSet<u64>,
}

impl LinkGuard {
    /// A guard for one read, from its first page on.
    pub fn new() -> Self {
        Self::default()
    }

    /// To be told of each page: the key of its first row (`None` for an empty page) and its link.
    ///
    /// # Errors
    /// [`BadPayload::Syntax`] if the link came before, or a page began with this key before.
    pub fn page(&mut self, operation: &'static str, first_key: Option<&str>, link: Option<&str>) -> Result<()> {
        let circle = |what: &'static str| Error::new(BadPayload::Syntax, operation).with_context("why", what);
        if first_key.is_some_and(|key| !self.first_keys.insert(digest(key))) {
            return Err(circle("page_repeated"));
        }
        if link.is_some_and(|link| !self.links.insert(digest(link))) {
            return Err(circle("link_repeated"));
        }
        if self.links.len() > PAGES {
            return Err(circle("too_many_pages"));
        }
        Ok(())
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "https://erp.example.com/sap/opu/odata/sap/API_X;v=2/";

    #[test]
    fn links_are_resolved_and_sent_unchanged() {
        let root = ServiceRoot::new("https://ERP.example.com:443/sap/opu/odata/sap/API_X;v=2?sap-client=100").unwrap();
        assert_eq!(root.as_str(), ROOT);
        for (link, path) in [
            (
                "A_X?%24select=A&%24skiptoken=2!%272%27",
                "A_X?%24select=A&%24skiptoken=2!%272%27",
            ),
            (
                "https://erp.example.com/sap/opu/odata/sap/API_X;v=2/A_X?$skiptoken=D2026_%2B",
                "A_X?$skiptoken=D2026_%2B",
            ),
            (
                "/sap/opu/odata/sap/API_X;v=2/A_X('1')/to_Item?$skiptoken=10",
                "A_X('1')/to_Item?$skiptoken=10",
            ),
            ("A_X?$filter=a:b&$skiptoken=1", "A_X?$filter=a:b&$skiptoken=1"),
        ] {
            assert_eq!(
                root.resolve("t", link).unwrap().as_str(),
                format!("{ROOT}{path}"),
                "{link}"
            );
        }
    }

    #[test]
    fn foreign_and_climbing_links_are_refused() {
        let root = ServiceRoot::new(ROOT).unwrap();
        for link in [
            "https://evil.test/sap/opu/odata/sap/API_X;v=2/A_X",
            "https://erp.example.com:8443/sap/opu/odata/sap/API_X;v=2/A_X",
            "http://erp.example.com/sap/opu/odata/sap/API_X;v=2/A_X",
            "https://user@erp.example.com/sap/opu/odata/sap/API_X;v=2/A_X",
            "https://erp.example.com/sap/opu/odata/sap/OTHER/A_X",
            "../OTHER/A_X",
            "%2e%2e/OTHER/A_X",
            "..%2fOTHER/A_X",
            "/sap/opu/odata/sap/API_X;v=2",
            "ftp://erp.example.com/sap/opu/odata/sap/API_X;v=2/",
            "javascript:alert(1)",
        ] {
            assert_eq!(root.resolve("t", link).unwrap_err().code(), "egress.origin", "{link}");
        }
        for link in ["", "//evil.test/x", "\\\\evil.test\\x", "A_X#f", " A_X", "A\n_X"] {
            assert_eq!(root.resolve("t", link).unwrap_err().code(), "egress.url", "{link}");
        }
        assert_eq!(
            ServiceRoot::new("https://u:p@h.test/").unwrap_err().code(),
            "egress.url"
        );
        assert_eq!(ServiceRoot::new("ftp://h.test/").unwrap_err().code(), "egress.scheme");
    }

    #[test]
    fn circles_end() {
        let mut guard = LinkGuard::new();
        guard.page("t", Some("1"), Some("a")).unwrap();
        guard.page("t", None, Some("b")).unwrap();
        guard.page("t", None, Some("c")).unwrap();
        assert_eq!(
            guard.clone().page("t", Some("1"), Some("d")).unwrap_err().code(),
            "bad_payload.syntax"
        );
        assert_eq!(
            guard.clone().page("t", Some("2"), Some("b")).unwrap_err().code(),
            "bad_payload.syntax"
        );
        guard.page("t", Some("2"), None).unwrap();
    }
}
