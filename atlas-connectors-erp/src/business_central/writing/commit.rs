//! Preparing a write, comparing its base, and letting it out.

use atlas_connectors::action::{Approved, HandleState, Prepared};
use atlas_connectors::erp::{
    Adjusted, Batch, Etag, FieldName, PartOutcome, Record, RecordKey, Rejection, Shape, Value, Write, Written,
};
use atlas_connectors::error::{Effect as Happened, ErrorKind, OAuthError};
use atlas_connectors::{CompanyId, Error, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, IF_MATCH};

use super::handle::{Handle, id_of};
use super::part::{BaseNow, name, says_the_same, watched};
use crate::business_central::classify::classify_part;
use crate::business_central::connector::Inner;
use crate::business_central::described::Described;
use crate::business_central::service::Effect;
use crate::business_central::{failed, invalid, operation, translate};
use crate::odata::batch::{BatchPart, BatchPlan, PartResponse, PartResult};
use crate::odata::{EntityModel, ODataQuery};

impl Inner {
    /// Makes the ids of creates, and builds every request once, so that what does not fit is found before the approval is used.
    pub(in crate::business_central) async fn prepare(&self, approved: &Approved<Write>) -> Result<Prepared<Write>> {
        let write = approved.action();
        let operation = name(write);
        let described = self.described(false).await?;
        let parts = write.parts();
        self.check_batch(write)?;
        let mut handle = Handle::default();
        for (at, part) in parts.iter().enumerate() {
            let company = self.company(part.company(), operation)?;
            let id = match part.entity() {
                Some(entity) => {
                    let model = described.model.entity(operation, entity.as_str())?;
                    id_of(part, model, approved.intent(), at, self.settings.client_ids)
                }
                None => None,
            };
            // The etag is not known yet where the base is another; it changes nothing about whether the rest fits.
            self.part(&described, &company, part, id.as_deref(), None)?;
            handle.ids.push(id);
        }
        Ok(approved.prepared(Some(handle.write(operation)?)))
    }

    fn check_batch(&self, write: &Write) -> Result<()> {
        if let Write::Batch(batch) = write {
            if batch.parts.len() > self.settings.limits.batch {
                return Err(invalid(
                    operation::BATCH,
                    "batch",
                    "it has more parts than the service takes, 100 in the cloud",
                ));
            }
            if batch.parts.iter().any(|part| matches!(part, Write::Batch(_))) {
                return Err(failed(
                    ErrorKind::Unsupported {
                        what: "a batch within a batch",
                    },
                    operation::BATCH,
                ));
            }
        }
        Ok(())
    }

    /// Whether each record still is what its write was decided on.
    pub(in crate::business_central) async fn check_base(&self, write: &Write) -> Result<HandleState> {
        let described = self.described(false).await?;
        for part in write.parts() {
            let company = self.company(part.company(), name(write))?;
            match self.base(&described, &company, part).await? {
                BaseNow::Nothing | BaseNow::Same(_) => {}
                BaseNow::Changed(_) => return Ok(HandleState::Changed),
                BaseNow::Gone => return Ok(HandleState::Gone),
            }
        }
        Ok(HandleState::AsApproved)
    }

    /// One request with an effect.
    pub(in crate::business_central) async fn commit(&self, write: &Write, handle: Option<&str>) -> Result<Written> {
        let handle = Handle::read(handle, name(write))?;
        let described = self.described(false).await?;
        match write {
            Write::Batch(batch) => self.commit_batch(&described, batch, &handle).await,
            one => self.commit_one(&described, one, handle.id(0)).await,
        }
    }

    async fn commit_one(&self, described: &Described, write: &Write, id: Option<&str>) -> Result<Written> {
        let company = self.company(write.company(), name(write))?;
        let etag = self.etag(described, &company, write).await?;
        let effect = self.part(described, &company, write, id, etag.as_ref())?;
        let answer = match self.service.effect(effect).await {
            Ok(answer) => answer,
            // Accepted; only the answer could not be read. Saying "failed" here would invite a second one.
            Err(error) if error.effect() == Happened::Happened => return Ok(unread(write, id)),
            Err(error) => return self.refused_or_there(described, &company, write, id, error).await,
        };
        let mut written = self.written(described, write, id, &answer.body)?;
        if matches!(write, Write::Action(_)) {
            written.record = self.after_action(described, &company, write).await;
        }
        Ok(written)
    }

