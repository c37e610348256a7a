//! All three ERPs under one host: one store, one outbox, one policy.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::TenantId;
use atlas_connectors::action::{AuditLogExt as _, Circle, OutboxSettings, WriteRule, WriteRules};
use atlas_connectors::credential::{KeyRing, Sealer};
use atlas_connectors::http::{EgressRules, ReqwestTransport};
use atlas_connectors::oauth::OAuthClient;
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::SyncSettings;
use atlas_connectors_gmail::{Baseline, Endpoints};

use crate::erp_story::script::{Column, script};
use crate::erp_story::{Stage, Story, business_central, odoo, sap};
use crate::host::{Host, Settings};

/// What was played, and what the systems counted.
#[derive(Debug)]
pub struct Played {
    /// One for each ERP.
    pub columns: Vec<Column>,
    /// The mocks behind them, in the same order.
    pub stages: Vec<Stage>,
    /// Entries of the audit, whose chain is whole.
    pub audited: u64,
}

/// Starts the three mocks and plays the story with each.
///
/// # Errors
/// A step that ended otherwise than it must.
pub async fn play(folder: &Path) -> Story<Played> {
    let host = host(folder)?;
    let stages = vec![
        odoo::stage().await?,
        sap::stage().await?,
        business_central::stage().await?,
    ];
    let mut columns = Vec::new();
    for stage in &stages {
        let column = Box::pin(script(&host, stage)).await;
        columns.push(column.map_err(|error| format!("{}: {error}", stage.title))?);
    }
    let head = host.store().verify(None).await??;
    Ok(Played {
        columns,
        stages,
        audited: head.sequence,
    })
}

fn host(folder: &Path) -> Story<Host> {
    let mut outbox = OutboxSettings::default();
    // Pauses that suit mocks.
    outbox.quiet_period = Duration::from_millis(50);
    outbox.backoff = Duration::from_millis(20);
    let settings = Settings {
        tenant: TenantId::new("acme"),
        store: SqliteStore::open(folder.join("atlas.db"))?,
        sealer: Sealer::new(Arc::new(KeyRing::ephemeral()))?,
        transport: Arc::new(
            ReqwestTransport::builder()
                .with_egress(EgressRules::strict().allow_loopback())
                .build()?,
        ),
        // No mailbox in this story.
        endpoints: Endpoints::google()?,
        baseline: Baseline::Profile,
        client: OAuthClient::public(""),
        sync: SyncSettings::default(),
        circle: Circle::default(),
        outbox,
    };
    let rules = WriteRules::new().deny(WriteRule::new("never-delete").verb("delete"));
    Ok(Host::with_policy(settings, Arc::new(rules))?)
}
