//! Which networks the address of an ERP may lead to. Many stand in a company's own network, which is never allowed by itself.

use std::sync::Arc;

use atlas_connectors::Result;
use atlas_connectors::http::{EgressRules, HttpTransport, ReqwestTransport};
use serde::{Deserialize, Serialize};
use url::Url;

/// Which networks an address may lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Public addresses only: the host's own transport.
    #[default]
    Public,
    /// This machine itself, over plain http too: emulators, mock servers, tunnels.
    Loopback,
    /// One host at addresses of one network, such as `erp.plant.example` at `10.20.0.0/16`.
    Network {
        /// The host.
        host: String,
        /// The network it is pinned to.
        network: String,
    },
}

impl Reach {
    /// What an address as it was typed asks for; a network of one's own is named beside it.
    pub fn of(address: &str, network: Option<&str>) -> Self {
        let url = Url::parse(address).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        match network {
            Some(network) => Self::Network {
                host: host.to_owned(),
                network: network.to_owned(),
            },
            None if matches!(host, "127.0.0.1" | "localhost" | "[::1]") => Self::Loopback,
            None => Self::Public,
        }
    }

    /// The transport: the usual one, or one for this connection alone.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::Invalid`] for a host or network that cannot be read.
    pub fn transport(&self, usual: &Arc<dyn HttpTransport>) -> Result<Arc<dyn HttpTransport>> {
        let rules = match self {
            Self::Public => return Ok(Arc::clone(usual)),
            Self::Loopback => EgressRules::strict().allow_loopback(),
            Self::Network { host, network } => EgressRules::strict().allow(host, network)?,
        };
        Ok(Arc::new(ReqwestTransport::builder().with_egress(rules).build()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_allowed_by_its_address_alone() {
        assert_eq!(Reach::of("http://127.0.0.1:8069", None), Reach::Loopback);
        assert_eq!(Reach::of("https://10.1.2.3", None), Reach::Public);
        assert_eq!(Reach::of("https://localhost.evil.example", None), Reach::Public);
        assert_eq!(
            Reach::of("https://erp.plant.example/x", Some("10.20.0.0/16")),
            Reach::Network {
                host: "erp.plant.example".into(),
                network: "10.20.0.0/16".into()
            }
        );
    }
}
