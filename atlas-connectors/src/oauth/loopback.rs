//! The callback on this machine itself, for desktop and command line (RFC 8252, section 7.3).

use std::net::Ipv4Addr;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, FlowFault, Result, Unreachable};
use crate::oauth::callback::Outcome;
use crate::oauth::sign_in::rejected;
use crate::oauth::{Begun, Callback};

const OPERATION: &str = "oauth.loopback";
/// A request line and headers are no longer than this, in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// How long one connection may take to say what it wants; browsers open some that never do.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// More connections than this at once are no browser.
const MAX_OPEN: usize = 32;

const DONE: &str = "<p>Signed in. You can close this window and go back to the application.</p>";
const REFUSED: &str = "<p>The sign-in was not completed. Go back to the application; it says why.</p>";
const JUNK: &str = "<p>There is nothing here.</p>";

/// Waits on `127.0.0.1` for the browser to come back. Opens no browser itself: see [`open_browser`].
///
/// ```no_run
/// # async fn example(
/// #     sign_in: atlas_connectors::oauth::SignIn,
/// #     tenant: atlas_connectors::TenantId,
/// #     actor: atlas_connectors::ActorId,
/// #     session: atlas_connectors::SessionId,
/// # ) -> atlas_connectors::Result<()> {
/// use atlas_connectors::oauth::{Loopback, SignInRequest, Workflow, open_browser};
///
/// let loopback = Loopback::bind().await?;
/// let redirect = loopback.redirect().clone();
/// let request = SignInRequest::connect(tenant, actor.clone(), session.clone(), redirect, [Workflow::Triage]);
/// let begun = sign_in.begin(request).await?;
/// open_browser(&begun.url)?;
/// let callback = loopback.wait(&begun, &**sign_in.app().clock()).await?;
/// let signed_in = sign_in.complete(callback, &actor, &session).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    redirect: Url,
}

impl Loopback {
    /// Listens on a free port, at the path `/callback`.
    ///
    /// # Errors
    /// [`Unreachable::Connect`] if the machine gives no port.
    pub async fn bind() -> Result<Self> {
        Self::bind_to(0, "/callback").await
    }

    /// Listens on this port (0 for any free one) and path, for apps whose redirect address is registered with them.
    ///
    /// # Errors
    /// [`Unreachable::Connect`] if the port is taken; [`ErrorKind::Invalid`] if the path is none.
    pub async fn bind_to(port: u16, path: &str) -> Result<Self> {
        let taken = |_| Error::new(Unreachable::Connect, OPERATION);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(taken)?;
        let port = listener.local_addr().map_err(taken)?.port();
        let redirect = path
            .starts_with('/')
            .then(|| Url::parse(&format!("http://127.0.0.1:{port}{path}")).ok())
            .flatten()
            .filter(|url| url.query().is_none() && url.fragment().is_none());
        let Some(redirect) = redirect else {
            let kind = ErrorKind::Invalid {
                what: "path",
                why: "it must begin with a slash and have no query",
            };
            return Err(Error::new(kind, OPERATION));
        };
        Ok(Self { listener, redirect })
    }

    /// Names the machine `localhost` in the redirect address instead of `127.0.0.1`: Entra ignores the port of `http://localhost` only.
    ///
    /// RFC 8252, section 8.3, prefers the number: whoever may write the machine's table of hosts can lead the name elsewhere. It listens
    /// on `127.0.0.1` all the same, which browsers try for the name, too.
    #[must_use]
    pub fn named_localhost(mut self) -> Self {
        // It cannot fail: the address is http and has a host.
        let _ = self.redirect.set_host(Some("localhost"));
        self
    }

    /// Where the provider is to send the browser.
    pub fn redirect(&self) -> &Url {
        &self.redirect
    }

    /// Waits until the browser brings the answer to this sign-in. Anything else that knocks (an icon, a scanner, an answer to
    /// another sign-in) is turned away and does not end the wait.
    ///
    /// # Errors
    /// [`FlowFault::NoAnswer`] when the time of the sign-in is over: the provider may be showing its error on its own page,
    /// from which no browser comes back.
    pub async fn wait(self, begun: &Begun, clock: &dyn Clock) -> Result<Callback> {
        let state = begun
            .url
            .query_pairs()
            .find(|(name, _)| name == "state")
            .map(|(_, state)| state.into_owned())
            .unwrap_or_default();
        let limit = clock.sleep(begun.expires.since(clock.now()));
        let answered = pin!(self.answered(&state, clock));
        match select(answered, limit).await {
            Either::Left((callback, _)) => Ok(callback),
            Either::Right(((), _)) => Err(rejected(FlowFault::NoAnswer)),
        }
    }

