//! Providers that nobody here wrote, as a person and a neighbour in the mailbox see them.

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::action::{Circle, OutboxSettings};
use atlas_connectors::credential::{AccessToken, KeyRing, Sealer, TokenSource};
use atlas_connectors::error::{Error, ErrorKind, SchemaFault};
use atlas_connectors::http::{EgressRules, HttpTransport, ReqwestTransport};
use atlas_connectors::mail::MessageRef;
use atlas_connectors::oauth::{Callback, OAuthClient, ScopeSet, SignInRequest, SignedIn, Workflow};
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::SyncSettings;
use atlas_connectors::testkit::suites::{MailboxPeer, PeerAbilities, PeerSearch};
use atlas_connectors::{
    ActorId, ConnectionId, ConnectionRef, Epoch, LabelId, MessageId, Result, SessionId, TenantId, ThreadId,
};
use atlas_connectors_examples::host::{Host, Settings};
use atlas_connectors_gmail::{Baseline, Endpoints, GmailBuilder, GmailMailbox, scopes};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use crate::world::Failure;

/// The account whose mailbox is seeded.
pub const OPS: &str = "ops@acme-manufacturing.com";
/// Somebody else's account.
pub const WRONG_PERSON: &str = "wrong.person@gmail.com";
/// Id of the desktop client that the peer knows.
pub const CLIENT_ID: &str = "atlas-desktop.apps.googleusercontent.com";
/// Its secret, which is none: it stands in the peer's seed.
pub const CLIENT_SECRET: &str = "GOCSPX-atlas-desktop-not-secret";
/// The port of the redirect address that is registered for the client.
pub const REDIRECT_PORT: u16 = 14080;
/// A bearer token of [`OPS`] that never ends.
const BEARER: &str = "atlas-ops-full";

/// A user of ours, and the browser session that the sign-ins belong to.
pub fn olivia() -> (ActorId, SessionId) {
    (ActorId::new("olivia"), SessionId::new("browser-1"))
}

/// The Google of the `emulate` package.
#[derive(Clone, Debug)]
pub struct PeerGoogle {
    /// Its address.
    pub base: Url,
    /// The network.
    pub transport: Arc<dyn HttpTransport>,
    /// Its addresses, as its discovery document names them.
    pub endpoints: Endpoints,
}

impl PeerGoogle {
    /// Reads the discovery document at this address.
    ///
    /// # Errors
    /// Nothing answers there, or with something else.
    pub async fn at(base: &str) -> std::result::Result<Self, Failure> {
        let base = Url::parse(base)?;
        let transport = loopback_transport()?;
        let document = get(&*transport, &base.join(".well-known/openid-configuration")?, None).await?;
        let endpoints = Endpoints::from_discovery(&base, document.body())?;
        Ok(Self {
            base,
            transport,
            endpoints,
        })
    }

    /// A host on a store of its own in this folder.
    ///
    /// # Errors
    /// The store's.
    pub fn host(&self, folder: &std::path::Path) -> Result<Host> {
        Host::new(Settings {
            tenant: TenantId::new("acme"),
            store: SqliteStore::open(folder.join("atlas.db"))?,
            sealer: Sealer::new(Arc::new(KeyRing::ephemeral()))?,
            transport: Arc::clone(&self.transport),
            endpoints: self.endpoints.clone(),
            baseline: Baseline::NewestMessage,
            client: OAuthClient::new(CLIENT_ID, CLIENT_SECRET.into()),
            sync: SyncSettings::default(),
            circle: Circle::default(),
            outbox: OutboxSettings::default(),
        })
    }

    /// Signs in through the host; `person` agrees at the consent page.
    ///
    /// # Errors
    /// The sign-in's.
    pub async fn sign_in(
        &self,
        host: &Host,
        reconnect: Option<&ConnectionId>,
        person: &str,
    ) -> std::result::Result<SignedIn, Error> {
        let (actor, session) = olivia();
        let begun = host.sign_in().begin(request(host, reconnect)).await?;
        let back = self.consent(&begun.url, person, &[]).await.map_err(broken)?;
        host.sign_in()
            .complete(Callback::from_url(&back)?, &actor, &session)
            .await
    }

