//! A server that speaks in raw bytes, so that it can break every rule.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with each request that it has read.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Writes these bytes and closes.
    Write(Vec<u8>),
    /// Writes these bytes and keeps the connection for the next act.
    Keep(Vec<u8>),
    /// Writes the first bytes at once, then one after the other with this pause.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// Closes without a word.
    Close,
    /// Never says anything.
    Silence,
}

/// A running server. Each request takes the next act; the last one is repeated.
#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let acts: Vec<Act> = acts.into_iter().collect();
        let served = stub.clone();
        tokio::spawn(async move {
            let next = Arc::new(AtomicUsize::new(0));
            while let Ok((stream, _)) = listener.accept().await {
                served.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(
                    stream,
                    acts.clone(),
                    Arc::clone(&next),
                    Arc::clone(&served.requests),
                ));
            }
        });
        stub
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Heads of all requests that arrived.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, acts: Vec<Act>, next: Arc<AtomicUsize>, requests: Arc<Mutex<Vec<String>>>) {
    loop {
        let Some(head) = read_request(&mut stream).await else {
            return;
        };
        requests.lock().unwrap().push(head);
        let at = next.fetch_add(1, Ordering::SeqCst).min(acts.len() - 1);
        match acts[at].clone() {
            Act::Write(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Act::Keep(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Act::Drip(first, rest, pause) => {
                let _ = stream.write_all(&first).await;
                for byte in rest {
                    #[allow(clippy::disallowed_methods, reason = "the drip is real")]
                    tokio::time::sleep(pause).await;
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
                return;
            }
            Act::Close => return,
            Act::Silence => std::future::pending::<()>().await,
        }
    }
}

/// The head of a request, after its body was read as well.
pub(crate) async fn read_request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<String> {
    let mut seen = Vec::new();
    let mut byte = [0u8; 1];
    while !seen.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        seen.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&seen).into_owned();
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse::<usize>()
            .ok()
    });
    let mut body = vec![0u8; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head)
}

/// An answer with these headers (without the final empty line) and body.
pub(crate) fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n\r\n", head.trim().replace('\n', "\r\n")).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
