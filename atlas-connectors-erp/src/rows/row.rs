//! One row and lists of rows.

use std::cell::{Cell, RefCell};
use std::fmt;

use atlas_connectors::erp::{Etag, Record, RecordKey, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::rows::cell::CellSeed;
use crate::rows::plan::{CellKind, NullRules, RowPlan};

/// What is found beside the records, for a whole page.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The field that could not be read.
    pub(crate) failed: RefCell<Option<String>>,
    /// JSON texts of the rows' own messages.
    pub(crate) messages: RefCell<Vec<Box<str>>>,
    /// Addresses of removed records (a delta's `@removed`).
    pub(crate) removed: RefCell<Vec<String>>,
    /// An expanded list came in part only.
    pub(crate) cut: Cell<bool>,
    /// Rows so far, and how many there may be.
    pub(crate) rows: Cell<usize>,
    pub(crate) most: usize,
}

impl Shared {
    pub(super) fn cut_list(&self) {
        self.cut.set(true);
    }
}

/// A plan while a page is read: it remembers the order in which members came.
#[derive(Debug)]
pub(crate) struct PlanState<'p> {
    plan: &'p RowPlan,
    pub(super) shared: &'p Shared,
    order: RefCell<Vec<(Box<str>, Slot)>>,
    nested: Vec<Option<Box<Self>>>,
    is_key: Vec<bool>,
}

/// What a member is.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Cell(usize),
    Etag,
    Metadata,
    Messages,
    Deferred,
    Removed,
    Id,
    CutList,
    Skip,
}

impl<'p> PlanState<'p> {
    pub(crate) fn new(plan: &'p RowPlan, shared: &'p Shared) -> Self {
        let nested = |cell: &'p crate::rows::plan::Cell| match &cell.kind {
            CellKind::One(plan) | CellKind::Many(plan) => Some(Box::new(PlanState::new(plan, shared))),
            _ => None,
        };
        let mut is_key = vec![false; plan.cells.len()];
        for at in &plan.key {
            if let Some(mark) = is_key.get_mut(*at) {
                *mark = true;
            }
        }
        Self {
            plan,
            shared,
            order: RefCell::new(Vec::new()),
            nested: plan.cells.iter().map(nested).collect(),
            is_key,
        }
    }

    /// Members come in the same order in every row, nearly always.
    fn slot(&self, at: usize, name: &str) -> Slot {
        let mut order = self.order.borrow_mut();
        if let Some((known, slot)) = order.get(at)
            && **known == *name
        {
            return *slot;
        }
        let slot = self.look_up(name);
        let entry = (name.into(), slot);
        match order.get_mut(at) {
            Some(known) => *known = entry,
            None => order.push(entry),
        }
        slot
    }

    fn look_up(&self, name: &str) -> Slot {
        match name {
            "@odata.etag" | "@etag" => Slot::Etag,
            "__metadata" => Slot::Metadata,
            "SAP__Messages" => Slot::Messages,
            "__deferred" => Slot::Deferred,
            "@removed" | "@odata.removed" => Slot::Removed,
            "@id" | "@odata.id" => Slot::Id,
            _ => match self.plan.index.get(name) {
                Some(at) => Slot::Cell(*at),
                None => match name.split_once('@') {
                    Some((list, "odata.nextLink" | "nextLink")) if self.plan.index.contains_key(list) => Slot::CutList,
                    _ => Slot::Skip,
                },
            },
        }
    }

    fn name_fault(&self, at: usize) {
        let mut failed = self.shared.failed.borrow_mut();
        if failed.is_none() {
            let field = self.plan.cells.get(at).map_or("", |cell| cell.name.as_str());
            *failed = Some(format!("{}.{field}", self.plan.entity));
        }
    }
}

/// What a row is.
pub(crate) enum RowRead {
    Record(Record),
    /// A delta's mark that a record is gone.
    Removed,
    /// V2: an address in the place of a record.
    Deferred,
}

/// Reads one row.
pub(crate) struct RowSeed<'p>(pub(crate) &'p PlanState<'p>);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = RowRead;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RowRead, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = RowRead;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<RowRead, A::Error> {
        read_row(self.0, members)
    }
}

/// Reads a list of rows.
pub(crate) struct ListSeed<'p>(pub(crate) &'p PlanState<'p>);

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = Vec<Record>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Record>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = Vec<Record>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Vec<Record>, A::Error> {
        let shared = self.0.shared;
        let mut out = Vec::new();
        while let Some(row) = rows.next_element_seed(RowSeed(self.0))? {
            shared.rows.set(shared.rows.get() + 1);
            if shared.rows.get() > shared.most {
                return Err(A::Error::custom("more rows than allowed"));
            }
            if let RowRead::Record(record) = row {
                out.push(record);
            }
        }
        Ok(out)
    }
}

