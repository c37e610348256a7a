//! Letting a write out: one request, then the record is read back.

use atlas_connectors::erp::{Base, Etag, FieldName, Record, RecordKey, RecordRef, Shape, Value, Write, Written};
use atlas_connectors::http::Response;
use atlas_connectors::{Error, ErrorKind, Result};
use http::header::{ETAG, LOCATION};
use http::{HeaderMap, HeaderName, Request};
use serde::{Deserialize, Serialize};

use crate::odata::{ODataQuery, header_messages, read_record};
use crate::sap::base::{holds, old_values};
use crate::sap::connector::Inner;
use crate::sap::drafts;
use crate::sap::keys;
use crate::sap::plan::{Planned, Terms, plan, request_id};
use crate::sap::schema::Loaded;
use crate::sap::session::bad_request;

/// V4's way to tell the address of what was made, where there is no body.
const ENTITY_ID: HeaderName = HeaderName::from_static("odata-entityid");

/// What finds an effect again, stored with the intent.
#[derive(Serialize, Deserialize)]
struct Handle {
    /// The intent, from which the request ids are made: the same for every try.
    intent: String,
}

impl Inner {
    /// Checks names, types and verbs of every part against the live metadata.
    pub(super) async fn prepare(&self, write: &Write, intent: &str) -> Result<String> {
        self.check_company(write.company())?;
        if let Write::Batch(batch) = write {
            self.check_batch(batch).await?;
        } else {
            for part in write.parts() {
                let loaded = self.holding(part).await?;
                plan(&loaded, part, self.terms(&request_id(intent, 0), None))?;
            }
        }
        let handle = Handle {
            intent: intent.to_owned(),
        };
        // Plain data: writing it does not fail.
        Ok(serde_json::to_string(&handle).unwrap_or_default())
    }

    pub(super) async fn commit(&self, write: &Write, handle: Option<&str>) -> Result<Written> {
        let handle: Option<Handle> = handle.and_then(|handle| serde_json::from_str(handle).ok());
        let intent = handle.map(|handle| handle.intent).ok_or_else(|| {
            let kind = ErrorKind::Invalid {
                what: "handle",
                why: "it was not made by this connector",
            };
            Error::new(kind, "sap.commit")
        })?;
        if let Write::Batch(batch) = write {
            return self.commit_batch(batch, &intent).await;
        }
        let loaded = self.holding(write).await?;
        let etag = self.current_etag(&loaded, write).await?;
        let planned = plan(&loaded, write, self.terms(&request_id(&intent, 0), etag.as_ref()))?;
        let answer = self.send(&loaded, &planned).await?;
        let mut written = written(&loaded, &planned, write, &answer)?;
        self.read_back(&loaded, write, &mut written).await;
        Ok(written)
    }

    pub(super) fn terms<'a>(&self, id: &'a str, etag: Option<&'a Etag>) -> Terms<'a> {
        Terms {
            id,
            now: self.session.clock().now(),
            etag,
        }
    }

    pub(super) async fn holding(&self, part: &Write) -> Result<std::sync::Arc<Loaded>> {
        let entity = part.entity().map_or("", |entity| entity.as_str());
        self.services.holding(entity).await
    }

    /// The state to depend on where the base holds none and the entity wants one: read now, and only if the record is still
    /// as the write was decided on.
    pub(super) async fn current_etag(&self, loaded: &Loaded, part: &Write) -> Result<Option<Etag>> {
        let (Some(entity), Some(_), Some(base)) = (part.entity(), part.key(), part.base()) else {
            return Ok(None);
        };
        if matches!(base, Base::Etag(_)) || !loaded.entity(entity.as_str())?.entity().etag {
            return Ok(None);
        }
        match self.reread(loaded, part).await? {
            None => Err(Error::new(ErrorKind::NotFound { object: "record" }, "sap.check")),
            Some(record) if holds(base, &record, &old_values(part)) => Ok(record.etag().cloned()),
            Some(_) => Err(Error::new(ErrorKind::Conflict, "sap.check")),
        }
        .map_err(|error| {
            error
                .with_provider(crate::sap::provider())
                .with_context("entity", entity)
        })
    }

