//! Answers with records: lists in their envelopes, and single ones.

use std::borrow::Cow;
use std::fmt;

use atlas_connectors::erp::Record;
use atlas_connectors::error::{BadPayload, ProviderMessage};
use atlas_connectors::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::odata::row_messages;
use crate::rows::{ListSeed, PlanState, Reading, RowPlan, RowRead, RowSeed, Shared, fault};

/// A page of records.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ODataPage {
    /// The records.
    pub records: Vec<Record>,
    /// Where the next page is: opaque, to be resolved by [`crate::odata::ServiceRoot::resolve`]. An empty page may have one.
    pub next: Option<String>,
    /// Where changes since now will be, on the last page, if the server tracks changes.
    pub delta: Option<String>,
    /// The number of all records, where it was asked for.
    pub count: Option<u64>,
    /// Addresses of records that are gone, in a list of changes.
    pub removed: Vec<String>,
    /// What rows say to people.
    pub messages: Vec<ProviderMessage>,
}

/// Largest answer, and most rows of a page: what a service that ignores `$top` sends is not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageLimits {
    /// Bytes of the body.
    pub bytes: usize,
    /// Rows, those of expanded lists included.
    pub rows: usize,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self {
            bytes: 256 * 1024 * 1024,
            rows: 1_000_000,
        }
    }
}

/// Reads a page in the envelope of either version: V4's `value`; V2's `d.results`, `d[]`, `d.<name>`, or a single record in `d`.
///
/// # Errors
/// [`BadPayload`]: ended early, no JSON (a login page), another shape, more than the limits.
/// [`atlas_connectors::ErrorKind::SchemaMismatch`] naming a field whose value is of another type.
/// [`atlas_connectors::ErrorKind::Unsupported`] where an expanded list came in part.
pub fn read_page(operation: &'static str, plan: &RowPlan, body: &[u8], limits: PageLimits) -> Result<ODataPage> {
    read(operation, plan, body, limits, false)
}

/// Reads one record: V4's object, V2's `d{…}` or `d.<name>{…}`. `None` for an empty body or null.
///
/// # Errors
/// As [`read_page`].
pub fn read_record(operation: &'static str, plan: &RowPlan, body: &[u8]) -> Result<Option<ODataPage>> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let page = read(operation, plan, body, PageLimits::default(), true)?;
    Ok((!page.records.is_empty()).then_some(page))
}

fn read(operation: &'static str, plan: &RowPlan, body: &[u8], limits: PageLimits, one: bool) -> Result<ODataPage> {
    let reading = Reading { operation, body };
    if body.len() > limits.bytes {
        return Err(Error::new(BadPayload::TooLarge, operation).with_context("bytes", body.len()));
    }
    let shared = Shared {
        most: limits.rows,
        ..Shared::default()
    };
    let state = PlanState::new(plan, &shared);
    let mut page = ODataPage::default();
    let mut json = serde_json::Deserializer::from_str(reading.text()?);
    let envelope = Envelope {
        state: &state,
        page: &mut page,
        one,
        level: Level::Root,
    };
    let found = envelope
        .deserialize(&mut json)
        .and_then(|found| json.end().map(|()| found));
    let found = found.map_err(|error| fault(&reading, &shared, &error))?;
    if !found {
        return Err(Error::new(BadPayload::Type, operation).with_context("bytes", body.len()));
    }
    drop(state);
    crate::rows::check_cut(&reading, &shared)?;
    page.removed = shared.removed.into_inner();
    page.messages = shared
        .messages
        .into_inner()
        .iter()
        .flat_map(|json| row_messages(json))
        .collect();
    Ok(page)
}

/// Where in the envelope the reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The whole answer.
    Root,
    /// V2's `d`.
    D,
    /// `d.<name>` of a function import.
    Named,
}

/// Reads an envelope; says whether it held rows or a record.
struct Envelope<'s, 'p> {
    state: &'s PlanState<'p>,
    page: &'s mut ODataPage,
    one: bool,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for Envelope<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OData answer")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<bool, E> {
        Ok(self.level != Level::Root)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<bool, A::Error> {
        if self.level == Level::Root {
            return Err(serde::de::Error::custom("a bare list"));
        }
        self.page.records = ListSeed(self.state).visit_seq(rows)?;
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let mut found = false;
        // Members that may turn out to be a record's own.
        let mut rest: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            match (&*name, self.level) {
                ("d", Level::Root) => {
                    found = members.next_value_seed(Envelope {
                        state: self.state,
                        page: &mut *self.page,
                        one: self.one,
                        level: Level::D,
                    })?;
                }
                ("value", Level::Root) if !self.one => {
                    self.page.records = members.next_value_seed(ListSeed(self.state))?;
                    found = true;
                }
                ("results", Level::D | Level::Named) => {
                    self.page.records = members.next_value_seed(ListSeed(self.state))?;
                    found = true;
                }
                ("@odata.nextLink" | "@nextLink", Level::Root) | ("__next", _) => {
                    self.page.next = members.next_value::<Option<String>>()?;
                }
                ("@odata.deltaLink" | "@deltaLink", Level::Root) | ("__delta", _) => {
                    self.page.delta = members.next_value::<Option<String>>()?;
                }
                ("@odata.count" | "@count", Level::Root) | ("__count", _) => {
                    let raw = members.next_value::<&RawValue>()?.get();
                    self.page.count = raw.trim_matches('"').parse().ok();
                }
                ("@odata.context" | "@context" | "@odata.metadataEtag" | "@metadataEtag", Level::Root) => {
                    members.next_value::<IgnoredAny>()?;
                }
                _ => rest.push((name, members.next_value::<&RawValue>()?)),
            }
        }
        if found {
            return Ok(true);
        }
        if rest.is_empty() {
            return Ok(false);
        }
        if self.level == Level::Root && !self.one {
            return Ok(false);
        }
        self.record_of(rest).map_err(serde::de::Error::custom)
    }
}

impl<'de> Envelope<'_, '_> {
    /// A record whose members were set aside, or V2's `d.<name>`.
    fn record_of(self, rest: Vec<(Cow<'de, str>, &'de RawValue)>) -> Result<bool, serde_json::Error> {
        if let ([(name, raw)], Level::D) = (rest.as_slice(), self.level) {
            let opens = raw.get().starts_with(['{', '[']);
            if opens && !name.starts_with("__") {
                let mut json = serde_json::Deserializer::from_str(raw.get());
                let named = Envelope {
                    level: Level::Named,
                    ..self
                };
                return named.deserialize(&mut json);
            }
        }
        let members = serde::de::value::MapDeserializer::new(rest.into_iter());
        match RowSeed(self.state).visit_map(members)? {
            RowRead::Record(record) => self.page.records.push(record),
            RowRead::Removed | RowRead::Deferred => {}
        }
        Ok(true)
    }
}
