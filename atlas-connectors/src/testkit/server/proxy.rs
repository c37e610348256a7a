//! The thin TCP proxy in front of the HTTP server, for what an HTTP server cannot do: cut, hang, drip, break off.
//!
//! It understands just enough HTTP/1.1 to see where an answer begins and ends (every answer behind it carries a
//! `content-length`), looks for the handler's wire fault in the head, and otherwise copies bytes. The server behind
//! it keeps a copy of each request for as long as it lives, so the proxy moves on to a fresh one after a few thousand.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::upstream::Upstream;
use super::wire::{WIRE_HEADER, WireFault};
use crate::clock::{Clock, SystemClock};

/// Serves until the sender of `stop` is gone, on a thread and a runtime of its own.
pub(super) fn spawn(
    listener: std::net::TcpListener,
    upstream: Arc<Upstream>,
    mut stop: tokio::sync::watch::Receiver<()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name("mock-server".to_owned())
        .spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                loop {
                    tokio::select! {
                        accepted = listener.accept() => {
                            let Ok((client, _)) = accepted else { continue };
                            let (upstream, mut stop) = (Arc::clone(&upstream), stop.clone());
                            tokio::spawn(async move {
                                tokio::select! {
                                    // A broken connection ends with its task; the client sees it closed.
                                    _ = serve(client, &upstream) => {}
                                    _ = stop.changed() => {}
                                }
                            });
                        }
                        _ = stop.changed() => return,
                    }
                }
            });
        })?;
    Ok(())
}

/// Where an answer stands.
enum Progress {
    /// No answer outstanding.
    Idle,
    /// A request went out; the head is still to come or to be completed.
    Head {
        begun: Vec<u8>,
        /// The request was a HEAD: the length in the answer's head is that of a body which does not come.
        bodiless: bool,
    },
    /// So many bytes of the body are still to come.
    Body(usize),
}

async fn serve(mut client: TcpStream, upstream: &Upstream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut target = upstream.current().await;
    let mut server = connect(target.address()).await?;
    let mut progress = Progress::Idle;
    let (mut from_client, mut from_server) = (vec![0; 32 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                if matches!(progress, Progress::Idle) {
                    let newest = upstream.current().await;
                    if newest.address() != target.address() {
                        server = connect(newest.address()).await?;
                        target = newest;
                    }
                    progress = Progress::Head {
                        begun: Vec::new(),
                        bodiless: from_client.starts_with(b"HEAD "),
                    };
                }
                server.write_all(from_client.get(..read).unwrap_or_default()).await?;
            }
            read = server.read(&mut from_server) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                let bytes = from_server.get(..read).unwrap_or_default();
                progress = forward(progress, bytes, &mut client, &mut server, upstream).await?;
            }
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let server = TcpStream::connect(address).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

async fn forward(
    progress: Progress,
    bytes: &[u8],
    client: &mut TcpStream,
    server: &mut TcpStream,
    upstream: &Upstream,
) -> io::Result<Progress> {
    match progress {
        Progress::Idle => {
            client.write_all(bytes).await?;
            Ok(Progress::Idle)
        }
        Progress::Body(left) => {
            client.write_all(bytes).await?;
            Ok(rest(left.saturating_sub(bytes.len())))
        }
        Progress::Head {
            begun: mut head,
            bodiless,
        } => {
            head.extend_from_slice(bytes);
            let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else {
                return Ok(Progress::Head { begun: head, bodiless });
            };
            let text = String::from_utf8_lossy(head.get(..end).unwrap_or_default()).into_owned();
            if text.starts_with("HTTP/1.1 1") {
                client.write_all(&head).await?;
                return Ok(Progress::Head {
                    begun: Vec::new(),
                    bodiless,
                });
            }
            upstream.answered();
            let length = header(&text, "content-length")
                .filter(|_| !bodiless)
                .and_then(|value| value.parse().ok())
                .unwrap_or(0);
            let body_here = head.len().saturating_sub(end + 4);
            match header(&text, WIRE_HEADER).and_then(WireFault::read) {
                Some(fault) => {
                    spoil(
                        fault,
                        &text,
                        head.get(end + 4..).unwrap_or_default(),
                        length,
                        client,
                        server,
                    )
                    .await
                }
                None => {
                    client.write_all(&head).await?;
                    Ok(rest(length.saturating_sub(body_here)))
                }
            }
        }
    }
}

fn rest(left: usize) -> Progress {
    if left == 0 {
        Progress::Idle
    } else {
        Progress::Body(left)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Answers as the fault says. An `Err` closes the connection.
async fn spoil(
    fault: WireFault,
    head: &str,
    begun: &[u8],
    length: usize,
    client: &mut TcpStream,
    server: &mut TcpStream,
) -> io::Result<Progress> {
    let mut body = begun.to_vec();
    let mut more = vec![0; 64 * 1024];
    while body.len() < length {
        match server.read(&mut more).await? {
            0 => break,
            read => body.extend_from_slice(more.get(..read).unwrap_or_default()),
        }
    }
    let clean: Vec<&str> = head
        .split("\r\n")
        .filter(|line| {
            !line
                .split(':')
                .next()
                .is_some_and(|key| key.eq_ignore_ascii_case(WIRE_HEADER))
        })
        .collect();
    let clean = format!("{}\r\n\r\n", clean.join("\r\n"));
    let cut = || io::Error::from(io::ErrorKind::ConnectionAborted);
    match fault {
        WireFault::Cut => Err(cut()),
        WireFault::Hang => {
            // Until the client gives up; whatever it still writes goes nowhere.
            while client.read(&mut more).await? > 0 {}
            Err(cut())
        }
        WireFault::Truncate(after) => {
            client.write_all(clean.as_bytes()).await?;
            client
                .write_all(body.get(..after.min(body.len())).unwrap_or_default())
                .await?;
            client.flush().await?;
            Err(cut())
        }
        WireFault::Drip { bytes, every } => {
            client.write_all(clean.as_bytes()).await?;
            for piece in body.chunks(bytes.max(1)) {
                pause(every).await;
                client.write_all(piece).await?;
            }
            Ok(Progress::Idle)
        }
    }
}

async fn pause(duration: Duration) {
    SystemClock.sleep(duration).await;
}
