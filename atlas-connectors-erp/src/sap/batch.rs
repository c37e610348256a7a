//! Several writes in one request, and what became of each.
//!
//! Multipart in both versions: whether a gateway takes JSON is not known (`sap-odata.md`, section 11).

use std::sync::Arc;

use atlas_connectors::erp::{Batch, PartOutcome, Write, Written};
use atlas_connectors::error::{Effect, Rejection, Retry};
use atlas_connectors::http::{Classify as _, Failure, Response};
use atlas_connectors::{Error, ErrorKind, Result};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};

use crate::odata::batch::{BatchPart, BatchPlan, PartResponse, PartResult};
use crate::sap::classify::SapErrors;
use crate::sap::commit::written;
use crate::sap::connector::Inner;
use crate::sap::plan::{Planned, plan, request_id};
use crate::sap::schema::Loaded;
use crate::sap::session::bad_request;

const OPERATION: &str = "sap.batch";
const PREFER: HeaderName = HeaderName::from_static("prefer");

impl Inner {
    /// All parts go to one service, in one request, and each is well-formed.
    pub(super) async fn check_batch(&self, batch: &Batch) -> Result<Option<Arc<Loaded>>> {
        if batch.parts.len() > self.settings.batch_most {
            let kind = ErrorKind::Invalid {
                what: "batch",
                why: "it has more parts than this connection allows",
            };
            return Err(Error::new(kind, OPERATION).with_context("most", self.settings.batch_most));
        }
        let mut service: Option<Arc<Loaded>> = None;
        for (at, part) in batch.parts.iter().enumerate() {
            let loaded = self.holding(part).await?;
            plan(&loaded, part, self.terms(&request_id("", at), None))?;
            match &service {
                None => service = Some(loaded),
                Some(first) if first.service.address == loaded.service.address => {}
                Some(_) => {
                    let kind = ErrorKind::Unsupported {
                        what: "one batch over several services",
                    };
                    return Err(Error::new(kind, OPERATION).with_provider(crate::sap::provider()));
                }
            }
        }
        Ok(service)
    }

    pub(super) async fn commit_batch(&self, batch: &Batch, intent: &str) -> Result<Written> {
        let Some(loaded) = self.check_batch(batch).await? else {
            return Ok(Written::unread());
        };
        let mut planned: Vec<Planned> = Vec::with_capacity(batch.parts.len());
        for (at, part) in batch.parts.iter().enumerate() {
            let etag = self.current_etag(&loaded, part).await?;
            planned.push(plan(&loaded, part, self.terms(&request_id(intent, at), etag.as_ref()))?);
        }
        let parts = planned
            .iter()
            .map(|planned| self.part(planned))
            .collect::<Result<Vec<_>>>()?;
        let whole = match batch.atomic {
            true => BatchPlan::new().with_set(parts),
            false => parts.into_iter().fold(BatchPlan::new(), BatchPlan::with),
        };
        let body = whole.multipart(loaded.version());
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.session.system().resource(&loaded.service.address, "$batch", ""))
            .header(CONTENT_TYPE, &body.content_type)
            .header(ACCEPT, body.accept);
        if !batch.atomic {
            request = request.header(PREFER, "odata.continue-on-error");
        }
        let request = request.body(body.body).map_err(|_| bad_request(OPERATION))?;
        let answer = self.session.write(&loaded.service, OPERATION, request).await?;
        let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        // The outer status says nothing: what cannot be read leaves everything open.
        let results = whole.read(kind.unwrap_or_default(), &answer.body).map_err(unknown)?;
        let mut outcomes = Vec::with_capacity(results.len());
        for ((planned, part), result) in planned.iter().zip(&batch.parts).zip(results) {
            outcomes.push(self.outcome(&loaded, planned, part, result).await);
        }
        settle(outcomes)
    }

    fn part(&self, planned: &Planned) -> Result<BatchPart> {
        let path = match planned.query.is_empty() {
            true => planned.path.clone(),
            false => format!("{}?{}", planned.path, planned.query),
        };
        let mut part = BatchPart::new(planned.method.clone(), path)?;
        if !planned.body.is_empty() {
            part = part.with_json(planned.body.clone());
        }
        for (name, value) in &planned.headers {
            part = part.with_header(name.clone(), HeaderValue::clone(value));
        }
        Ok(part)
    }

    async fn outcome(&self, loaded: &Loaded, planned: &Planned, part: &Write, result: PartResult) -> Outcome {
        match result {
            PartResult::Done(response) => {
                let answer = Response::new(response.status, response.headers, response.body);
                match written(loaded, planned, part, &answer) {
                    Ok(mut written) => {
                        self.read_back(loaded, part, &mut written).await;
                        Outcome::told(PartOutcome::Done(Box::new(written)))
                    }
                    // It was done; only its answer is no use.
                    Err(_) => {
                        let written = planned.key.clone().map_or_else(Written::unread, Written::at);
                        Outcome::told(PartOutcome::Done(Box::new(written)))
                    }
                }
            }
            PartResult::Rejected(response) | PartResult::SetRejected(response) => {
                let error = self.refusal(loaded, planned, &response);
                Outcome {
                    outcome: PartOutcome::Rejected(Rejection::of(&error)),
                    error: Some(error),
                }
            }
            PartResult::RolledBack => Outcome::told(PartOutcome::RolledBack),
            PartResult::NotExecuted => Outcome::told(PartOutcome::NotExecuted),
            PartResult::Unknown => Outcome::told(PartOutcome::Unknown),
        }
    }

    fn refusal(&self, loaded: &Loaded, planned: &Planned, response: &PartResponse) -> Error {
        let now = self.session.clock().now();
        let failure = Failure::new(
            planned.operation,
            response.status,
            &response.headers,
            &response.body,
            now,
        );
        SapErrors::new(loaded.service.address.name(), false)
            .classify(&failure)
            .with_context("entity", &planned.entity)
    }
}

/// What became of a part, with the error where it was refused.
struct Outcome {
    outcome: PartOutcome,
    error: Option<Error>,
}

impl Outcome {
    fn told(outcome: PartOutcome) -> Self {
        Self { outcome, error: None }
    }
}

/// The whole: an error where nothing of it was done, and where something is open.
fn settle(outcomes: Vec<Outcome>) -> Result<Written> {
    let is = |wanted: fn(&PartOutcome) -> bool| outcomes.iter().any(|one| wanted(&one.outcome));
    if is(|outcome| matches!(outcome, PartOutcome::Unknown)) {
        return Err(unknown(Error::new(ErrorKind::Transient, OPERATION)));
    }
    if !is(|outcome| matches!(outcome, PartOutcome::Done(_))) {
        let refused = outcomes.into_iter().find_map(|one| one.error);
        return Err(match refused {
            Some(error) => error.with_effect(Effect::None),
            // An answer without any part: nothing was tried.
            None => Error::new(ErrorKind::Transient, OPERATION)
                .with_provider(crate::sap::provider())
                .with_retry(Retry::Never),
        });
    }
    let mut written = Written::unread();
    written.parts = outcomes.into_iter().map(|one| one.outcome).collect();
    Ok(written)
}

fn unknown(error: Error) -> Error {
    error
        .with_operation(OPERATION)
        .with_class(atlas_connectors::error::OperationClass::Write)
        .with_provider(crate::sap::provider())
        .with_effect(Effect::Unknown)
        .with_retry(Retry::Never)
}