    /// What a refusal comes to, once it is known what it refused.
    async fn refused_or_there(
        &self,
        described: &Described,
        company: &CompanyId,
        write: &Write,
        id: Option<&str>,
        error: Error,
    ) -> Result<Written> {
        if let (Write::Create(create), Some(id)) = (write, id)
            && *error.kind() == ErrorKind::Conflict
            && create.value("id").is_none()
        {
            // The id is made of the intent and nobody else's: what is there under it came from an earlier try of this one.
            let model = described.model.entity(operation::CREATE, create.entity.as_str())?;
            let shape = Shape::of(watched(model, write));
            let key = RecordKey::single(id);
            let there = self.record_of(described, company, &create.entity, &key, &shape, operation::CREATE);
            if let Ok(record) = there.await {
                let mut written = Written::at(key);
                written.adjusted = adjusted(model, write, &record);
                written.record = Some(record);
                return Ok(written);
            }
        }
        Err(self.unauthorized(error).await)
    }

    /// A 401 on an effect may mean no more than a token that was over, for an effect is sent once. A read with a fresh
    /// one tells: if it passes, the write may be tried again.
    async fn unauthorized(&self, error: Error) -> Error {
        if error.status() != Some(401) {
            return error;
        }
        match self.companies(operation::COMPANIES).await {
            Ok(_) => failed(OAuthError::Transient, error.operation()).with_status(401),
            Err(_) => error,
        }
    }

    /// The etag to send: the one that the write was decided on, or the present one of a record that is still as it was.
    async fn etag(&self, described: &Described, company: &CompanyId, write: &Write) -> Result<Option<Etag>> {
        use atlas_connectors::erp::Base;
        match write.base() {
            None => Ok(None),
            Some(Base::Etag(etag)) => Ok(Some(etag.clone())),
            Some(_) => match self.base(described, company, write).await? {
                BaseNow::Same(etag) => Ok(Some(etag)),
                BaseNow::Nothing => Ok(None),
                BaseNow::Changed(_) => Err(failed(ErrorKind::Conflict, name(write))),
                BaseNow::Gone => Err(failed(ErrorKind::NotFound { object: "record" }, name(write))),
            },
        }
    }

    /// What an answer with a good status says.
    fn written(&self, described: &Described, write: &Write, id: Option<&str>, body: &[u8]) -> Result<Written> {
        let Some(entity) = write.entity() else {
            return Ok(Written::unread());
        };
        let model = described.model.entity(name(write), entity.as_str())?;
        let record = match write {
            Write::Create(_) | Write::Update(_) => self.read_back(described, model, write, body),
            _ => None,
        };
        if let (Write::Create(_), Some(record), Some(id)) = (write, &record, id) {
            self.learned.note(entity, record.key().as_single() == Some(id));
        }
        let Some(record) = record else {
            return Ok(unread(write, id));
        };
        let mut written = Written::at(record.key().clone());
        written.adjusted = adjusted(model, write, &record);
        written.record = Some(record);
        Ok(written)
    }

    /// The record in an answer; nothing if it cannot be read, which makes nothing undone.
    fn read_back(&self, described: &Described, model: &EntityModel, write: &Write, body: &[u8]) -> Option<Record> {
        let shape = Shape::of(watched(model, write));
        let query = ODataQuery::for_one(&self.dialect(), &described.model, &model.entity().name, &shape).ok()?;
        let record = crate::rows::read_one(name(write), &query.rows, body).ok()??;
        Some(translate::record(record))
    }

    /// The record after an action, if it is still there: a posted order is not.
    async fn after_action(&self, described: &Described, company: &CompanyId, write: &Write) -> Option<Record> {
        let (entity, key) = (write.entity()?, write.key()?);
        let model = described.model.entity(operation::ACTION, entity.as_str()).ok()?;
        let shape = Shape::of(watched(model, write));
        self.record_of(described, company, entity, key, &shape, operation::ACTION)
            .await
            .ok()
    }

