//! Reading: what a record looks like from outside, in which order records come, and where a page ends.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::erp::{
    Columns, Entity, Etag, Expand, FieldKind, FieldName, Query, Record, RecordChanges, RecordKey, Relation, Value,
};
use crate::error::Result;
use crate::ids::CompanyId;
use crate::mail::SyncCursor;
use crate::page::{Page, PageToken};
use crate::testkit::erp::check::{self, invalid};
use crate::testkit::erp::data::{Parent, Place, Stored};
use crate::testkit::erp::memory::RecordStates;
use crate::testkit::erp::server::Server;

/// Where a page ended: behind this record, whatever is inserted before it.
#[derive(Serialize, Deserialize)]
struct Ended {
    values: Vec<Value>,
    key: RecordKey,
    given: u64,
}

/// Where a page of changes ended, and up to which state this pass reads.
#[derive(Serialize, Deserialize)]
struct Passing {
    after: u64,
    upto: u64,
}

impl Server {
    pub(super) fn page(
        &self,
        query: &Query,
        company: Option<&CompanyId>,
        from: Option<&PageToken>,
        size: u32,
    ) -> Result<Page<Record>> {
        let entity = check::entity(&self.catalog, &query.entity)?;
        let ended: Option<Ended> = match from {
            Some(token) => {
                let read = serde_json::from_str(token.as_str());
                Some(read.map_err(|_| invalid("page token", "it is not one of this connector"))?)
            }
            None => None,
        };
        let mut found: Vec<(Vec<Value>, &Place, &Stored)> = self
            .data
            .rows(&query.entity, company)
            .filter(|(_, stored)| self.meets(entity, company, stored, query))
            .map(|(place, stored)| (self.sort_values(entity, company, stored, query), place, stored))
            .collect();
        found.sort_by(|one, other| by_order(query, (&one.0, one.1), (&other.0, other.1)));
        let estimate = query.count.then(|| u64::try_from(found.len()).unwrap_or(u64::MAX));
        let given = ended.as_ref().map_or(0, |ended| ended.given);
        let left = query.limit.map_or(u64::MAX, |limit| limit.saturating_sub(given));
        let behind = |one: &(Vec<Value>, &Place, &Stored)| match &ended {
            None => true,
            Some(ended) => {
                let place = Place::of(company, &ended.key);
                by_order(query, (&one.0, one.1), (&ended.values, &place)).is_gt()
            }
        };
        let mut rest = found.iter().filter(|one| behind(one)).peekable();
        let most = usize::try_from(left.min(u64::from(size.max(1)))).unwrap_or(usize::MAX);
        let columns = self.columns(entity, &query.select, &query.expand);
        let mut page = Page {
            items: Vec::new(),
            next: None,
            estimate,
        };
        let mut last = None;
        while page.items.len() < most
            && let Some((values, _, stored)) = rest.next()
        {
            page.items
                .push(self.record(entity, company, stored, &columns, &query.expand));
            last = Some((values.clone(), stored.key.clone()));
        }
        let given = given.saturating_add(u64::try_from(page.items.len()).unwrap_or(u64::MAX));
        let over = rest.peek().is_none() || query.limit.is_some_and(|limit| given >= limit);
        if let (false, Some((values, key))) = (over, last) {
            page.next = token(&Ended { values, key, given });
        }
        Ok(page)
    }

    /// Changes behind a state. What changes while the pages are read comes with the next pass.
    pub(super) fn changed(
        &self,
        query: &Query,
        company: Option<&CompanyId>,
        since: u64,
        from: Option<&PageToken>,
        size: u32,
        deletions: bool,
    ) -> Result<RecordChanges> {
        let entity = check::entity(&self.catalog, &query.entity)?;
        let pass = match from {
            Some(token) => serde_json::from_str(token.as_str())
                .map_err(|_| invalid("page token", "it is not one of this connector"))?,
            None => Passing {
                after: since,
                upto: self.data.tick,
            },
        };
        let mut found: Vec<&Stored> = self
            .data
            .rows(&query.entity, company)
            .map(|(_, stored)| stored)
            .filter(|stored| stored.tick > pass.after && stored.tick <= pass.upto)
            .filter(|stored| self.meets(entity, company, stored, query))
            .collect();
        found.sort_by_key(|stored| stored.tick);
        let columns = self.columns(entity, &query.select, &query.expand);
        let most = usize::try_from(size.max(1)).unwrap_or(usize::MAX);
        let taken = found.get(..most).unwrap_or(&found);
        let records = taken
            .iter()
            .map(|stored| self.record(entity, company, stored, &columns, &query.expand))
            .collect();
        if taken.len() < found.len()
            && let Some(next) = token(&Passing {
                after: taken.last().map_or(pass.after, |stored| stored.tick),
                upto: pass.upto,
            })
        {
            return Ok(RecordChanges::page(records, next));
        }
        let mut last = RecordChanges::last(records, SyncCursor::new(pass.upto.to_string()));
        if deletions && since > 0 {
            let gone = self.data.gone.iter().filter(|gone| {
                gone.entity == query.entity
                    && gone.company.as_ref() == company
                    && gone.tick > since
                    && gone.tick <= pass.upto
            });
            last.deleted = gone.map(|gone| gone.key.clone()).collect();
        }
        Ok(last)
    }

