//! Rules for outgoing connections (`security-reliability.md`, section 8).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use http::Uri;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use crate::error::{EgressRule, Error, ErrorKind, Result};

/// Which addresses may be connected to. The strict rules: https only, public addresses only, plainly written.
///
/// A host on a private network is allowed by name *and* network, for each connection apart. What is named is pinned:
/// if its name leads outside the network, it is refused too.
///
/// ```
/// use atlas_connectors::http::EgressRules;
///
/// let strict = EgressRules::strict();
/// assert!(strict.check_text("https://gmail.googleapis.com/gmail/v1/users/me/profile").is_ok());
/// assert!(strict.check_text("http://gmail.googleapis.com/").is_err());
/// assert!(strict.check_text("https://169.254.169.254/latest/meta-data").is_err());
/// assert!(strict.check_text("https://0x7f.1/").is_err());
///
/// // An ERP in the plant's own network.
/// let rules = EgressRules::strict().allow("erp.plant.example", "10.20.0.0/16")?;
/// assert!(rules.check_addresses("erp.plant.example", &["10.20.1.5".parse().unwrap()]).is_ok());
/// assert!(rules.check_addresses("erp.plant.example", &["10.99.1.5".parse().unwrap()]).is_err());
/// assert!(rules.check_addresses("other.example", &["10.20.1.5".parse().unwrap()]).is_err());
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressRules {
    allowed: Vec<Allowed>,
    /// Plain http to this machine itself.
    loopback: bool,
}

#[derive(Clone, PartialEq, Eq)]
struct Allowed {
    host: Box<str>,
    network: IpNet,
}

impl EgressRules {
    /// Https and public addresses only.
    pub fn strict() -> Self {
        Self::default()
    }

    /// Allows this host (a name or an address) at addresses of this network (`10.20.0.0/16`, or one address). Still
    /// https only. Call it again for further networks of the same host.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if host or network cannot be read.
    pub fn allow(mut self, host: &str, network: &str) -> Result<Self> {
        let invalid = |what, why| Error::new(ErrorKind::Invalid { what, why }, "http.egress");
        let host = Host::parse(host).map_err(|_| invalid("egress host", "not a host name or address"))?;
        let network = network
            .parse::<IpNet>()
            .or_else(|_| network.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| invalid("egress network", "not a network such as 10.20.0.0/16"))?;
        self.allowed.push(Allowed {
            host: host.to_string().into(),
            network,
        });
        Ok(self)
    }

    /// Allows this machine itself (`127.0.0.0/8`, `[::1]`, `localhost`), over plain http too: for emulators, mock
    /// providers and tests.
    #[must_use]
    pub fn allow_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Reads an address as a person typed it, and checks it.
    ///
    /// # Errors
    /// [`ErrorKind::EgressDenied`] with the rule it breaks.
    pub fn check_text(&self, address: &str) -> Result<Uri> {
        let refused = |rule: EgressRule| Error::new(rule, "http.egress");
        if address.contains('#') || address.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(refused(EgressRule::Url));
        }
        let uri: Uri = address.parse().map_err(|_| refused(EgressRule::Url))?;
        self.check(&uri).map_err(refused)?;
        Ok(uri)
    }

    /// Checks an address without resolving it: scheme, spelling, and the address itself if the host is one.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, uri: &Uri) -> Result<(), EgressRule> {
        let authority = uri.authority().ok_or(EgressRule::Url)?;
        if authority.as_str().contains('@') {
            return Err(EgressRule::Url);
        }
        let url = Url::parse(&uri.to_string()).map_err(|_| EgressRule::Url)?;
        let host = url.host().ok_or(EgressRule::Url)?;
        plainly_written(authority.host(), &host)?;
        self.check_scheme(&url, &host)?;
        let name = host.to_string();
        match host {
            Host::Ipv4(address) => self.check_addresses(&name, &[address.into()]),
            Host::Ipv6(address) => self.check_addresses(&name, &[address.into()]),
            Host::Domain(domain) if is_reserved_name(domain) && self.networks(&name).next().is_none() => {
                Err(EgressRule::Address)
            }
            Host::Domain(_) => Ok(()),
        }
    }

    /// Checks what a host resolved to. One bad address among good ones refuses them all: which one is connected to is
    /// not ours to choose.
    ///
    /// # Errors
    /// [`EgressRule::Address`], also for an empty list.
    pub fn check_addresses(&self, host: &str, addresses: &[IpAddr]) -> Result<(), EgressRule> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let networks: Vec<IpNet> = self.networks(host).collect();
        let fine = |address: &IpAddr| match networks.is_empty() {
            true => is_public(*address),
            false => networks.iter().any(|network| network.contains(address)),
        };
        if addresses.is_empty() || !addresses.iter().all(fine) {
            return Err(EgressRule::Address);
        }
        Ok(())
    }

    fn check_scheme(&self, url: &Url, host: &Host<&str>) -> Result<(), EgressRule> {
        let own = super::origin::is_loopback(&host.to_owned());
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.loopback && own => Ok(()),
            _ => Err(EgressRule::Scheme),
        }
    }

    /// The networks that this host is pinned to; none for a host that must be public.
    fn networks<'a>(&'a self, host: &'a str) -> impl Iterator<Item = IpNet> + 'a {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let named = self.allowed.iter().filter_map(move |allowed| {
            let own = allowed.host.trim_start_matches('[').trim_end_matches(']');
            own.eq_ignore_ascii_case(host).then_some(allowed.network)
        });
        let address: Option<IpAddr> = host.parse().ok();
        let own = host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback());
        let loopback = [
            IpNet::V4(net4(127, 0, 0, 0, 8)),
            IpNet::V6(net6(Ipv6Addr::LOCALHOST, 128)),
        ];
        named.chain(loopback.into_iter().filter(move |_| self.loopback && own))
    }
}

impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.host, self.network)
    }
}

/// Whether anybody on the internet could be meant by this address.
///
/// An IPv4 address is public unless reserved; an IPv6 address only within the part that is given out (`2000::/3`), so
/// that mapped, compatible, NAT64, unique local, link-local and multicast addresses are refused without being listed.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !RESERVED_4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GIVEN_OUT_6.contains(&address) && !RESERVED_6.iter().any(|network| network.contains(&address))
        }
    }
}

/// IANA's special-purpose registry (RFC 6890 and updates), and addresses at which clouds serve their machines.
static RESERVED_4: LazyLock<[Ipv4Net; 17]> = LazyLock::new(|| {
    [
        net4(0, 0, 0, 0, 8),          // this network
        net4(10, 0, 0, 0, 8),         // private
        net4(100, 64, 0, 0, 10),      // carrier-grade NAT
        net4(127, 0, 0, 0, 8),        // loopback
        net4(168, 63, 129, 16, 32),   // Azure's platform address
        net4(169, 254, 0, 0, 16),     // link-local, cloud metadata
        net4(172, 16, 0, 0, 12),      // private
        net4(192, 0, 0, 0, 24),       // protocol assignments
        net4(192, 0, 2, 0, 24),       // documentation
        net4(192, 88, 99, 0, 24),     // 6to4 relay
        net4(192, 168, 0, 0, 16),     // private
        net4(198, 18, 0, 0, 15),      // benchmarks
        net4(198, 51, 100, 0, 24),    // documentation
        net4(203, 0, 113, 0, 24),     // documentation
        net4(224, 0, 0, 0, 4),        // multicast
        net4(240, 0, 0, 0, 4),        // future use
        net4(255, 255, 255, 255, 32), // broadcast
    ]
});

static GIVEN_OUT_6: LazyLock<Ipv6Net> = LazyLock::new(|| net6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3));

