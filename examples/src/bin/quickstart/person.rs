//! The person in front of the browser, and the browser.

use atlas_connectors_gmail::mock::Google;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

/// Opens the consent page, agrees (or does what the mock was told), and follows the way back to the listener on this machine.
pub(crate) async fn signs_in(google: Google, consent_page: Url) {
    if let Ok(callback) = google.consent(consent_page.as_str())
        && let Ok(callback) = Url::parse(&callback)
    {
        // Whatever goes wrong on the way back, the listener's time limit tells.
        let _ = visit(&callback).await;
    }
}

async fn visit(url: &Url) -> std::io::Result<()> {
    let address = (
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default(),
    );
    let mut stream = TcpStream::connect(address).await?;
    let query = url.query().unwrap_or_default();
    let request = format!(
        "GET {}?{query} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n",
        url.path(),
        address.0,
        address.1
    );
    stream.write_all(request.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await.map(|_| ())
}
