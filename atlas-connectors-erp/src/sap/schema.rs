//! The live metadata of the connected services: loaded once, kept for a while, asked again with its ETag.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlas_connectors::erp::ServiceState;
use atlas_connectors::error::SchemaFault;
use atlas_connectors::{Error, ErrorKind, Result};
use bytes::Bytes;
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Request};

use crate::odata::metadata::Schema;
use crate::odata::{CatalogSettings, Dialect, EntityModel, Model, Version};
use crate::sap::address::ServiceAddress;
use crate::sap::classify::{SapErrors, Situation};
use crate::sap::session::{Service, Session, bad_request};

/// Real documents are half a megabyte; what is larger than this is none.
const LARGEST: u64 = 64 * 1024 * 1024;
const OPERATION: &str = "sap.metadata";

/// A service with its model.
pub(super) struct Loaded {
    pub(super) service: Service,
    pub(super) model: Model,
    pub(super) dialect: Dialect,
}

/// What is known of one service.
#[derive(Clone)]
pub(super) enum Known {
    Loaded(Arc<Loaded>),
    Missing,
    Forbidden,
}

struct Kept {
    known: Known,
    etag: Option<HeaderValue>,
    since: Duration,
}

struct Slot {
    service: Service,
    kept: Mutex<Option<Kept>>,
    loading: tokio::sync::Mutex<()>,
}

/// The services of a connection.
pub(super) struct Services {
    session: Arc<Session>,
    slots: Vec<Slot>,
    age: Duration,
    page_size: Option<u32>,
}

impl Services {
    pub(super) fn new(
        session: Arc<Session>,
        addresses: &[ServiceAddress],
        age: Duration,
        page_size: Option<u32>,
    ) -> Result<Self> {
        let slots = addresses.iter().map(|address| {
            Ok(Slot {
                service: session.service(address)?,
                kept: Mutex::default(),
                loading: tokio::sync::Mutex::default(),
            })
        });
        Ok(Self {
            slots: slots.collect::<Result<_>>()?,
            session,
            age,
            page_size,
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Service> {
        self.slots.iter().map(|slot| &slot.service)
    }

    /// Every service with its state, in the order in which they were named.
    pub(super) async fn load(&self, refresh: bool) -> Result<Vec<(&Service, Known)>> {
        let mut out = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            out.push((&slot.service, self.known(slot, refresh).await?));
        }
        Ok(out)
    }

    /// The service that has an entity: the first that was named.
    pub(super) async fn holding(&self, entity: &str) -> Result<Arc<Loaded>> {
        let mut absent = None;
        for slot in &self.slots {
            match self.known(slot, false).await? {
                Known::Loaded(loaded) if loaded.model.entity(OPERATION, entity).is_ok() => return Ok(loaded),
                Known::Loaded(_) => {}
                Known::Missing => absent = absent.or(Some((slot, Known::Missing))),
                Known::Forbidden => absent = Some((slot, Known::Forbidden)),
            }
        }
        Err(match absent {
            // Whichever is not there may be the one that has it.
            Some((slot, known)) => known.error(&slot.service.address),
            None => {
                let kind = ErrorKind::SchemaMismatch {
                    path: entity.to_owned(),
                    fault: SchemaFault::Missing,
                };
                Error::new(kind, OPERATION)
            }
        }
        .with_provider(crate::sap::provider())
        .with_context("entity", entity))
    }

    async fn known(&self, slot: &Slot, refresh: bool) -> Result<Known> {
        let now = self.session.clock().monotonic();
        let fresh = || {
            let kept = slot.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = kept.as_ref()?;
            // A group may be published moments after it was missing: what is absent is asked for again soon.
            let age = match kept.known {
                Known::Loaded(_) => self.age,
                Known::Missing | Known::Forbidden => self.age.min(Duration::from_secs(90)),
            };
            (now.saturating_sub(kept.since) < age).then(|| kept.known.clone())
        };
        if !refresh && let Some(known) = fresh() {
            return Ok(known);
        }
        let _one = slot.loading.lock().await;
        if !refresh && let Some(known) = fresh() {
            return Ok(known);
        }
        let (before, etag) = {
            let kept = slot.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = kept.as_ref();
            let loaded = kept.and_then(|kept| match &kept.known {
                Known::Loaded(loaded) => Some(Arc::clone(loaded)),
                Known::Missing | Known::Forbidden => None,
            });
            let etag = kept.and_then(|kept| kept.etag.clone()).filter(|_| loaded.is_some());
            (loaded, etag)
        };
        let (known, etag) = self.fetch(slot, before, etag).await?;
        let kept = Kept {
            known: known.clone(),
            etag,
            since: now,
        };
        *slot.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(known)
    }

    async fn fetch(
        &self,
        slot: &Slot,
        before: Option<Arc<Loaded>>,
        etag: Option<HeaderValue>,
    ) -> Result<(Known, Option<HeaderValue>)> {
        let service = &slot.service;
        let address = self.session.system().resource(&service.address, "$metadata", "");
        let mut request = Request::builder().uri(address).header(ACCEPT, "application/xml");
        if let Some(etag) = &etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let request = request.body(Bytes::new()).map_err(|_| bad_request(OPERATION))?;
        let answer = match self.session.read_up_to(service, OPERATION, request, LARGEST).await {
            Ok(answer) => answer,
            Err(error) => {
                // Unchanged, which is no failure but no success status either.
                if let (Some(304), Some(before)) = (error.status(), before) {
                    return Ok((Known::Loaded(before), etag));
                }
                return match SapErrors::situation(&error) {
                    Situation::ServiceMissing => Ok((Known::Missing, None)),
                    Situation::ServiceForbidden => Ok((Known::Forbidden, None)),
                    _ => Err(error),
                };
            }
        };
        let named = |error: Error| {
            error
                .with_provider(crate::sap::provider())
                .with_context("service", service.address.name())
        };
        let schema = Schema::parse(&answer.body).map_err(named)?;
        let model = Model::new(&schema, &CatalogSettings::sap(service.address.name()));
        let mut dialect = match service.address.version() {
            Version::V2 => Dialect::sap_v2(),
            Version::V4 => Dialect::sap_v4(),
        };
        dialect = dialect.narrowed(&model);
        if let Some(size) = self.page_size {
            dialect.page_size = size.clamp(1, dialect.page_max);
        }
        let loaded = Loaded {
            service: service.clone(),
            model,
            dialect,
        };
        Ok((Known::Loaded(Arc::new(loaded)), answer.headers.get(ETAG).cloned()))
    }
}

impl Known {
    pub(super) fn state(&self) -> ServiceState {
        match self {
            Self::Loaded(_) => ServiceState::Active,
            Self::Missing => ServiceState::Missing,
            Self::Forbidden => ServiceState::Forbidden,
        }
    }

    /// Why a service that is not there cannot be used.
    pub(super) fn error(&self, address: &ServiceAddress) -> Error {
        let kind = match self {
            Self::Forbidden => ErrorKind::PermissionDenied {
                object: address.name().to_owned(),
                verb: "start",
            },
            Self::Loaded(_) | Self::Missing => ErrorKind::ServiceMissing {
                service: address.name().to_owned(),
            },
        };
        Error::new(kind, OPERATION).with_provider(crate::sap::provider())
    }
}

impl Loaded {
    /// The model of an entity.
    pub(super) fn entity(&self, name: &str) -> Result<&Arc<EntityModel>> {
        self.model.entity(OPERATION, name)
    }

    pub(super) fn version(&self) -> Version {
        self.model.version()
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loaded").field(&self.service).finish()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}
