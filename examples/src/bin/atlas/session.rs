//! From settings to a host: state folder, key, store, Google's addresses.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use atlas_connectors::action::{Circle, OutboxSettings, WriteRules};
use atlas_connectors::connection::{ConnectionStore, ConnectionSummary, Status};
use atlas_connectors::credential::{KeyFile, Sealer};
use atlas_connectors::http::{EgressRules, HttpTransport, ReqwestTransport};
use atlas_connectors::oauth::OAuthClient;
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::SyncSettings;
use atlas_connectors::{ActorId, TenantId};
use atlas_connectors_examples::erp::Erps;
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
    client_id: Option<String>,
    json: bool,
}

/// What a command has to do with: settings of the other kind need not be there, nor be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Mailboxes.
    Mail,
    /// ERPs.
    Erp,
    /// Whatever is connected.
    Any,
}

impl Session {
    /// Opens the state and composes the host. `sync` is for the one command that has something to say about it.
    pub(crate) async fn open(global: &Global, purpose: Purpose, sync: SyncSettings) -> Result<Self, Failure> {
        let folder = state_folder(global)?;
        std::fs::create_dir_all(&folder).map_err(Failure::file(format!("cannot make {}", folder.display())))?;
        let key_file = global.key_file.clone().unwrap_or_else(|| folder.join("sealing.key"));
        let keys = KeyFile::open_or_create(&key_file)?;
        let transport = transport(global)?;
        let actor = actor(global);
        let tenant = TenantId::new("local");
        let store = SqliteStore::open(folder.join("atlas.db"))?;
        let mail = match purpose {
            Purpose::Mail => true,
            Purpose::Erp => false,
            Purpose::Any => has_mailbox(&store, &tenant).await?,
        };
        let settings = Settings {
            tenant,
            store,
            sealer: Sealer::new(Arc::new(keys))?,
            endpoints: match mail {
                true => endpoints(global, &*transport).await?,
                false => Endpoints::google()?,
            },
            baseline: baseline(global),
            transport,
            client: match mail {
                true => client(global)?,
                false => OAuthClient::public(""),
            },
            sync,
            circle: Circle::default(),
            // One person works here; what counts is that they look before it leaves.
            outbox: outbox_settings(),
        };
        Ok(Self {
            host: Host::with_policy(settings, Arc::new(rules(global)?))?,
            actor,
            ui: Ui::new(),
            client_id: global.client_id.clone(),
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

    /// The app's id at its provider.
    pub(crate) fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref().filter(|id| !id.is_empty())
    }

    /// The mailbox that is meant: by address or id, or the only one.
    pub(crate) async fn resolve(&self, account: Option<&str>) -> Result<ConnectionSummary, Failure> {
        self.resolve_among(account, false).await
    }

    /// The ERP that is meant: by account, provider or id, or the only one.
    pub(crate) async fn resolve_erp(&self, account: Option<&str>) -> Result<ConnectionSummary, Failure> {
        self.resolve_among(account, true).await
    }

    async fn resolve_among(&self, account: Option<&str>, erp: bool) -> Result<ConnectionSummary, Failure> {
        let (what, command) = match erp {
            true => ("ERP", "atlas erp"),
            false => ("mailbox", "atlas mailbox"),
        };
        let mut all = self.host.list().await?;
        all.retain(|row| Erps::is_erp(&row.reference.provider) == erp);
        if let Some(wanted) = account {
            all.retain(|row| is_called(row, wanted));
            if all.is_empty() {
                return Err(Failure::Usage(format!(
                    "no {what} is called {wanted}; `{command} list` shows all"
                )));
            }
            if all.len() == 1 {
                return Ok(all.swap_remove(0));
            }
        }
        all.retain(|row| row.status != Status::Disconnected);
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Failure::NeedsPerson(format!(
                "no {what} is connected; run `{command} connect`"
            ))),
            (Some(_), false) => Err(Failure::Usage(format!(
                "several are meant; name one by its account or id (`{command} list`)"
            ))),
        }
    }
}

fn is_called(row: &ConnectionSummary, wanted: &str) -> bool {
    let address = row.identity.as_ref().and_then(|identity| identity.address.as_deref());
    row.reference.connection.as_str() == wanted
        || row.reference.provider.as_str() == wanted
        || address.is_some_and(|address| address.eq_ignore_ascii_case(wanted))
}

/// Whether mail settings are needed to look after what waits.
async fn has_mailbox(store: &SqliteStore, tenant: &TenantId) -> Result<bool, Failure> {
    let rows = ConnectionStore::list(store, tenant).await?;
    Ok(rows.iter().any(|row| {
        let row = &row.value;
        row.status != Status::Disconnected && !Erps::is_erp(&row.reference.provider)
    }))
}

/// What is never written, and what is without a person. Without a file everything is held.
fn rules(global: &Global) -> Result<WriteRules, Failure> {
    let Some(path) = &global.rules else {
        return Ok(WriteRules::new());
    };
    let text = std::fs::read(path).map_err(Failure::file(format!("cannot read {}", path.display())))?;
    serde_json::from_slice(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
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
