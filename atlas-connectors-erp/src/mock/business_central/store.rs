//! The records of one company, and how they are read.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::ApiError;
use super::cell::{Cell, quoted};
use super::options::{Options, write_token};
use super::schema::{Entity, Field, Ty, of_set};

/// A record.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: String,
    /// Rises with every change; the etag is made of it.
    pub(super) version: u64,
    pub(super) cells: BTreeMap<&'static str, Cell>,
}

impl Row {
    pub(super) fn cell(&self, field: &str) -> &Cell {
        self.cells.get(field).unwrap_or(&Cell::Null)
    }

    pub(super) fn text(&self, field: &str) -> &str {
        self.cell(field).as_text()
    }

    /// Weak, base64 inside, as the service makes them.
    pub(super) fn etag(&self) -> String {
        let inside = format!("'19;{:019};00;'", self.version);
        format!("W/\"{}\"", STANDARD.encode(inside))
    }
}

/// A company of an environment.
#[derive(Clone, Debug)]
pub(super) struct Company {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) tables: BTreeMap<&'static str, Vec<Row>>,
    /// The last number given in each series.
    pub(super) numbers: BTreeMap<&'static str, u32>,
}

impl Company {
    pub(super) fn rows(&self, set: &str) -> &[Row] {
        self.tables.get(set).map_or(&[], Vec::as_slice)
    }

    pub(super) fn row(&self, set: &str, id: &str) -> Result<&Row, ApiError> {
        let id = id.to_ascii_lowercase();
        self.rows(set)
            .iter()
            .find(|row| row.id == id)
            .ok_or_else(ApiError::no_record)
    }

    pub(super) fn row_mut(&mut self, set: &str, id: &str) -> Result<&mut Row, ApiError> {
        let id = id.to_ascii_lowercase();
        self.tables
            .get_mut(set)
            .and_then(|rows| rows.iter_mut().find(|row| row.id == id))
            .ok_or_else(ApiError::no_record)
    }

    /// The lines of a document, in order.
    pub(super) fn lines<'a>(&'a self, set: &str, document: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows(set)
            .iter()
            .filter(move |row| row.text("documentId") == document)
    }

    /// A record as JSON text, with the relations that were asked for.
    pub(super) fn json(&self, entity: &Entity, row: &Row, options: &Options) -> String {
        let mut out = String::from("{");
        let _ = write!(out, "\"@odata.etag\":{}", quoted(&row.etag()));
        for field in entity.fields {
            let asked = options.select.is_empty() || options.select.contains(&field.name) || field.name == "id";
            if asked {
                let _ = write!(out, ",\"{}\":{}", field.name, row.cell(field.name).json());
            }
        }
        for expand in &options.expand {
            let relation = expand.relation;
            let Some(target) = of_set(relation.set) else { continue };
            let key = row.text(relation.own);
            let mut found: Vec<&Row> = self
                .rows(relation.set)
                .iter()
                .filter(|one| one.text(relation.theirs) == key && expand.options.filter.holds(one))
                .collect();
            found.sort_by(|a, b| order(&sorting(target, &expand.options), a, b));
            let mut inner = found.into_iter().map(|one| self.json(target, one, &expand.options));
            let value = if relation.many {
                format!("[{}]", inner.collect::<Vec<_>>().join(","))
            } else {
                inner.next().unwrap_or_else(|| "null".to_owned())
            };
            let _ = write!(out, ",\"{}\":{value}", relation.name);
        }
        out.push('}');
        out
    }

    /// One page: the rows as JSON, the number of all that match, the token of the next page.
    pub(super) fn page(
        &self,
        entity: &Entity,
        options: &Options,
        within: impl Fn(&Row) -> bool,
        page_size: usize,
    ) -> Page {
        let sorting = sorting(entity, options);
        let mut rows: Vec<&Row> = self
            .rows(entity.set)
            .iter()
            .filter(|row| within(row) && options.filter.holds(row))
            .collect();
        rows.sort_by(|a, b| order(&sorting, a, b));
        let count = rows.len();
        if let Some(after) = &options.after {
            rows.retain(|row| is_after(&sorting, row, after));
        }
        let rest = rows.get(options.skip..).unwrap_or_default();
        let size = options.top.map_or(page_size, |top| top.min(page_size));
        let page = rest.get(..size.min(rest.len())).unwrap_or_default();
        // With `$top` no link to a next page is given, however many are left.
        let more = rest.len() > page.len() && options.top.is_none();
        Page {
            rows: page.iter().map(|row| self.json(entity, row, options)).collect(),
            count,
            next: page.last().filter(|_| more).map(|row| {
                let mut values: Vec<String> = sorting
                    .iter()
                    .map(|(field, _)| row.text(field.name).to_owned())
                    .collect();
                values.push(row.id.clone());
                write_token(&values)
            }),
        }
    }
}

pub(super) struct Page {
    pub(super) rows: Vec<String>,
    pub(super) count: usize,
    pub(super) next: Option<String>,
}

/// What rows are ordered by: what was asked for, else the page's own field; the id decides among equals.
fn sorting(entity: &Entity, options: &Options) -> Vec<(&'static Field, bool)> {
    if options.order.is_empty() {
        entity
            .field(entity.order())
            .map(|field| (field, false))
            .into_iter()
            .collect()
    } else {
        options.order.clone()
    }
}

fn order(sorting: &[(&'static Field, bool)], a: &Row, b: &Row) -> Ordering {
    sorting
        .iter()
        .map(|(field, falling)| {
            let ordering = a.cell(field.name).compare(b.cell(field.name), field.ty);
            if *falling { ordering.reverse() } else { ordering }
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or_else(|| a.id.cmp(&b.id))
}

fn is_after(sorting: &[(&'static Field, bool)], row: &Row, after: &[String]) -> bool {
    for ((field, falling), value) in sorting.iter().zip(after) {
        let value = match field.ty {
            Ty::Whole | Ty::Number => Cell::Number(value.clone()),
            _ => Cell::Text(value.clone()),
        };
        let ordering = row.cell(field.name).compare(&value, field.ty);
        match if *falling { ordering.reverse() } else { ordering } {
            Ordering::Equal => {}
            other => return other.is_gt(),
        }
    }
    after.last().is_some_and(|id| row.id > *id)
}
