//! What the mock knows: records, users, sessions, locks, counters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use atlas_connectors::{Clock, Timestamp};

use super::answer::{Refusal, Reply};
use super::counters::Counters;
use super::schema::{Kind, Table, TableDef};
use super::server::Settings;

/// One record. Values in the order of the schema's fields.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) values: Vec<Option<String>>,
    /// Rises with every change; part of the etag.
    pub(super) version: u64,
    /// False for a draft.
    pub(super) active: bool,
}

/// Who may log on.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) password: String,
    pub(super) may_read: bool,
    pub(super) may_write: bool,
    pub(super) failures: u32,
}

/// One security session.
#[derive(Clone, Debug)]
pub(super) struct SessionState {
    pub(super) token: Option<String>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) base: String,
    pub(super) settings: Settings,
    pub(super) data: BTreeMap<Table, Vec<Row>>,
    pub(super) users: BTreeMap<String, User>,
    pub(super) bearers: BTreeSet<String>,
    pub(super) sessions: HashMap<String, SessionState>,
    pub(super) locks: BTreeMap<(Table, String), String>,
    /// Services that are not registered, by path.
    pub(super) absent: BTreeSet<String>,
    /// Services that nobody may start, by path.
    pub(super) forbidden: BTreeSet<String>,
    /// Sets that nobody may write to.
    pub(super) closed: BTreeSet<Table>,
    pub(super) counters: Counters,
    pub(super) numbers: BTreeMap<Table, u64>,
    /// Answers to creates with a request id, where the system keeps them.
    pub(super) repeats: HashMap<String, Reply>,
}

/// The part of the world that a change set can roll back.
pub(super) struct Snapshot {
    data: BTreeMap<Table, Vec<Row>>,
    counters: Counters,
    numbers: BTreeMap<Table, u64>,
    repeats: HashMap<String, Reply>,
}

impl World {
    pub(super) fn rows(&self, table: Table) -> &[Row] {
        self.data.get(&table).map_or(&[], Vec::as_slice)
    }

    pub(super) fn rows_mut(&mut self, table: Table) -> &mut Vec<Row> {
        self.data.entry(table).or_default()
    }

    /// Where the record with this key is; keys as (field, value), `IsActiveEntity` apart.
    pub(super) fn find(&self, def: &TableDef, key: &Key) -> Option<usize> {
        self.rows(def.table).iter().position(|row| {
            let same = key
                .values
                .iter()
                .all(|(at, wanted)| row.values.get(*at).and_then(Option::as_deref) == Some(wanted.as_str()));
            same && (!def.draft || row.active == key.active)
        })
    }

    pub(super) fn get(&self, def: &TableDef, key: &Key, v4: bool) -> Result<&Row, Refusal> {
        self.find(def, key)
            .and_then(|at| self.rows(def.table).get(at))
            .ok_or_else(|| Refusal::not_found(&def.type_name(v4)))
    }

    pub(super) fn next_number(&mut self, table: Table) -> String {
        let first = match table {
            Table::SalesOrder => 900_000,
            Table::PurchaseOrder => 4_590_000_000,
            Table::SupplierInvoice => 5_100_000_000,
            _ => 1_900_000,
        };
        let next = self.numbers.entry(table).or_insert(first);
        let number = *next;
        *next += 1;
        let number = number.to_string();
        match self.settings.padded_keys {
            true => format!("{number:0>10}"),
            false => number,
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            data: self.data.clone(),
            counters: self.counters.clone(),
            numbers: self.numbers.clone(),
            repeats: self.repeats.clone(),
        }
    }

    /// Undoes everything since, the count of requests excepted.
    pub(super) fn roll_back(&mut self, to: Snapshot) {
        let requests = std::mem::take(&mut self.counters.requests);
        self.data = to.data;
        self.counters = to.counters;
        self.counters.requests = requests;
        self.numbers = to.numbers;
        self.repeats = to.repeats;
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Now, as a stamp is kept.
    pub(super) fn stamp(&self) -> String {
        stamp_text(self.now())
    }

    pub(super) fn today(&self) -> String {
        self.stamp().get(..10).unwrap_or_default().to_owned()
    }
}

/// The key of one record, by positions of its fields.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) values: Vec<(usize, String)>,
    pub(super) active: bool,
}

impl Row {
    /// A record with the initial values of an ABAP system: texts empty, numbers zero, dates null.
    pub(super) fn initial(def: &TableDef) -> Self {
        Self {
            values: def.fields.iter().map(|field| initial(field.kind)).collect(),
            version: 1,
            active: true,
        }
    }

    pub(super) fn value(&self, def: &TableDef, name: &str) -> Option<&str> {
        let at = def.at(name, false).or_else(|| def.at(name, true))?;
        self.values.get(at).and_then(Option::as_deref)
    }

    pub(super) fn set(&mut self, def: &TableDef, name: &str, value: impl Into<String>) {
        let at = def.at(name, false).or_else(|| def.at(name, true));
        if let Some(slot) = at.and_then(|at| self.values.get_mut(at)) {
            *slot = Some(value.into());
        }
    }

    pub(super) fn key(&self, def: &TableDef) -> Key {
        let values = def.keys().map(|(at, _)| {
            let value = self.values.get(at).cloned().flatten();
            (at, value.unwrap_or_default())
        });
        Key {
            values: values.collect(),
            active: self.active,
        }
    }

    /// Opaque, as SAP's are: made of the stamp and the version.
    pub(super) fn etag(&self, def: &TableDef) -> Option<String> {
        let stamp = self.value(def, def.stamp?)?;
        let digits: String = stamp.chars().filter(char::is_ascii_digit).collect();
        Some(format!("W/\"SADL-{digits}~{:07}\"", self.version))
    }
}

pub(super) fn initial(kind: Kind) -> Option<String> {
    match kind {
        Kind::Text(_) => Some(String::new()),
        Kind::Decimal(_, scale) => Some(scaled("0", scale)),
        Kind::Bool => Some("false".to_owned()),
        Kind::Date | Kind::Stamp => None,
    }
}

/// A number with exactly this many decimals, as numbers are kept; what is beyond is refused before.
pub(super) fn scaled(number: &str, scale: u32) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let scale = scale as usize;
    match scale {
        0 => whole.to_owned(),
        _ => format!("{whole}.{fraction:0<scale$}"),
    }
}

pub(super) fn stamp_text(moment: Timestamp) -> String {
    let text = moment.to_string();
    super::filter::stamp(&text).unwrap_or(text)
}

/// Milliseconds since the epoch of a date or a stamp as they are kept.
pub(super) fn millis(text: &str) -> i64 {
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    full.parse::<Timestamp>().map_or(0, Timestamp::unix_millis)
}

/// A date or stamp as it is kept, from milliseconds.
pub(super) fn from_millis(millis: i64, kind: Kind) -> String {
    let stamp = stamp_text(Timestamp::from_unix_millis(millis));
    match kind {
        Kind::Date => stamp.get(..10).unwrap_or_default().to_owned(),
        _ => stamp,
    }
}