    async fn answered(&self, state: &str, clock: &dyn Clock) -> Callback {
        let mut open = FuturesUnordered::new();
        loop {
            let full = open.len() >= MAX_OPEN;
            // Accepting goes on while others are slow to speak.
            let accepted = {
                let accept = pin!(async {
                    if full {
                        std::future::pending::<()>().await;
                    }
                    self.listener.accept().await
                });
                let served = pin!(async {
                    match open.next().await {
                        Some(served) => served,
                        None => std::future::pending().await,
                    }
                });
                match select(accept, served).await {
                    Either::Left((accepted, _)) => accepted,
                    Either::Right((Some(callback), _)) => return callback,
                    Either::Right((None, _)) => continue,
                }
            };
            match accepted {
                Ok((stream, _)) => open.push(self.serve(stream, state, clock)),
                // A connection that was gone before it was taken up.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// Answers one connection; `Some` if it was the answer that is waited for.
    async fn serve(&self, mut stream: TcpStream, state: &str, clock: &dyn Clock) -> Option<Callback> {
        let head = {
            let read = pin!(read_head(&mut stream));
            match select(read, clock.sleep(HEAD_TIME)).await {
                Either::Left((head, _)) => head?,
                Either::Right(((), _)) => return None,
            }
        };
        let callback = self.callback(&head, state);
        let (status, page) = match &callback {
            Some(callback) if matches!(callback.outcome, Outcome::Code(_)) => ("200 OK", DONE),
            Some(_) => ("200 OK", REFUSED),
            None => ("404 Not Found", JUNK),
        };
        // The browser may have gone; the answer has come all the same.
        let _ = stream.write_all(response(status, page).as_bytes()).await;
        let _ = stream.shutdown().await;
        callback
    }

    fn callback(&self, head: &str, state: &str) -> Option<Callback> {
        let mut lines = head.split("\r\n");
        let target = lines.next()?.strip_prefix("GET ")?.split(' ').next()?;
        // Only who was sent here by this address: not a page elsewhere that has its name point at this machine.
        let host = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("host").then(|| value.trim())
        })?;
        let expected = format!(
            "{}:{}",
            self.redirect.host_str()?,
            self.redirect.port_or_known_default()?
        );
        let (path, query) = target.split_once('?')?;
        if host != expected || path != self.redirect.path() {
            return None;
        }
        let callback = Callback::from_query(query).ok()?;
        let same: bool = callback.state.expose_secret().as_bytes().ct_eq(state.as_bytes()).into();
        same.then_some(callback)
    }
}

/// Opens an address in the person's own browser (`xdg-open`, `open`, `rundll32`), and does not wait for it.
///
/// # Errors
/// [`ErrorKind::Invalid`] for anything but a web address; [`ErrorKind::Unsupported`] if no browser could be started: show the address
/// to the person then.
pub fn open_browser(url: &Url) -> Result<()> {
    if !matches!(url.scheme(), "https" | "http") {
        let kind = ErrorKind::Invalid {
            what: "address",
            why: "not a web address",
        };
        return Err(Error::new(kind, OPERATION));
    }
    let (program, first): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        // Not through a shell: an address is full of its special characters.
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    std::process::Command::new(program)
        .args(first)
        .arg(url.as_str())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .map(|_| ())
        .map_err(|_| {
            Error::new(
                ErrorKind::Unsupported {
                    what: "opening a browser",
                },
                OPERATION,
            )
        })
}

/// Reads up to the empty line; `None` for what is not a request.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0u8; 2048];
    loop {
        let read = stream.read(&mut buffer).await.ok()?;
        head.extend_from_slice(buffer.get(..read)?);
        if head.windows(4).any(|window| window == b"\r\n\r\n") {
            return String::from_utf8(head).ok();
        }
        if read == 0 || head.len() > MAX_HEAD {
            return None;
        }
    }
}

/// A page that loads nothing, is not kept, and sends no referrer: its address holds the code.
fn response(status: &str, body: &str) -> String {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign-in</title><body>{body}</body></html>"
    );
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{page}",
        page.len()
    )
}