static RESERVED_6: LazyLock<[Ipv6Net; 4]> = LazyLock::new(|| {
    [
        net6(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // Teredo, ORCHID and other assignments
        net6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
        net6(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
        net6(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
    ]
});

fn net4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

fn net6(address: Ipv6Addr, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(address, prefix)
}

/// Names that mean this machine or its cloud's metadata, whatever they resolve to.
fn is_reserved_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is = |reserved: &str| name == reserved || name.strip_suffix(reserved).is_some_and(|rest| rest.ends_with('.'));
    ["localhost", "local", "internal", "localdomain", "home.arpa"]
        .iter()
        .any(|reserved| is(reserved))
        || name == "metadata"
        || name == "instance-data"
}

/// A host must be written as the URL standard writes it: `0x7f.1`, `127.1`, `2130706433`, `%6c`, and a final dot are
/// ways past a check, not ways to write an address.
fn plainly_written(raw: &str, host: &Host<&str>) -> Result<(), EgressRule> {
    let raw = raw.to_ascii_lowercase();
    let plain = match host {
        Host::Ipv4(address) => raw == address.to_string(),
        // An IPv6 address has many honest spellings; what it parsed to is what is checked.
        Host::Ipv6(_) => !raw.contains('%'),
        Host::Domain(domain) => raw == *domain && !domain.ends_with('.') && !domain.is_empty(),
    };
    if plain { Ok(()) } else { Err(EgressRule::Url) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_refused_with_the_rule_they_break() {
        let table: &[(&str, Result<(), EgressRule>)] = &[
            ("https://gmail.googleapis.com/gmail/v1/users/me/profile?x=1", Ok(())),
            ("https://GMAIL.googleapis.com/", Ok(())),
            ("https://erp.example.com:8443/odata", Ok(())),
            ("https://xn--bcher-kva.example/", Ok(())),
            ("https://8.8.8.8/", Ok(())),
            ("https://[2606:4700::1111]/", Ok(())),
            ("http://gmail.googleapis.com/", Err(EgressRule::Scheme)),
            ("ftp://gmail.googleapis.com/", Err(EgressRule::Scheme)),
            ("http://127.0.0.1/", Err(EgressRule::Scheme)),
            ("https://user@example.com/", Err(EgressRule::Url)),
            ("https://user:pw@example.com/", Err(EgressRule::Url)),
            ("https://example.com/#fragment", Err(EgressRule::Url)),
            ("https://example.com./", Err(EgressRule::Url)),
            ("https://exa mple.com/", Err(EgressRule::Url)),
            ("https://example.com/a\tb", Err(EgressRule::Url)),
            ("https://example.com/\r\nHost: x", Err(EgressRule::Url)),
            ("https:///path", Err(EgressRule::Url)),
            ("/relative", Err(EgressRule::Url)),
            ("", Err(EgressRule::Url)),
            // Odd spellings of numbers.
            ("https://127.1/", Err(EgressRule::Url)),
            ("https://2130706433/", Err(EgressRule::Url)),
            ("https://0x7f000001/", Err(EgressRule::Url)),
            ("https://0x7f.0.0.1/", Err(EgressRule::Url)),
            ("https://0177.0.0.1/", Err(EgressRule::Url)),
            ("https://8.8.2056/", Err(EgressRule::Url)),
            ("https://[fe80::1%25eth0]/", Err(EgressRule::Url)),
            // Reserved addresses and names.
            ("https://127.0.0.1/", Err(EgressRule::Address)),
            ("https://[::1]/", Err(EgressRule::Address)),
            ("https://[::ffff:127.0.0.1]/", Err(EgressRule::Address)),
            ("https://[::ffff:8.8.8.8]/", Err(EgressRule::Address)),
            ("https://[::127.0.0.1]/", Err(EgressRule::Address)),
            ("https://[64:ff9b::7f00:1]/", Err(EgressRule::Address)),
            ("https://169.254.169.254/latest/meta-data/", Err(EgressRule::Address)),
            ("https://localhost/", Err(EgressRule::Address)),
            ("https://a.localhost/", Err(EgressRule::Address)),
            ("https://metadata.google.internal/", Err(EgressRule::Address)),
            ("https://printer.local/", Err(EgressRule::Address)),
            ("https://metadata/", Err(EgressRule::Address)),
        ];
        let rules = EgressRules::strict();
        for (address, expected) in table {
            let found = rules
                .check_text(address)
                .map(|_| ())
                .map_err(|error| match error.kind() {
                    ErrorKind::EgressDenied(rule) => *rule,
                    other => panic!("{address}: {other}"),
                });
            assert_eq!(found, *expected, "{address:?}");
        }
    }

    #[test]
    fn every_reserved_class_is_refused_and_public_addresses_pass() {
        for reserved in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address: IpAddr = reserved.parse().unwrap();
            assert!(!is_public(address), "{reserved}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "168.63.129.15",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450:4001::1",
        ] {
            let address: IpAddr = public.parse().unwrap();
            assert!(is_public(address), "{public}");
        }
    }

    #[test]
    fn a_mixed_or_empty_answer_is_refused_whole() {
        let rules = EgressRules::strict();
        let good: IpAddr = "8.8.8.8".parse().unwrap();
        let bad: IpAddr = "10.0.0.1".parse().unwrap();
        assert!(rules.check_addresses("erp.example", &[good]).is_ok());
        assert!(rules.check_addresses("erp.example", &[good, bad]).is_err());
        assert!(rules.check_addresses("erp.example", &[bad, good]).is_err());
        assert!(rules.check_addresses("erp.example", &[]).is_err());
    }

    #[test]
    fn an_allowed_host_is_pinned_to_its_network() {
        let rules = EgressRules::strict()
            .allow("ERP.plant.example", "10.20.0.0/16")
            .unwrap()
            .allow("10.30.0.7", "10.30.0.7")
            .unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(rules.check_addresses("erp.plant.example", &[ip("10.20.3.4")]).is_ok());
        assert!(rules.check_addresses("erp.plant.example", &[ip("10.21.3.4")]).is_err());
        // A name that suddenly leads elsewhere is refused even if that is public.
        assert!(rules.check_addresses("erp.plant.example", &[ip("8.8.8.8")]).is_err());
        assert!(rules.check_text("https://10.30.0.7/").is_ok());
        assert!(rules.check_text("https://10.30.0.8/").is_err());
        // Allowed is not the same as in clear text.
        assert!(rules.check_text("http://10.30.0.7/").is_err());
        assert!(EgressRules::strict().allow("not a host", "10.0.0.0/8").is_err());
        assert!(EgressRules::strict().allow("erp.example", "somewhere").is_err());
    }

    #[test]
    fn loopback_is_for_those_who_ask_for_it() {
        let rules = EgressRules::strict().allow_loopback();
        for fine in [
            "http://127.0.0.1:8080/",
            "http://[::1]:1/",
            "http://localhost:3000/x",
            "https://localhost/",
        ] {
            assert!(rules.check_text(fine).is_ok(), "{fine}");
        }
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(
            rules
                .check_addresses("localhost", &[ip("127.0.0.1"), ip("::1")])
                .is_ok()
        );
        assert!(
            rules
                .check_addresses("localhost", &[ip("127.0.0.1"), ip("10.0.0.1")])
                .is_err()
        );
        // Another name does not get there.
        assert!(rules.check_addresses("rebind.example", &[ip("127.0.0.1")]).is_err());
        assert!(rules.check_text("http://10.0.0.1/").is_err());
        assert!(rules.check_text("http://api.example.com/").is_err());
    }
}
