//! From settings to a host: state folder, key, store, Google's addresses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atlas_connectors::action::{Circle, OutboxSettings};
use atlas_connectors::connection::{ConnectionSummary, Status};
use atlas_connectors::credential::{KeyFile, Sealer};
use atlas_connectors::http::{EgressRules, HttpTransport, ReqwestTransport};
use atlas_connectors::oauth::OAuthClient;
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::SyncSettings;
use atlas_connectors::{ActorId, TenantId};
use atlas_connectors_examples::host::{Host, Settings};
use atlas_connectors_examples::ui::Ui;
use atlas_connectors_gmail::{Baseline, Endpoints};
use etcetera::BaseStrategy as _;
use serde_json::Value;

use crate::args::Global;
use crate::failure::Failure;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Session {
    /// The composed library.
    pub(crate) host: Host,
    /// Who is acting.
    pub(crate) actor: ActorId,
    /// Output for people.
    pub(crate) ui: Ui,
    json: bool,
}

impl Session {
    /// Opens the state and composes the host. `sync` is for the one command that has something to say about it.
    pub(crate) async fn open(global: &Global, sync: SyncSettings) -> Result<Self, Failure> {
        let folder = state_folder(global)?;
        std::fs::create_dir_all(&folder).map_err(Failure::file(format!("cannot make {}", folder.display())))?;
        let key_file = global.key_file.clone().unwrap_or_else(|| folder.join("sealing.key"));
        let keys = KeyFile::open_or_create(&key_file)?;
        let transport = transport(global)?;
        let actor = actor(global);
        let settings = Settings {
            tenant: TenantId::new("local"),
            store: SqliteStore::open(folder.join("atlas.db"))?,
            sealer: Sealer::new(Arc::new(keys))?,
            endpoints: endpoints(global, &*transport).await?,
            baseline: baseline(global),
            transport,
            client: client(global)?,
            sync,
            circle: Circle::default(),
            // One person works here; what counts is that they look before it leaves.
            outbox: outbox_settings(),
        };
        Ok(Self {
            host: Host::new(settings)?,
            actor,
            ui: Ui::new(),
            json: global.json,
        })
    }

    /// Whether scripts read the output.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The one document of `--json`.
    pub(crate) fn print_json(&self, value: &Value) {
        self.ui.line(format_args!("{value:#}"));
    }

    /// The connection that is meant: by address or id, or the only one.
    pub(crate) async fn resolve(&self, account: Option<&str>) -> Result<ConnectionSummary, Failure> {
        let mut all = self.host.list().await?;
        if let Some(wanted) = account {
            let found = all.iter().position(|row| is_called(row, wanted));
            return found.map(|index| all.swap_remove(index)).ok_or_else(|| {
                Failure::Usage(format!("no mailbox is called {wanted}; `atlas mailbox list` shows all"))
            });
        }
        all.retain(|row| row.status != Status::Disconnected);
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Failure::NeedsPerson(
                "no mailbox is connected; run `atlas mailbox connect`".to_owned(),
            )),
            (Some(_), false) => Err(Failure::Usage(
                "several mailboxes are connected; name one (`atlas mailbox list`)".to_owned(),
            )),
        }
    }
}

fn is_called(row: &ConnectionSummary, wanted: &str) -> bool {
    let address = row.identity.as_ref().and_then(|identity| identity.address.as_deref());
    row.reference.connection.as_str() == wanted || address.is_some_and(|address| address.eq_ignore_ascii_case(wanted))
}

fn outbox_settings() -> OutboxSettings {
    let mut settings = OutboxSettings::default();
    settings.author_may_approve = true;
    settings
}

fn state_folder(global: &Global) -> Result<PathBuf, Failure> {
    if let Some(folder) = &global.state {
        return Ok(folder.clone());
    }
    let strategy = etcetera::choose_base_strategy()
        .map_err(|_| Failure::Usage("no home folder is known; name a folder with --state".to_owned()))?;
    Ok(strategy.data_dir().join("atlas-connectors"))
}

fn transport(global: &Global) -> Result<Arc<dyn HttpTransport>, Failure> {
    let mut rules = EgressRules::strict();
    if global.base_url.as_ref().is_some_and(is_loopback) {
        rules = rules.allow_loopback();
    }
    Ok(Arc::new(
        ReqwestTransport::builder()
            .with_egress(rules)
            .with_user_agent("atlas")
            .build()?,
    ))
}

fn is_loopback(url: &url::Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// Gmail has a profile to begin from; an emulator may have none.
fn baseline(global: &Global) -> Baseline {
    match global.base_url {
        Some(_) => Baseline::NewestMessage,
        None => Baseline::Profile,
    }
}

/// Google's addresses, or those that the emulator's own discovery document names.
async fn endpoints(global: &Global, transport: &dyn HttpTransport) -> Result<Endpoints, Failure> {
    let Some(base) = &global.base_url else {
        return Ok(Endpoints::google()?);
    };
    let address = base
        .join(".well-known/openid-configuration")
        .map_err(|_| Failure::Usage("--base-url is no address".to_owned()))?;
    let request = http::Request::get(address.as_str())
        .body(bytes::Bytes::new())
        .map_err(|_| Failure::Usage("--base-url is no address".to_owned()))?;
    let document = transport.send(request).await?;
    if !document.status().is_success() {
        return Err(Failure::Usage(format!(
            "no OpenID discovery document at --base-url (HTTP {})",
            document.status().as_u16()
        )));
    }
    Ok(Endpoints::from_discovery(base, document.body())?)
}

/// The registration. Commands that talk to nobody work without one; the provider refuses an empty id.
#[allow(clippy::disallowed_methods, reason = "the program reads its own environment")]
fn client(global: &Global) -> Result<OAuthClient, Failure> {
    let id = global.client_id.clone().unwrap_or_default();
    let secret = match &global.client_secret_file {
        Some(path) => Some(read_secret(path)?),
        None => std::env::var("ATLAS_CLIENT_SECRET").ok(),
    };
    Ok(match secret {
        Some(secret) => OAuthClient::new(id, secret.into()),
        None => OAuthClient::public(id),
    })
}

fn read_secret(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(Failure::file(format!("cannot read {}", path.display())))?;
    Ok(text.trim().to_owned())
}

#[allow(clippy::disallowed_methods, reason = "the program reads its own environment")]
fn actor(global: &Global) -> ActorId {
    let login = || std::env::var("USER").or_else(|_| std::env::var("USERNAME")).ok();
    global
        .actor
        .clone()
        .or_else(login)
        .unwrap_or_else(|| "operator".to_owned())
        .into()
}
