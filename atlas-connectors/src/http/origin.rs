//! Where a credential may go.

use std::fmt;

use http::Uri;
use url::{Host, Url};

use crate::error::{EgressRule, Error, Result};

/// Scheme, host and port: the only place a credential was made for.
///
/// ```
/// use atlas_connectors::http::Origin;
///
/// let gmail = Origin::parse("https://gmail.googleapis.com")?;
/// assert!(gmail.covers(&"https://gmail.googleapis.com/gmail/v1/users/me/profile".parse().unwrap()));
/// assert!(!gmail.covers(&"https://gmail.googleapis.com.evil.example/".parse().unwrap()));
/// assert!(!gmail.covers(&"http://gmail.googleapis.com/".parse().unwrap()));
/// // Plain http would show the credential to the whole way; this machine itself is the exception, for tests.
/// assert!(Origin::parse("http://gmail.googleapis.com").is_err());
/// assert!(Origin::parse("http://127.0.0.1:8080").is_ok());
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    https: bool,
    host: Host<String>,
    port: u16,
}

impl Origin {
    /// The origin of an address; path and query are left away. Plain http is taken for this machine's own loopback only.
    ///
    /// # Errors
    /// [`EgressRule::Url`] if it is not an address, has user info or an odd spelling; [`EgressRule::Scheme`] for plain http.
    pub fn parse(address: &str) -> Result<Self> {
        let refused = |rule: EgressRule| Error::new(rule, "http.origin");
        let url = Url::parse(address).map_err(|_| refused(EgressRule::Url))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(EgressRule::Url));
        }
        let origin = Self::of(&url).ok_or_else(|| refused(EgressRule::Scheme))?;
        if !origin.https && !is_loopback(&origin.host) {
            return Err(refused(EgressRule::Scheme));
        }
        Ok(origin)
    }

    /// Whether a request to this address stays within the origin.
    pub fn covers(&self, uri: &Uri) -> bool {
        let url = Url::parse(&uri.to_string()).ok();
        url.is_some_and(|url| Self::of(&url).as_ref() == Some(self))
    }

    /// Normalised by the URL standard, so that case, IDNA and default ports do not matter.
    fn of(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self {
            https,
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

pub(super) fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = Origin::parse("https://API.example.com:443/some/path?q=1").unwrap();
        assert_eq!(origin.to_string(), "https://api.example.com:443");
        for (address, inside) in [
            ("https://api.example.com/x", true),
            ("https://api.example.com:443/", true),
            ("https://API.EXAMPLE.COM/", true),
            ("https://api.example.com:8443/", false),
            ("http://api.example.com/", false),
            ("https://api.example.com.evil.test/", false),
            ("https://example.com/", false),
            ("https://api.example.com@evil.test/", false),
            ("/relative", false),
        ] {
            let uri: Uri = address.parse().unwrap();
            assert_eq!(origin.covers(&uri), inside, "{address}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for address in ["http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost/"] {
            assert!(Origin::parse(address).is_ok(), "{address}");
        }
        for (address, code) in [
            ("http://10.0.0.1/", "egress.scheme"),
            ("http://localhost.evil.test/", "egress.scheme"),
            ("ftp://api.example.com/", "egress.scheme"),
            ("https://user:pw@api.example.com/", "egress.url"),
            ("not an address", "egress.url"),
        ] {
            assert_eq!(Origin::parse(address).unwrap_err().code(), code, "{address}");
        }
    }
}
