//! Names to addresses, and the check of each address right before it is connected to.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;

/// Resolves host names.
///
/// ```
/// use std::net::IpAddr;
/// use atlas_connectors::http::NameResolver;
///
/// /// Knows one host.
/// #[derive(Debug)]
/// struct Hosts;
///
/// #[async_trait::async_trait]
/// impl NameResolver for Hosts {
///     async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
///         match host {
///             "erp.plant.example" => Ok(vec![IpAddr::from([10, 20, 0, 5])]),
///             _ => Err(std::io::ErrorKind::NotFound.into()),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait NameResolver: fmt::Debug + Send + Sync + 'static {
    /// All addresses of the host.
    ///
    /// # Errors
    /// The name does not exist, or nobody who knows can be asked.
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl NameResolver for SystemResolver {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let addresses = tokio::net::lookup_host((host, 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}