    async fn commit_batch(&self, described: &Described, batch: &Batch, handle: &Handle) -> Result<Written> {
        let mut plan = BatchPlan::new();
        for (at, part) in batch.parts.iter().enumerate() {
            let company = self.company(part.company(), operation::BATCH)?;
            let etag = self.etag(described, &company, part).await?;
            plan = plan.with(batch_part(self.part(
                described,
                &company,
                part,
                handle.id(at),
                etag.as_ref(),
            )?)?);
        }
        let parts = u32::try_from(plan.parts()).unwrap_or(u32::MAX);
        let body = plan.json()?;
        let answer = match self
            .service
            .batch(operation::BATCH, body.body, parts, batch.atomic)
            .await
        {
            Ok(answer) => answer,
            Err(error) if error.effect() == Happened::Happened => return Ok(unknown(batch)),
            Err(error) => return Err(self.unauthorized(error).await),
        };
        let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or("application/json");
        // A good outer status says nothing. In one transaction, one failure voids all, whatever the others say.
        let read = match batch.atomic {
            true => plan.read_as_one(content_type, &answer.body),
            false => plan.read(content_type, &answer.body),
        };
        let Ok(results) = read else {
            return Ok(unknown(batch));
        };
        if batch.atomic
            && let Some(error) = self.undone(batch, &results)
        {
            return Err(error);
        }
        let mut written = Written::unread();
        for (at, (part, result)) in batch.parts.iter().zip(results).enumerate() {
            written.parts.push(self.outcome(described, part, handle.id(at), result));
        }
        Ok(written)
    }

    /// Why nothing of a transaction remains, if nothing does: its refused part, and which one that was.
    fn undone(&self, batch: &Batch, results: &[PartResult]) -> Option<Error> {
        let void = |result: &PartResult| !matches!(result, PartResult::Done(_) | PartResult::Unknown);
        if !results.iter().all(void) {
            return None;
        }
        let mut parts = batch.parts.iter().zip(results).enumerate();
        parts.find_map(|(at, (part, result))| match result {
            PartResult::Rejected(response) | PartResult::SetRejected(response) => {
                Some(self.refused(part, response).with_context("part", at + 1))
            }
            _ => None,
        })
    }

    fn outcome(&self, described: &Described, part: &Write, id: Option<&str>, result: PartResult) -> PartOutcome {
        match result {
            PartResult::Done(response) => match self.written(described, part, id, &response.body) {
                Ok(written) => PartOutcome::Done(Box::new(written)),
                Err(_) => PartOutcome::Done(Box::new(unread(part, id))),
            },
            PartResult::Rejected(response) | PartResult::SetRejected(response) => {
                PartOutcome::Rejected(Rejection::of(&self.refused(part, &response)))
            }
            PartResult::RolledBack => PartOutcome::RolledBack,
            PartResult::NotExecuted => PartOutcome::NotExecuted,
            PartResult::Unknown => PartOutcome::Unknown,
        }
    }

    fn refused(&self, part: &Write, response: &PartResponse) -> Error {
        classify_part(name(part), response.status, &response.body, self.clock.now())
    }
}

/// It happened, and the answer tells no more than we knew.
fn unread(write: &Write, id: Option<&str>) -> Written {
    match (write.key(), id) {
        (Some(key), _) => Written::at(key.clone()),
        (None, Some(id)) => Written::at(RecordKey::single(id)),
        (None, None) => Written::unread(),
    }
}

fn unknown(batch: &Batch) -> Written {
    let mut written = Written::unread();
    written.parts = batch.parts.iter().map(|_| PartOutcome::Unknown).collect();
    written
}

/// Fields that hold something else than was asked for.
pub(super) fn adjusted(model: &EntityModel, write: &Write, record: &Record) -> Vec<Adjusted> {
    let asked: Vec<(&FieldName, &Value)> = match write {
        Write::Create(create) => create.fields.iter().map(|(name, value)| (name, value)).collect(),
        Write::Update(update) => update
            .changes
            .iter()
            .map(|change| (&change.field, &change.new))
            .collect(),
        _ => Vec::new(),
    };
    let mut out = Vec::new();
    for (field, asked) in asked {
        if let Some(stored) = record.value(field.as_str())
            && !says_the_same(model, field, asked, stored)
        {
            out.push(Adjusted {
                field: field.clone(),
                asked: asked.clone(),
                stored: stored.clone(),
            });
        }
    }
    out
}

fn batch_part(effect: Effect) -> Result<BatchPart> {
    let mut part = BatchPart::new(effect.method, effect.path)?;
    if let Some(etag) = effect.if_match {
        part = part.with_header(IF_MATCH, etag);
    }
    Ok(match effect.body {
        Some(body) => part.with_json(Bytes::from(body)),
        None => part,
    })
}