    async fn send(&self, loaded: &Loaded, planned: &Planned) -> Result<Response> {
        let address = self
            .session
            .system()
            .resource(&loaded.service.address, &planned.path, &planned.query);
        let mut request = Request::builder()
            .method(planned.method.clone())
            .uri(address)
            .body(planned.body.clone())
            .map_err(|_| bad_request(planned.operation))?;
        request.headers_mut().extend(planned.headers.clone());
        let answer = self.session.write(&loaded.service, planned.operation, request).await;
        answer.map_err(|error| error.with_context("entity", &planned.entity))
    }

    /// Reads the record again where the answer did not hold it. What cannot be read back has happened all the same.
    pub(super) async fn read_back(&self, loaded: &Loaded, part: &Write, written: &mut Written) {
        let reads = matches!(part, Write::Create(_) | Write::Update(_) | Write::Action(_));
        if !reads || written.record.is_some() {
            return;
        }
        let (Some(entity), Some(key)) = (part.entity(), written.key.clone()) else {
            return;
        };
        let at = RecordRef::new(entity.clone(), key);
        if let Ok(record) = self.record(loaded, "sap.get", &at, &Shape::usual()).await {
            let read = std::mem::take(written).read_back(record, asked(part));
            *written = read;
        }
    }
}

/// What was asked for, to be compared with what is stored.
fn asked(part: &Write) -> Vec<(&FieldName, &Value)> {
    // Nothing, an empty text and null are one in ABAP: no difference to tell.
    let says_something = |value: &Value| !value.is_null() && !value.as_str().is_some_and(str::is_empty);
    match part {
        Write::Create(create) => create
            .fields
            .iter()
            .filter(|(_, value)| says_something(value))
            .map(|(name, value)| (name, value))
            .collect(),
        Write::Update(update) => update
            .changes
            .iter()
            .filter(|change| says_something(&change.new))
            .map(|change| (&change.field, &change.new))
            .collect(),
        _ => Vec::new(),
    }
}

/// What an answer says of what was written.
///
/// # Errors
/// A body that cannot be read, with [`atlas_connectors::error::Effect::Happened`]: the status was a success.
pub(super) fn written(loaded: &Loaded, planned: &Planned, part: &Write, answer: &Response) -> Result<Written> {
    let happened = |error: Error| {
        error
            .with_operation(planned.operation)
            .with_class(atlas_connectors::error::OperationClass::Write)
            .with_provider(crate::sap::provider())
            .with_effect(atlas_connectors::error::Effect::Happened)
            .with_retry(atlas_connectors::error::Retry::Never)
    };
    let mut out = match &planned.key {
        Some(key) => Written::at(key.clone()),
        None => Written::unread(),
    };
    out = out.with_messages(header_messages(&answer.headers));
    let gives_record = match part {
        Write::Create(_) | Write::Update(_) => true,
        Write::Action(call) => drafts::gives_record(&call.action),
        _ => false,
    };
    if gives_record && !answer.body.is_empty() {
        let shape = Shape::usual();
        let query = ODataQuery::for_one(&loaded.dialect, &loaded.model, &planned.entity, &shape).map_err(happened)?;
        let page = read_record(planned.operation, &query.rows, &answer.body).map_err(happened)?;
        if let Some(mut page) = page {
            out = out.with_messages(std::mem::take(&mut page.messages));
            if let Some(record) = page.records.pop() {
                let record = with_etag(record, &answer.headers);
                out.key = Some(record.key().clone());
                out = out.read_back(record, asked(part));
            }
        }
    }
    if out.key.is_none() {
        out.key = made(loaded, planned, &answer.headers);
    }
    Ok(out)
}

fn with_etag(record: Record, headers: &HeaderMap) -> Record {
    let header = headers.get(ETAG).and_then(|value| value.to_str().ok());
    match header {
        Some(etag) if record.etag().is_none() => record.with_etag(Etag::new(etag)),
        _ => record,
    }
}

/// The key of what was made, from the address in the answer.
fn made(loaded: &Loaded, planned: &Planned, headers: &HeaderMap) -> Option<RecordKey> {
    let entity = loaded.entity(planned.entity.as_str()).ok()?;
    let address = headers.get(LOCATION).or_else(|| headers.get(ENTITY_ID))?;
    keys::of_address(entity, address.to_str().ok()?)
}
