//! Settings of a Gmail client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::credential::TokenSource;
use atlas_connectors::http::{Client, ConnectionGate, Governor, HttpTransport, Origin, Quota, RetryPolicy};
use atlas_connectors::mail::{ParseLimits, ParseOptions};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::{Clock, ConnectionRef, Result, SystemClock};

use crate::classify::GmailErrors;
use crate::endpoints::Endpoints;
use crate::gmail::Gmail;
use crate::mailbox::GmailMailbox;
use crate::quota::Tariff;
use crate::wire::Api;
use crate::wire::send::Body;

/// Server whose `Authentication-Results` a Gmail mailbox may believe; lower ones can be forged (`gmail.md`, section 8).
pub const TRUSTED_SERVER: &str = "mx.google.com";

/// Where the baseline of a first sync comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Baseline {
    /// `getProfile`, before anything is listed: right for Gmail.
    #[default]
    Profile,
    /// The newest message: only for emulators without `getProfile`. On a quiet mailbox its position may be too old.
    NewestMessage,
}

/// Builds a [`Gmail`] or a [`GmailMailbox`]. Every setting but the transport, the tokens and the granted scopes has a default.
///
/// ```no_run
/// use std::sync::Arc;
/// use atlas_connectors::credential::TokenSource;
/// use atlas_connectors::http::HttpTransport;
/// use atlas_connectors::oauth::ScopeSet;
/// use atlas_connectors_gmail::{GmailBuilder, GmailMailbox, Tariff};
///
/// fn mailbox(
///     transport: Arc<dyn HttpTransport>,
///     tokens: Arc<dyn TokenSource>,
///     granted: ScopeSet,
/// ) -> atlas_connectors::Result<GmailMailbox> {
///     GmailBuilder::new(transport, tokens, granted)
///         .with_tariff(Tariff::Before2026May)
///         .mailbox()
/// }
/// ```
#[must_use]
pub struct GmailBuilder {
    transport: Arc<dyn HttpTransport>,
    tokens: Arc<dyn TokenSource>,
    granted: ScopeSet,
    endpoints: Option<Endpoints>,
    tariff: Tariff,
    quota: Option<Quota>,
    governor: Option<Governor>,
    gate: Option<ConnectionGate>,
    retry: Option<RetryPolicy>,
    deadline: Option<Duration>,
    limits: ParseLimits,
    clock: Arc<dyn Clock>,
    pub(crate) settings: MailboxSettings,
}

/// How a mailbox goes about its work.
#[derive(Clone, Debug)]
pub(crate) struct MailboxSettings {
    pub(crate) baseline: Baseline,
    pub(crate) page_size: u32,
    pub(crate) upload: Body,
    pub(crate) draft_lookback: usize,
    pub(crate) sent_lookback: usize,
}

impl GmailBuilder {
    /// A client for one connection: the transport that all connections share, the connection's tokens, and the scopes
    /// that were granted at sign-in. An operation without one of its scopes fails before the network.
    pub fn new(transport: Arc<dyn HttpTransport>, tokens: Arc<dyn TokenSource>, granted: ScopeSet) -> Self {
        Self {
            transport,
            tokens,
            granted,
            endpoints: None,
            tariff: Tariff::default(),
            quota: None,
            governor: None,
            gate: None,
            retry: None,
            deadline: None,
            limits: ParseLimits::default(),
            clock: Arc::new(SystemClock),
            settings: MailboxSettings {
                baseline: Baseline::default(),
                page_size: 100,
                upload: Body::BySize,
                draft_lookback: 10,
                sent_lookback: 25,
            },
        }
    }

    /// Sets the addresses. Default: Google's. The token goes to the origins of `api` and `batch` and nowhere else.
    pub fn with_endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = Some(endpoints);
        self
    }

    /// Sets the price list, and with it the quota. Default: the one in force since 2026-05-01.
    pub fn with_tariff(mut self, tariff: Tariff) -> Self {
        self.tariff = tariff;
        self
    }

    /// Sets the quota, where other programs share the account or the project has other limits. Default: the tariff's.
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Sets the governor, to share one among several clients of the same account. It brings its own quota.
    pub fn with_governor(mut self, governor: Governor) -> Self {
        self.governor = Some(governor);
        self
    }

    /// Sets the gate by which the connection is paused or closed.
    pub fn with_gate(mut self, gate: ConnectionGate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Sets how reads are repeated.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Sets the overall time of a call, tries and waiting included.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the limits of parsing.
    pub fn with_parse_limits(mut self, limits: ParseLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets where the baseline of a first sync comes from. Change it only for emulators without `getProfile`.
    pub fn with_baseline(mut self, baseline: Baseline) -> Self {
        self.settings.baseline = baseline;
        self
    }

    /// Sets the items of a page, 1 to 500. Default: 100.
    pub fn with_page_size(mut self, items: u32) -> Self {
        self.settings.page_size = items.clamp(1, crate::wire::messages::PAGE_MAX);
        self
    }

    /// Sets how whole mails travel. Default: as JSON up to 4 MiB, as upload above.
    pub fn with_upload(mut self, body: Body) -> Self {
        self.settings.upload = body;
        self
    }

    /// Sets how many of the newest drafts are looked through for one that an interrupted send has left behind.
    /// Default: 10. Each costs one `messages.get`.
    pub fn with_draft_lookback(mut self, drafts: usize) -> Self {
        self.settings.draft_lookback = drafts;
        self
    }

    /// Sets how many of the newest sent messages are looked through for a lost send. Default: 25. Each costs one
    /// `messages.get`.
    pub fn with_sent_lookback(mut self, messages: usize) -> Self {
        self.settings.sent_lookback = messages;
        self
    }

    /// The client: every operation of this crate.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::EgressDenied`] for addresses that a token may not go to.
    pub fn build(self) -> Result<Gmail> {
        let endpoints = match self.endpoints {
            Some(endpoints) => endpoints,
            None => Endpoints::google()?,
        };
        let origins = [
            Origin::parse(endpoints.api.as_str())?,
            Origin::parse(endpoints.batch.as_str())?,
        ];
        let governor = self.governor.unwrap_or_else(|| {
            let quota = self.quota.unwrap_or_else(|| self.tariff.quota());
            Governor::new(quota, Arc::clone(&self.clock))
        });
        let connection: ConnectionRef = self.tokens.connection().clone();
        let mut client = Client::builder(crate::PROVIDER, self.transport, Arc::new(GmailErrors))
            .with_credential(self.tokens, origins)
            .with_granted_scopes(self.granted.clone())
            .with_governor(governor)
            .with_clock(self.clock);
        if let Some(gate) = self.gate {
            client = client.with_gate(gate);
        }
        if let Some(retry) = self.retry {
            client = client.with_retry(retry);
        }
        if let Some(deadline) = self.deadline {
            client = client.with_deadline(deadline);
        }
        Ok(Gmail::new(
            client.build(),
            Api::new(endpoints, self.tariff),
            connection,
            self.granted,
            ParseOptions::trusting([TRUSTED_SERVER]).with_limits(self.limits),
        ))
    }

    /// The mailbox: what hosts and the core's sync and outbox work with.
    ///
    /// # Errors
    /// As [`GmailBuilder::build`].
    pub fn mailbox(self) -> Result<GmailMailbox> {
        let settings = self.settings.clone();
        Ok(GmailMailbox::new(self.build()?, settings))
    }
}

impl fmt::Debug for GmailBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GmailBuilder")
            .field("connection", self.tokens.connection())
            .field("granted", &self.granted)
            .field("endpoints", &self.endpoints)
            .field("tariff", &self.tariff)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
