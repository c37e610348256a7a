//! What is stored: records by entity, company and key.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::erp::{EntityName, FieldName, RecordKey, Value};
use crate::ids::CompanyId;

/// Everything that a write changes, and that is taken back when a change set is undone.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    tables: BTreeMap<EntityName, BTreeMap<Place, Stored>>,
    pub(super) gone: Vec<Gone>,
    /// Raised by every change; the state of a record is the tick of its last change.
    pub(super) tick: u64,
    /// Last number given to a record.
    pub(super) serial: i64,
    /// Changes that were accepted.
    pub(super) effects: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) key: RecordKey,
    pub(super) values: BTreeMap<FieldName, Value>,
    pub(super) tick: u64,
    /// What a create of ours is found by.
    pub(super) marker: Option<String>,
    pub(super) parent: Option<Parent>,
}

/// The record and relation that a line hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) entity: EntityName,
    pub(super) key: RecordKey,
    pub(super) relation: FieldName,
}

#[derive(Clone, Debug)]
pub(super) struct Gone {
    pub(super) entity: EntityName,
    pub(super) company: Option<CompanyId>,
    pub(super) key: RecordKey,
    pub(super) tick: u64,
}

/// Where a record stands: within its company in the order of keys, numbers by value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    company: Option<CompanyId>,
    parts: Vec<KeyPart>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyPart {
    Number(i64),
    Text(Box<str>),
}

impl Place {
    pub(super) fn of(company: Option<&CompanyId>, key: &RecordKey) -> Self {
        let part = |text: &str| match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => KeyPart::Number(number),
            _ => KeyPart::Text(text.into()),
        };
        Self {
            company: company.cloned(),
            parts: match key {
                RecordKey::Single(key) => vec![part(key)],
                RecordKey::Composite(parts) => parts.iter().map(|(_, value)| part(value)).collect(),
            },
        }
    }
}

impl Data {
    pub(super) fn next_tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    pub(super) fn find(&self, entity: &EntityName, company: Option<&CompanyId>, key: &RecordKey) -> Option<&Stored> {
        self.tables.get(entity)?.get(&Place::of(company, key))
    }

    pub(super) fn find_mut(
        &mut self,
        entity: &EntityName,
        company: Option<&CompanyId>,
        key: &RecordKey,
    ) -> Option<&mut Stored> {
        self.tables.get_mut(entity)?.get_mut(&Place::of(company, key))
    }

    pub(super) fn count(&self, entity: &str) -> usize {
        self.tables.get(entity).map_or(0, BTreeMap::len)
    }

    /// The records of one company in the order of their keys.
    pub(super) fn rows<'a>(
        &'a self,
        entity: &EntityName,
        company: Option<&'a CompanyId>,
    ) -> impl Iterator<Item = (&'a Place, &'a Stored)> + 'a {
        let from = Place {
            company: company.cloned(),
            parts: Vec::new(),
        };
        let table = self.tables.get(entity);
        table
            .into_iter()
            .flat_map(move |table| table.range((Bound::Included(from.clone()), Bound::Unbounded)))
            .take_while(move |(place, _)| place.company.as_ref() == company)
    }

    /// The lines behind a relation of a record.
    pub(super) fn lines<'a>(
        &'a self,
        target: &EntityName,
        company: Option<&'a CompanyId>,
        of: &'a Parent,
    ) -> impl Iterator<Item = &'a Stored> + 'a {
        self.rows(target, company)
            .map(|(_, stored)| stored)
            .filter(move |stored| stored.parent.as_ref() == Some(of))
    }

    pub(super) fn insert(&mut self, entity: &EntityName, company: Option<&CompanyId>, stored: Stored) {
        let place = Place::of(company, &stored.key);
        self.tables.entry(entity.clone()).or_default().insert(place, stored);
    }

    /// Takes a record and its lines away.
    pub(super) fn remove(&mut self, entity: &EntityName, company: Option<&CompanyId>, key: &RecordKey) -> bool {
        let found = self
            .tables
            .get_mut(entity)
            .and_then(|table| table.remove(&Place::of(company, key)));
        if found.is_none() {
            return false;
        }
        let tick = self.next_tick();
        self.gone.push(Gone {
            entity: entity.clone(),
            company: company.cloned(),
            key: key.clone(),
            tick,
        });
        let hangs_on =
            |stored: &Stored| matches!(&stored.parent, Some(parent) if parent.entity == *entity && parent.key == *key);
        let lines: Vec<(EntityName, RecordKey)> = self
            .tables
            .iter()
            .flat_map(|(name, table)| table.iter().map(move |(place, stored)| (name, place, stored)))
            .filter(|(_, place, stored)| place.company.as_ref() == company && hangs_on(stored))
            .map(|(name, _, stored)| (name.clone(), stored.key.clone()))
            .collect();
        for (name, key) in lines {
            self.remove(&name, company, &key);
        }
        true
    }
}
