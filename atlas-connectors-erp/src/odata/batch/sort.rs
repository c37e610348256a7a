//! Which answer belongs to which part, and what it means together with the others.

use atlas_connectors::error::BadPayload;
use http::StatusCode;

use crate::odata::ODataFailure;
use crate::odata::batch::json::Answer as JsonAnswer;
use crate::odata::batch::multipart::{Answer, Answers, Item};
use crate::odata::batch::{BatchItem, BatchPlan, PartResponse, PartResult};

/// Answers stand in the order of the requests; fewer of them mean that the server stopped.
pub(super) fn multipart(plan: &BatchPlan, answers: Answers) -> Result<Vec<PartResult>, BadPayload> {
    if answers.items.len() > plan.items.len() {
        return Err(BadPayload::Syntax);
    }
    let mut out = Vec::with_capacity(plan.parts());
    let mut given = answers.items.into_iter();
    for item in &plan.items {
        let (first, parts) = (out.len() + 1, item.parts().len());
        match given.next() {
            Some(Item::Single(answer)) => match item {
                BatchItem::Single(_) => out.push(alone(answer.response)),
                BatchItem::Set(_) => out.extend(set_by_one(first, parts, answer)),
            },
            Some(Item::Set { answers, whole: true }) => out.extend(set(first, parts, answers)),
            Some(Item::Set { whole: false, .. }) => out.extend(vec![PartResult::Unknown; parts]),
            None if answers.whole => out.extend(vec![PartResult::NotExecuted; parts]),
            None => out.extend(vec![PartResult::Unknown; parts]),
        }
    }
    Ok(out)
}

/// A set that is answered once has failed, because of the part that the content id names.
fn set_by_one(first: usize, parts: usize, answer: Answer) -> Vec<PartResult> {
    if !is_failure(answer.response.status) {
        // One answer can stand for a set of one; for a larger set it says too little.
        return match parts {
            1 => vec![PartResult::Done(answer.response)],
            _ => vec![PartResult::Unknown; parts],
        };
    }
    let culprit = culprit(&answer)
        .and_then(|number| number.checked_sub(first))
        .filter(|at| *at < parts);
    match (culprit, parts) {
        (None, 1) => vec![PartResult::Rejected(answer.response)],
        (None, _) => vec![PartResult::SetRejected(answer.response); parts],
        (Some(at), _) => {
            let mut out = vec![PartResult::RolledBack; parts];
            if let Some(one) = out.get_mut(at) {
                *one = PartResult::Rejected(answer.response);
            }
            out
        }
    }
}

/// The number of the part that a failure is about: of the header, or of the error itself.
fn culprit(answer: &Answer) -> Option<usize> {
    if let Some(number) = answer.content_id.as_deref().and_then(|id| id.parse().ok()) {
        return Some(number);
    }
    let failure = ODataFailure::of(&answer.response.headers, &answer.response.body);
    let details = failure.errors().filter_map(|detail| detail.content_id.as_deref());
    failure
        .content_id
        .as_deref()
        .into_iter()
        .chain(details)
        .find_map(|id| id.parse().ok())
}

/// The answers to the parts of a set, by content id where each has one, otherwise by place.
fn set(first: usize, parts: usize, answers: Vec<Answer>) -> Vec<PartResult> {
    let mut placed: Vec<Option<PartResponse>> = vec![None; parts];
    let count = answers.len();
    for (at, answer) in answers.into_iter().enumerate() {
        let named = answer.content_id.as_deref().and_then(|id| id.parse::<usize>().ok());
        let named = named
            .and_then(|number| number.checked_sub(first))
            .filter(|at| *at < parts);
        let Some(place) = named.or((count == parts).then_some(at)) else {
            // It belongs to none of the parts that we know. A failure still fails the set.
            return match is_failure(answer.response.status) {
                true => vec![PartResult::SetRejected(answer.response); parts],
                false => vec![PartResult::Unknown; parts],
            };
        };
        match placed.get_mut(place) {
            Some(slot @ None) => *slot = Some(answer.response),
            _ => return vec![PartResult::Unknown; parts],
        }
    }
    together(placed)
}