    /// The person agrees at this consent page; `changed` replaces parameters on the way. Gives where the browser is sent.
    ///
    /// # Errors
    /// The page answers with something else than a redirect.
    pub async fn consent(
        &self,
        authorize: &Url,
        person: &str,
        changed: &[(&str, &str)],
    ) -> std::result::Result<Url, Failure> {
        // The serializer is not `Send`: it must be gone before the await.
        let form = {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("email", person);
            for (name, value) in authorize.query_pairs() {
                let value = changed
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map_or(&*value, |(_, to)| to);
                form.append_pair(&name, value);
            }
            form.finish()
        };
        let mut page = authorize.clone();
        page.set_query(None);
        page.set_path(&format!("{}/callback", authorize.path()));
        redirect(&page, form).await
    }

    /// The mailbox of [`OPS`] on the token that never ends.
    ///
    /// # Errors
    /// An address that no token may go to.
    pub fn mailbox(&self) -> Result<GmailMailbox> {
        // No drafts: the peer's `metadata` leaves out the header by which a sent draft is recognised, so none is found again.
        let granted = ScopeSet::parse(&format!("openid email {} {}", scopes::READONLY, scopes::SEND));
        let connection = ConnectionRef {
            tenant: TenantId::new("acme"),
            connection: ConnectionId::random(),
            epoch: Epoch::FIRST,
            provider: atlas_connectors_gmail::provider(),
        };
        let token = AccessToken::new(BEARER.into(), granted.clone(), 1);
        GmailBuilder::new(
            Arc::clone(&self.transport),
            Arc::new(FixedToken(connection, token)),
            granted,
        )
        .with_endpoints(self.endpoints.clone())
        .with_baseline(Baseline::NewestMessage)
        .mailbox()
    }

    /// Calls the Gmail API without any code of ours between, as [`OPS`].
    ///
    /// # Errors
    /// No answer, no success, or no JSON where some is due.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> std::result::Result<Value, Failure> {
        let url = self.base.join(&format!("gmail/v1/users/me/{path}"))?;
        let mut request = http::Request::builder()
            .method(method)
            .uri(url.as_str())
            .header("authorization", format!("Bearer {BEARER}"));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let bytes = body.map(|body| body.to_string()).unwrap_or_default();
        let answer = self.transport.send(request.body(bytes.into())?).await?;
        if !answer.status().is_success() {
            return Err(format!("{method} {path} is answered {}", answer.status()).into());
        }
        if answer.body().is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(answer.body())?)
    }

    /// Ids of the messages with this label, or of all but spam and trash.
    ///
    /// # Errors
    /// As [`PeerGoogle::call`].
    pub async fn ids(&self, label: Option<&str>) -> std::result::Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        let mut page = String::new();
        loop {
            let label = label.map(|label| format!("&labelIds={label}")).unwrap_or_default();
            let answer = self
                .call("GET", &format!("messages?maxResults=500{label}{page}"), None)
                .await?;
            let listed = answer
                .get("messages")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let id = |message: &Value| message.get("id").and_then(Value::as_str).map(str::to_owned);
            ids.extend(listed.iter().filter_map(id));
            match answer.get("nextPageToken").and_then(Value::as_str) {
                Some(token) => page = format!("&pageToken={token}"),
                None => return Ok(ids),
            }
        }
    }
}

/// What the peer's mailbox can do. Left out is what its README says it does not: expired history, counting of requests;
/// and its search does not take a quoted value (`from:"a@b"`), which is how Gmail wants ours.
#[async_trait]
impl MailboxPeer for PeerGoogle {
    fn abilities(&self) -> PeerAbilities {
        let mut abilities = PeerAbilities::everything("Label_1");
        abilities.counts_requests = false;
        abilities.expires_cursors = false;
        abilities.search = PeerSearch::Nothing;
        abilities
    }

    async fn deliver(&self, raw: &[u8], thread: Option<&ThreadId>) -> Result<MessageRef> {
        let mut body = json!({
            "raw": atlas_connectors_gmail::base64::encode(raw),
            "labelIds": ["INBOX", "UNREAD"],
        });
        if let Some(thread) = thread {
            body["threadId"] = thread.as_str().into();
        }
        let kept = self.call("POST", "messages/import", Some(body)).await.map_err(broken)?;
        let text = |name: &str| kept.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(MessageRef {
            id: text("id").into(),
            thread: text("threadId").into(),
        })
    }