    /// The columns of a page: what was asked for, or everything but lines and bytes; and what is expanded.
    pub(super) fn columns(&self, entity: &Entity, select: &[FieldName], expand: &[Expand]) -> Columns {
        let usual = entity
            .fields
            .iter()
            .filter(|field| !matches!(field.kind, FieldKind::Relations | FieldKind::Binary | FieldKind::Stream))
            .map(|field| field.name.clone());
        let mut names: Vec<FieldName> = match select {
            [] => usual.collect(),
            select => select.to_vec(),
        };
        for one in expand {
            if !names.contains(&one.relation) {
                names.push(one.relation.clone());
            }
        }
        Columns::new(names)
    }

    pub(super) fn record(
        &self,
        entity: &Entity,
        company: Option<&CompanyId>,
        stored: &Stored,
        columns: &Columns,
        expand: &[Expand],
    ) -> Record {
        let value = |name: &FieldName| match expand.iter().find(|one| one.relation == *name) {
            Some(one) => self.expanded(entity, company, stored, one),
            None => self.value(entity, company, stored, name.as_str()),
        };
        let values = columns.names().iter().map(value).collect();
        let record = Record::new(entity.name.clone(), stored.key.clone(), columns.clone(), values);
        match self.states {
            RecordStates::Etags => record.with_etag(etag(stored.tick)),
            RecordStates::Versions => record.with_version(stored.tick.to_string()),
            RecordStates::Neither => record,
        }
    }

    fn expanded(&self, entity: &Entity, company: Option<&CompanyId>, stored: &Stored, expand: &Expand) -> Value {
        let Ok(target) = check::related(&self.catalog, entity, &expand.relation) else {
            return Value::Null;
        };
        let columns = self.columns(target, &expand.select, &expand.expand);
        if let Some(Value::Relation(relation)) = stored.values.get(expand.relation.as_str()) {
            let found = self.data.find(&target.name, company, &relation.key);
            return found.map_or(Value::Null, |found| {
                Value::Record(Box::new(self.record(target, company, found, &columns, &expand.expand)))
            });
        }
        let parent = parent(entity, stored, &expand.relation);
        let lines = self.data.lines(&target.name, company, &parent);
        Value::Records(
            lines
                .map(|line| self.record(target, company, line, &columns, &expand.expand))
                .collect(),
        )
    }

    pub(super) fn value(&self, entity: &Entity, company: Option<&CompanyId>, stored: &Stored, path: &str) -> Value {
        if let Some(field) = entity.field(path) {
            if field.kind == FieldKind::Relations
                && let Some(target) = &field.relation
            {
                let parent = parent(entity, stored, &field.name);
                let lines = self.data.lines(target, company, &parent);
                let relation = |line: &Stored| Relation::to(line.key.clone()).in_entity(target.clone());
                return Value::List(lines.map(|line| relation(line).into()).collect());
            }
            return stored.values.get(path).cloned().unwrap_or(Value::Null);
        }
        let through = path.split_once('.').and_then(|(first, rest)| {
            let target = entity.field(first)?.relation.as_ref()?;
            let key = &stored.values.get(first)?.as_relation()?.key;
            let found = self.data.find(target, company, key)?;
            Some((self.catalog.entity(target.as_str())?, found, rest))
        });
        through.map_or(Value::Null, |(target, found, rest)| {
            self.value(target, company, found, rest)
        })
    }

    fn meets(&self, entity: &Entity, company: Option<&CompanyId>, stored: &Stored, query: &Query) -> bool {
        let Some(filter) = &query.filter else {
            return true;
        };
        let columns = Columns::new(filter.fields().into_iter().cloned());
        let record = self.record(entity, company, stored, &columns, &[]);
        filter.matches(&record) == Some(true)
    }

    fn sort_values(&self, entity: &Entity, company: Option<&CompanyId>, stored: &Stored, query: &Query) -> Vec<Value> {
        let value = |order: &crate::erp::Order| self.value(entity, company, stored, order.field.as_str());
        query.order.iter().map(value).collect()
    }
}

pub(super) fn etag(tick: u64) -> Etag {
    Etag::new(format!("W/\"{tick}\""))
}

fn parent(entity: &Entity, stored: &Stored, relation: &FieldName) -> Parent {
    Parent {
        entity: entity.name.clone(),
        key: stored.key.clone(),
        relation: relation.clone(),
    }
}

fn token<T: Serialize>(of: &T) -> Option<PageToken> {
    serde_json::to_string(of).ok().map(PageToken::new)
}

fn by_order(query: &Query, one: (&[Value], &Place), other: (&[Value], &Place)) -> Ordering {
    for (at, order) in query.order.iter().enumerate() {
        let ordering = match (one.0.get(at), other.0.get(at)) {
            (Some(one), Some(other)) => compared(one, other),
            _ => Ordering::Equal,
        };
        let ordering = if order.descending { ordering.reverse() } else { ordering };
        if ordering.is_ne() {
            return ordering;
        }
    }
    one.1.cmp(other.1)
}

/// Null first, numbers by value, everything else by its letters.
fn compared(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Instant(one), Value::Instant(other)) => one.cmp(other),
        _ => match (one.as_decimal(), other.as_decimal()) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one.to_string().cmp(&other.to_string()),
        },
    }
}