/// Answers name their part. A missing one was not executed.
pub(super) fn json(plan: &BatchPlan, answers: Vec<JsonAnswer>) -> Result<Vec<PartResult>, BadPayload> {
    let parts = plan.parts();
    if answers.len() > parts {
        return Err(BadPayload::Syntax);
    }
    // Servers have been seen to answer without any id: then the order counts.
    let by_place = answers.iter().all(|answer| answer.id.is_none());
    let mut placed: Vec<Option<PartResponse>> = vec![None; parts];
    for (at, answer) in answers.into_iter().enumerate() {
        let place = match answer.id {
            None if by_place => at,
            id => {
                let number: Option<usize> = id.and_then(|id| id.parse().ok());
                number
                    .and_then(|number| number.checked_sub(1))
                    .ok_or(BadPayload::Syntax)?
            }
        };
        match placed.get_mut(place) {
            Some(slot @ None) => *slot = Some(answer.response),
            _ => return Err(BadPayload::Syntax),
        }
    }
    let mut out = Vec::with_capacity(parts);
    let mut placed = placed.into_iter();
    for item in &plan.items {
        let of_item: Vec<_> = placed.by_ref().take(item.parts().len()).collect();
        match item {
            BatchItem::Single(_) => out.extend(
                of_item
                    .into_iter()
                    .map(|one| one.map_or(PartResult::NotExecuted, alone)),
            ),
            BatchItem::Set(_) => out.extend(together(of_item)),
        }
    }
    Ok(out)
}

/// A part outside any set.
fn alone(response: PartResponse) -> PartResult {
    match response.status {
        // What it depends on has failed.
        StatusCode::FAILED_DEPENDENCY => PartResult::NotExecuted,
        status if is_failure(status) => PartResult::Rejected(response),
        _ => PartResult::Done(response),
    }
}

/// Parts that happen together or not at all: the set has failed if any of them has, whatever the others say; and a set with
/// answers to some of its parts only says nothing.
fn together(answers: Vec<Option<PartResponse>>) -> Vec<PartResult> {
    let failed = answers.iter().flatten().any(|response| is_failure(response.status));
    let missing = answers.iter().filter(|answer| answer.is_none()).count();
    let parts = answers.len();
    let one = |answer: Option<PartResponse>| match answer {
        Some(response) if response.status == StatusCode::FAILED_DEPENDENCY => PartResult::RolledBack,
        Some(response) if is_failure(response.status) => PartResult::Rejected(response),
        _ if failed => PartResult::RolledBack,
        Some(_) if missing > 0 => PartResult::Unknown,
        Some(response) => PartResult::Done(response),
        None if missing == parts => PartResult::NotExecuted,
        None => PartResult::Unknown,
    };
    answers.into_iter().map(one).collect()
}

/// The whole batch is one transaction.
pub(super) fn as_one(results: Vec<PartResult>) -> Vec<PartResult> {
    let failed = results.iter().any(|result| {
        matches!(
            result,
            PartResult::Rejected(_) | PartResult::SetRejected(_) | PartResult::RolledBack
        )
    });
    let all_done = results.iter().all(PartResult::is_done);
    let none_done = !results.iter().any(PartResult::is_done);
    let one = |result: PartResult| match result {
        PartResult::Done(_) if failed => PartResult::RolledBack,
        // Nothing failed, and yet some are not there: it contradicts itself.
        PartResult::Done(_) | PartResult::NotExecuted if !failed && !all_done && !none_done => PartResult::Unknown,
        other => other,
    };
    results.into_iter().map(one).collect()
}

/// A redirect is no success either.
fn is_failure(status: StatusCode) -> bool {
    !status.is_success() && !status.is_informational()
}