    async fn accepted_sends(&self) -> Result<u64> {
        Ok(self.ids(Some("SENT")).await.map_err(broken)?.len() as u64)
    }

    async fn delete(&self, id: &MessageId) -> Result<()> {
        self.call("DELETE", &format!("messages/{id}"), None)
            .await
            .map_err(broken)?;
        Ok(())
    }

    async fn relabel(&self, id: &MessageId, add: &[LabelId], remove: &[LabelId]) -> Result<()> {
        let body = json!({ "addLabelIds": add, "removeLabelIds": remove });
        self.call("POST", &format!("messages/{id}/modify"), Some(body))
            .await
            .map_err(broken)?;
        Ok(())
    }
}

/// A sign-in for reading and for replies by draft, sent back to the redirect address that the peer knows.
pub fn request(host: &Host, reconnect: Option<&ConnectionId>) -> SignInRequest {
    let (actor, session) = olivia();
    let mut redirect = host.sign_in().app().provider().endpoints().authorize.clone();
    redirect.set_query(None);
    redirect.set_path("/callback");
    // It cannot fail: the peer's address is http on a loopback address.
    let _ = redirect.set_port(Some(REDIRECT_PORT));
    let workflows = [Workflow::Triage, Workflow::DraftedReplies];
    let request = SignInRequest::connect(host.tenant().clone(), actor, session, redirect, workflows);
    match reconnect {
        Some(connection) => request.reconnecting(connection.clone()),
        None => request,
    }
}

/// A transport that may talk to this machine.
///
/// # Errors
/// None in practice.
pub fn loopback_transport() -> Result<Arc<dyn HttpTransport>> {
    let rules = EgressRules::strict().allow_loopback();
    Ok(Arc::new(ReqwestTransport::builder().with_egress(rules).build()?))
}

/// A plain GET.
///
/// # Errors
/// No answer.
pub async fn get(
    transport: &dyn HttpTransport,
    url: &Url,
    bearer: Option<&str>,
) -> std::result::Result<http::Response<bytes::Bytes>, Failure> {
    let mut request = http::Request::get(url.as_str());
    if let Some(bearer) = bearer {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    Ok(transport.send(request.body(bytes::Bytes::new())?).await?)
}

/// A form, posted.
///
/// # Errors
/// No answer.
pub async fn post(
    transport: &dyn HttpTransport,
    url: &Url,
    form: String,
) -> std::result::Result<http::Response<bytes::Bytes>, Failure> {
    let request = http::Request::post(url.as_str()).header("content-type", "application/x-www-form-urlencoded");
    Ok(transport.send(request.body(form.into())?).await?)
}

/// A form, posted as a browser does it, and where the answer sends the browser. Our own transport follows no redirect and shows none.
///
/// # Errors
/// No answer, or none that redirects.
pub async fn redirect(url: &Url, form: String) -> std::result::Result<Url, Failure> {
    let mut stream = TcpStream::connect(url.socket_addrs(|| None)?.as_slice()).await?;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let request = format!(
        "POST {}{query} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
        url.path(),
        url.authority(),
        form.len(),
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let field = |line: &str| {
        line.split_once(':')
            .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
            .map(|(_, to)| to.trim().to_owned())
    };
    let location = answer.lines().take_while(|line| !line.is_empty()).find_map(field);
    Ok(Url::parse(
        &location.ok_or_else(|| format!("no redirect: {:?}", answer.lines().next()))?,
    )?)
}

/// The peer did not do what the test needs of it.
fn broken(_: Failure) -> Error {
    let kind = ErrorKind::SchemaMismatch {
        path: "peer".to_owned(),
        fault: SchemaFault::Missing,
    };
    Error::new(kind, "peer")
}

#[derive(Debug)]
struct FixedToken(ConnectionRef, AccessToken);

#[async_trait]
impl TokenSource for FixedToken {
    fn connection(&self) -> &ConnectionRef {
        &self.0
    }

    async fn token(&self) -> Result<AccessToken> {
        Ok(self.1.clone())
    }

    async fn reject(&self, _rejected: &AccessToken) {}
}
