//! From a handler to an address.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use url::Url;

use super::upstream::Upstream;
use super::{Answer, Request, proxy};

/// A port on loopback that is taken but not served yet: for a mock whose world has to know its own address.
///
/// ```
/// use atlas_connectors::testkit::server::{Answer, Listener};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let listener = Listener::bind(0)?;
/// let discovery = serde_json::json!({"issuer": listener.uri()});
/// let server = listener.serve(move |_| Answer::json(200, &discovery)).await?;
/// assert!(server.uri().starts_with("http://127.0.0.1:"));
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes a port on loopback; 0 is any free one.
    ///
    /// # Errors
    /// When the port is taken or loopback cannot be listened on.
    pub fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address, such as `http://127.0.0.1:49152`, without a slash at the end.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves a handler until the last clone of the returned server is gone.
    ///
    /// The handler runs on the server's own thread, many requests after each other: it must not block for long, and what it shares
    /// with tests it locks by itself.
    ///
    /// # Errors
    /// When a thread or a runtime cannot be had.
    pub async fn serve<H>(self, handler: H) -> io::Result<Server>
    where
        H: Fn(&Request) -> Answer + Send + Sync + 'static,
    {
        let uri = self.uri();
        let url = Url::parse(&uri).map_err(|_| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        let upstream = Arc::new(Upstream::start(Arc::new(handler)).await);
        let (stop, stopped) = tokio::sync::watch::channel(());
        proxy::spawn(self.listener, upstream, stopped)?;
        Ok(Server {
            uri: uri.into(),
            url,
            address: self.address,
            _stop: Arc::new(stop),
        })
    }
}

/// A server on loopback. Clones are handles to the same one; it stops when the last is gone.
///
/// See the [module page](super) for the whole picture and an example.
#[derive(Clone)]
pub struct Server {
    uri: Arc<str>,
    url: Url,
    address: SocketAddr,
    _stop: Arc<tokio::sync::watch::Sender<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl Server {
    /// Serves a handler on any free port.
    ///
    /// # Errors
    /// As [`Listener::bind`] and [`Listener::serve`].
    pub async fn start<H>(handler: H) -> io::Result<Self>
    where
        H: Fn(&Request) -> Answer + Send + Sync + 'static,
    {
        Listener::bind(0)?.serve(handler).await
    }

    /// The address, such as `http://127.0.0.1:49152`, without a slash at the end.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The address as a URL, with the slash.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// The address as a socket is connected to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