pub(super) fn read_row<'de, A: MapAccess<'de>>(state: &PlanState<'_>, mut members: A) -> Result<RowRead, A::Error> {
    let plan = state.plan;
    let mut values: Vec<Value> = Vec::new();
    values.resize_with(plan.cells.len(), || Value::Null);
    let mut etag: Option<Etag> = None;
    let (mut deferred, mut removed, mut id) = (false, false, None);
    let mut at = 0;
    while let Some(slot) = members.next_key_seed(NameSeed { state, at })? {
        at += 1;
        match slot {
            Slot::Cell(cell) => {
                let Some(known) = plan.cells.get(cell) else {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                };
                let is_key = state.is_key.get(cell).copied().unwrap_or_default();
                let seed = CellSeed {
                    kind: &known.kind,
                    nulls: if is_key { NullRules::default() } else { plan.nulls },
                    nested: state.nested.get(cell).and_then(Option::as_deref),
                };
                let value = members.next_value_seed(seed).inspect_err(|_| state.name_fault(cell))?;
                if let Some(slot) = values.get_mut(cell) {
                    *slot = value;
                }
            }
            Slot::Etag => etag = members.next_value::<Option<Box<str>>>()?.map(Etag::new),
            Slot::Metadata => {
                if let Some(found) = members.next_value_seed(MetadataSeed)? {
                    etag = Some(Etag::new(found));
                }
            }
            Slot::Messages => {
                let raw = members.next_value::<&RawValue>()?.get();
                if raw.len() > 2 && raw != "null" {
                    state.shared.messages.borrow_mut().push(raw.into());
                }
            }
            Slot::Id => id = members.next_value::<Option<String>>()?,
            Slot::Deferred | Slot::Removed | Slot::CutList | Slot::Skip => {
                members.next_value::<IgnoredAny>()?;
                match slot {
                    Slot::Deferred => deferred = true,
                    Slot::Removed => removed = true,
                    Slot::CutList => state.shared.cut_list(),
                    _ => {}
                }
            }
        }
    }
    if removed {
        state.shared.removed.borrow_mut().extend(id);
        return Ok(RowRead::Removed);
    }
    if deferred {
        return Ok(RowRead::Deferred);
    }
    let key = match plan.key.as_slice() {
        [] => RecordKey::single(""),
        [one] => RecordKey::Single(key_text(state, *one, &values)?),
        several => {
            let part = |at: &usize| {
                let name = plan.cells.get(*at).map(|cell| cell.name.clone());
                let text = key_text(state, *at, &values)?;
                name.map(|name| (name, text))
                    .ok_or_else(|| A::Error::custom("no such member"))
            };
            RecordKey::Composite(several.iter().map(part).collect::<Result<_, A::Error>>()?)
        }
    };
    let version = plan.version.filter(|_| etag.is_none()).and_then(|at| values.get(at));
    let version = version.filter(|value| !value.is_null()).map(ToString::to_string);
    let mut record = Record::new(plan.entity.clone(), key, plan.columns.clone(), values);
    if let Some(etag) = etag {
        record = record.with_etag(etag);
    }
    if let Some(version) = version {
        record = record.with_version(version);
    }
    Ok(RowRead::Record(record))
}

/// The text of a key's field; without it a record could not be found again.
fn key_text<E: Error>(state: &PlanState<'_>, at: usize, values: &[Value]) -> Result<Box<str>, E> {
    match values.get(at) {
        Some(Value::Text(text) | Value::Enum(text)) => Ok(text.as_str().into()),
        Some(Value::Bool(yes)) => Ok(if *yes { "true" } else { "false" }.into()),
        None | Some(Value::Null) => {
            state.name_fault(at);
            Err(E::custom("no key"))
        }
        Some(value) => Ok(value.to_string().into()),
    }
}

struct NameSeed<'s, 'p> {
    state: &'s PlanState<'p>,
    at: usize,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_, '_> {
    type Value = Slot;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_, '_> {
    type Value = Slot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Slot, E> {
        Ok(self.state.slot(self.at, name))
    }
}

/// V2's `__metadata`: the ETag of it.
struct MetadataSeed;

impl<'de> DeserializeSeed<'de> for MetadataSeed {
    type Value = Option<Box<str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MetadataSeed {
    type Value = Option<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut etag = None;
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            if name == "etag" {
                etag = members.next_value::<Option<Box<str>>>()?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(etag)
    }
}
