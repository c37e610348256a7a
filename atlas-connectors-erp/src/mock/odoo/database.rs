//! One database: its rows, users, external ids and the moment of the running transaction.

use std::collections::{BTreeMap, BTreeSet};

use atlas_connectors::Timestamp;

use crate::mock::odoo::Version;
use crate::mock::odoo::models;
use crate::odoo::wire::Json;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rights {
    /// Everything, in every company.
    Admin,
    /// An internal user without sales, purchase or accounting right.
    Limited,
    /// A salesman: own orders only.
    Sales,
    /// Sales, purchase, contact and invoicing rights, no Settings right.
    Bot,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) row: i64,
    pub(super) secret: String,
    pub(super) scope: Option<String>,
    pub(super) expires: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) login: String,
    pub(super) name: String,
    pub(super) password: String,
    pub(super) rights: Rights,
    pub(super) companies: Vec<i64>,
    pub(super) active: bool,
    pub(super) second_factor: bool,
    pub(super) keys: Vec<Key>,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) values: BTreeMap<&'static str, Json>,
    pub(super) created: i64,
    pub(super) written: i64,
    pub(super) creator: i64,
    pub(super) writer: i64,
}

impl Row {
    pub(super) fn value(&self, name: &str) -> &Json {
        const UNSET: &Json = &Json::Bool(false);
        self.values.get(name).unwrap_or(UNSET)
    }

    pub(super) fn id_in(&self, name: &str) -> Option<i64> {
        self.value(name).as_int()
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.value(name).as_text().unwrap_or_default()
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) rows: BTreeMap<i64, Row>,
    pub(super) last: i64,
}

/// Effects that were carried out and committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(BTreeMap<(&'static str, String), u64>);

impl Counts {
    pub(super) fn add(&mut self, kind: &'static str, model: &str, by: u64) {
        let count = self.0.entry((kind, model.to_owned())).or_default();
        *count = count.saturating_add(by);
    }

    pub(super) fn of(&self, kind: &'static str, model: &str) -> u64 {
        self.0.get(&(kind, model.to_owned())).copied().unwrap_or(0)
    }

    pub(super) fn sum(&self, kind: &'static str) -> u64 {
        let counts = self.0.iter().filter(|((of, _), _)| *of == kind);
        counts.map(|(_, count)| *count).sum()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) version: Version,
    pub(super) tables: BTreeMap<&'static str, Table>,
    pub(super) names: BTreeMap<String, (&'static str, i64)>,
    pub(super) users: Vec<User>,
    pub(super) uninstalled: BTreeSet<String>,
    /// Start of the running transaction, in microseconds since 1970.
    pub(super) now: i64,
    pub(super) counts: Counts,
}

impl Database {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            tables: BTreeMap::new(),
            names: BTreeMap::new(),
            users: Vec::new(),
            uninstalled: BTreeSet::new(),
            now: 0,
            counts: Counts::default(),
        }
    }

    /// Begins a transaction: each has a moment of its own, however little time has passed.
    pub(super) fn begin(&mut self, at: Timestamp) {
        let micros = at.unix_millis().saturating_mul(1000);
        self.now = micros.max(self.now.saturating_add(1));
    }

    pub(super) fn table(&self, model: &str) -> Option<&Table> {
        self.tables.get(model)
    }

    pub(super) fn row(&self, model: &str, id: i64) -> Option<&Row> {
        self.table(model)?.rows.get(&id)
    }

    pub(super) fn row_mut(&mut self, model: &str, id: i64) -> Option<&mut Row> {
        self.tables.get_mut(model)?.rows.get_mut(&id)
    }

    /// Adds a row as it is, as of the running transaction.
    pub(super) fn insert(&mut self, model: &'static str, creator: i64, values: BTreeMap<&'static str, Json>) -> i64 {
        let now = self.now;
        let table = self.tables.entry(model).or_default();
        table.last = table.last.saturating_add(1);
        table.rows.insert(
            table.last,
            Row {
                values,
                created: now,
                written: now,
                creator,
                writer: creator,
            },
        );
        table.last
    }

    pub(super) fn children(&self, relation: &str, of: i64) -> Vec<i64> {
        let Some((model, inverse)) = relation.split_once('/') else {
            return Vec::new();
        };
        let Some(table) = self.table(model) else {
            return Vec::new();
        };
        let rows = table.rows.iter();
        rows.filter(|(_, row)| row.id_in(inverse) == Some(of))
            .map(|(id, _)| *id)
            .collect()
    }

    /// The name that stands for a record where another one refers to it.
    pub(super) fn display_name(&self, model: &str, id: i64) -> String {
        let Some(row) = self.row(model, id) else {
            return String::new();
        };
        let name = row.text("name");
        match model {
            "product.product" | "product.template" if !row.text("default_code").is_empty() => {
                format!("[{}] {name}", row.text("default_code"))
            }
            "res.partner" => match row.id_in("parent_id") {
                Some(parent) => format!("{}, {name}", self.display_name(model, parent)),
                None => name.to_owned(),
            },
            "sale.order.line" | "purchase.order.line" => {
                let parent = model.trim_end_matches(".line");
                let order = row.id_in("order_id").map(|id| self.display_name(parent, id));
                format!("{} - {name}", order.unwrap_or_default())
            }
            "account.move" if name.is_empty() => "Draft Invoice".to_owned(),
            _ => name.to_owned(),
        }
    }

    pub(super) fn user(&self, id: i64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(super) fn is_installed(&self, model: &str) -> bool {
        models::model(model).is_some() && !self.uninstalled.contains(model)
    }

    /// The user of a secret, if it is good for calls: a key without scope that has not expired, or a password without a
    /// second factor.
    pub(super) fn secret_of(&self, user: &User, secret: &str, keys_only: bool, at: Timestamp) -> bool {
        let key = user.keys.iter().any(|key| {
            let row_is_there = self.row("res.users.apikeys", key.row).is_some();
            let running = key.expires.is_none_or(|expires| expires > at);
            row_is_there && running && key.scope.is_none() && key.secret == secret
        });
        let password = !keys_only && !user.second_factor && !secret.is_empty() && user.password == secret;
        user.active && (key || password)
    }
}

/// `2026-11-22 02:40:03`, as every datetime is written.
pub(super) fn datetime(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let text = Timestamp::from_unix_seconds(seconds).to_string();
    text.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// Microseconds of a datetime text, if it has exactly the server's format.
pub(super) fn micros(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(' ')?;
    if time.len() != 8 {
        return None;
    }
    let moment: Timestamp = format!("{date}T{time}Z").parse().ok()?;
    Some(moment.unix_millis().saturating_mul(1000))
}
