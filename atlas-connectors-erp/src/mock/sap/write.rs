//! Writing: numbers, business rules, concurrency, locks, functions and drafts.

use std::fmt::Write as _;

use super::answer::{Note, Refusal, Reply, text};
use super::body::{self, Body};
use super::read::{Options, Shape, address, one};
use super::schema::{FieldDef, Kind, LinkDef, Table, TableDef};
use super::world::{Key, Row, World, initial};

/// What of the headers matters to a write.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    pub(super) if_match: Option<String>,
    pub(super) minimal: bool,
    /// The body's decimals are texts, in V4.
    pub(super) ieee_body: bool,
    pub(super) request_id: Option<String>,
}

type Done = Result<Reply, Refusal>;

pub(super) fn create(
    world: &mut World,
    shape: &Shape<'_>,
    def: &'static TableDef,
    within: Option<(&'static TableDef, &Key, &LinkDef)>,
    json: &str,
    conditions: &Conditions,
) -> Done {
    let v4 = shape.service.v4;
    open(world, def)?;
    if !def.creatable {
        return Err(not_allowed("create", def, v4));
    }
    let id = conditions.request_id.clone().filter(|_| world.settings.repeatability);
    if let Some(before) = id.as_ref().and_then(|id| world.repeats.get(id)) {
        let before = before.clone();
        world.counters.repeats += 1;
        return Ok(before.with("repeatabilityresult", "accepted"));
    }
    let mut content = body::read(json, def, v4, conditions.ieee_body)?;
    let mut notes = Vec::new();
    let mut parent_key = None;
    if let Some((parent, key, _)) = within {
        let row = world.get(parent, key, v4)?;
        let values: Vec<_> = parent
            .keys()
            .map(|(at, _)| row.values.get(at).cloned().flatten())
            .collect();
        locked(world, parent, key)?;
        parent_key = Some(values);
    } else if matches!(def.table, Table::SalesOrderItem | Table::PurchaseOrderItem) {
        return Err(Refusal::new(
            400,
            "/IWBEP/CM_MGW_RT/021",
            "Items are created through their document",
        ));
    }
    check(world, def, &content, &mut notes, "");
    let errors: Vec<Note> = notes.iter().filter(|note| !note.warning).cloned().collect();
    if !errors.is_empty() {
        return Err(Refusal::of(400, errors));
    }
    let lines = std::mem::take(&mut content.lines);
    let mut row = Row::initial(def);
    row.active = !def.draft;
    fill(&mut row, def, &content, |field| {
        !field.computed || (def.draft && field.key)
    });
    complete(world, def, &mut row, parent_key.as_deref());
    let key = row.key(def);
    if world.find(def, &key).is_some() {
        return Err(Refusal::new(400, "CZ/113", format!("{} exists already", def.label)));
    }
    world.rows_mut(def.table).push(row);
    let number = key.values.first().map(|(_, value)| value.clone()).unwrap_or_default();
    for (table, bodies) in &lines {
        let to = table.def();
        for (at, line) in bodies.iter().enumerate() {
            let mut child = Row::initial(to);
            fill(&mut child, to, line, |field| !field.computed);
            let parent = [Some(number.clone())];
            complete(world, to, &mut child, Some(&parent));
            let item = to.keys().nth(1).map(|(at, field)| (at, field.kind));
            if let Some((slot, Kind::Text(length))) = item
                && child.values.get(slot).cloned().flatten().unwrap_or_default().is_empty()
            {
                let item = (at + 1) * 10;
                let item = match table {
                    Table::PurchaseOrderItem => format!("{item:0>width$}", width = length as usize),
                    _ => item.to_string(),
                };
                if let Some(value) = child.values.get_mut(slot) {
                    *value = Some(item);
                }
            }
            world.rows_mut(*table).push(child);
        }
    }
    match def.draft {
        true => world.counters.drafts += 1,
        false => world.counters.creates += 1,
    }
    match def.table {
        Table::SalesOrder => notes.insert(
            0,
            Note::error("V1/311", format!("Standard Order {number} has been saved"), ""),
        ),
        Table::PurchaseOrder => notes.insert(
            0,
            Note::error("06/017", format!("Standard PO created under the number {number}"), ""),
        ),
        _ => {}
    }
    let location = address(world, shape.service, def, &key);
    let mut reply = match conditions.minimal && v4 {
        true => Reply::empty(204).with("preference-applied", "return=minimal"),
        // A deep insert is answered with its parts.
        false => {
            let expand: Vec<&str> = lines
                .iter()
                .filter_map(|(table, _)| def.links.iter().find(|link| link.to == *table))
                .map(|link| link.name(v4))
                .collect();
            let options = Options::read(&format!("$expand={}", expand.join(",")), v4)?;
            one(world, shape, def, &key, &options, 201)?
        }
    };
    reply = reply.with("location", location).with_notes(&notes, v4);
    if let Some(id) = id {
        world.repeats.insert(id, reply.clone());
        reply = reply.with("repeatabilityresult", "accepted");
    }
    Ok(reply)
}

pub(super) fn update(
    world: &mut World,
    shape: &Shape<'_>,
    def: &'static TableDef,
    key: &Key,
    json: &str,
    whole: bool,
    conditions: &Conditions,
) -> Done {
    let v4 = shape.service.v4;
    open(world, def)?;
    let at = world
        .find(def, key)
        .ok_or_else(|| Refusal::not_found(&def.type_name(v4)))?;
    if !def.updatable {
        return Err(not_allowed("update", def, v4));
    }
    if def.draft && key.active {
        return Err(Refusal::new(
            405,
            "DRAFT/001",
            "Active instances are changed through their draft",
        ));
    }
    conditions_hold(world, def, at, conditions)?;
    locked(world, def, key)?;
    let content = body::read(json, def, v4, conditions.ieee_body)?;
    if !content.lines.is_empty() {
        return Err(Refusal::new(
            400,
            "/IWBEP/CM_MGW_RT/022",
            "Deep updates are not supported",
        ));
    }
    let mut notes = Vec::new();
    check_fields(world, def, &content, &mut notes, "");
    if !notes.is_empty() {
        return Err(Refusal::of(400, notes));
    }
    let stamp = world.stamp();
    let version = next_version(world);
    if let Some(row) = world.rows_mut(def.table).get_mut(at) {
        if whole {
            for (slot, field) in row.values.iter_mut().zip(def.fields) {
                if !field.computed && !field.fixed {
                    *slot = initial(field.kind);
                }
            }
        }
        // Fields that cannot be changed keep what they hold, without a word.
        fill(row, def, &content, |field| !field.computed && !field.fixed);
        adjust(def, row);
        touch(def, row, stamp, version);
    }
    world.counters.updates += 1;
    if let Some(parent) = parent_of(def.table) {
        touch_parent(world, parent, key);
    }
    if v4 && !conditions.minimal {
        return one(world, shape, def, key, &Options::default(), 200);
    }
    let mut reply = Reply::empty(204);
    if let Some(etag) = world.get(def, key, v4)?.etag(def) {
        reply = reply.with("etag", etag);
    }
    Ok(reply)
}

pub(super) fn delete(
    world: &mut World,
    shape: &Shape<'_>,
    def: &'static TableDef,
    key: &Key,
    conditions: &Conditions,
) -> Done {
    let v4 = shape.service.v4;
    open(world, def)?;
    let at = world
        .find(def, key)
        .ok_or_else(|| Refusal::not_found(&def.type_name(v4)))?;
    if !def.deletable {
        return Err(not_allowed("delete", def, v4));
    }
    conditions_hold(world, def, at, conditions)?;
    locked(world, def, key)?;
    let number = key.values.first().map(|(_, value)| value.clone()).unwrap_or_default();
    if def.table == Table::SalesOrder && number.ends_with("13") {
        return Err(Refusal::new(
            400,
            "V1/083",
            format!("Document {number} has subsequent documents; deletion is not possible"),
        ));
    }
    world.rows_mut(def.table).remove(at);
    for link in def.links {
        world
            .rows_mut(link.to)
            .retain(|child| child.values.first().cloned().flatten() != Some(number.clone()));
    }
    world.counters.deletes += 1;
    Ok(Reply::empty(204))
}

/// A V2 function import: parameters in the address.
pub(super) fn function(world: &mut World, name: &str, parameters: &[(String, String)]) -> Done {
    if !matches!(name, "releaseApprovalRequest" | "rejectApprovalRequest") {
        return Err(Refusal::new(
            400,
            "/IWFND/CM_MGW/051",
            "Resource not found for the segment",
        ));
    }
    let order = parameters
        .iter()
        .find(|(key, _)| key == "SalesOrder")
        .and_then(|(_, value)| value.strip_prefix('\'')?.strip_suffix('\'').map(str::to_owned));
    let Some(order) = order else {
        return Err(Refusal::new(
            400,
            "/IWBEP/CM_MGW_RT/023",
            "Parameter SalesOrder is missing",
        ));
    };
    let def = Table::SalesOrder.def();
    let key = Key {
        values: vec![(0, order.clone())],
        active: true,
    };
    release(world, def, &key, name)?;
    let body = format!(
        "{{\"d\":{{\"{name}\":{{\"__metadata\":{{\"type\":\"API_SALES_ORDER_SRV.FunctionResult\"}},\"Type\":\"S\",\"Message\":{}}}}}}}",
        text(&format!("Sales order {order} processed"))
    );
    Ok(Reply::json(200, false, body))
}

/// A V4 action on a record.
pub(super) fn action(
    world: &mut World,
    shape: &Shape<'_>,
    def: &'static TableDef,
    key: &Key,
    name: &str,
    json: &str,
    conditions: &Conditions,
) -> Done {
    let at = world
        .find(def, key)
        .ok_or_else(|| Refusal::not_found(&def.type_name(true)))?;
    match (def.table, name) {
        (Table::SalesOrder, "releaseApprovalRequest" | "rejectApprovalRequest") => {
            if let Ok(serde_json::Value::Object(parameters)) = serde_json::from_str(json)
                && let Some(unknown) = parameters.keys().find(|parameter| *parameter != "Note")
            {
                return Err(Refusal::property(unknown, name));
            }
            conditions_hold(world, def, at, conditions)?;
            release(world, def, key, name)?;
            let mut body = format!(
                "{{\"@odata.context\":\"../$metadata#{}.ApprovalResult\",\"Type\":\"S\",",
                shape.service.namespace
            );
            let _ = write!(body, "\"Message\":\"Sales order processed\"}}");
            Ok(Reply::json(200, true, body))
        }
        (Table::Requisition, "draftEdit" | "draftActivate" | "draftPrepare") => draft(world, shape, def, key, at, name),
        _ => Err(Refusal::new(404, "/IWBEP/CM_V4_APPS/002", "The action does not exist")),
    }
}

fn release(world: &mut World, def: &'static TableDef, key: &Key, name: &str) -> Result<(), Refusal> {
    let Some(at) = world.find(def, key) else {
        return Err(Refusal::new(
            404,
            "V1/302",
            "SD document is not in the database or has been archived",
        ));
    };
    locked(world, def, key)?;
    let stamp = world.stamp();
    let version = next_version(world);
    if let Some(row) = world.rows_mut(def.table).get_mut(at) {
        row.set(
            def,
            "OverallSDProcessStatus",
            if name.starts_with("release") { "B" } else { "A" },
        );
        touch(def, row, stamp, version);
    }
    world.counters.actions += 1;
    Ok(())
}

fn draft(world: &mut World, shape: &Shape<'_>, def: &'static TableDef, key: &Key, at: usize, name: &str) -> Done {
    let Some(row) = world.rows(def.table).get(at).cloned() else {
        return Err(Refusal::not_found(&def.type_name(true)));
    };
    let twin = Key {
        values: key.values.clone(),
        active: !key.active,
    };
    match (name, key.active) {
        ("draftPrepare", false) => one(world, shape, def, key, &Options::default(), 200),
        ("draftEdit", true) => {
            if world.find(def, &twin).is_some() {
                return Err(Refusal::new(
                    409,
                    "DRAFT_ALREADY_EXISTS",
                    "A draft for this entity already exists",
                ));
            }
            let mut copy = row;
            copy.active = false;
            world.rows_mut(def.table).push(copy);
            world.counters.drafts += 1;
            one(world, shape, def, &twin, &Options::default(), 201)
        }
        ("draftActivate", false) => {
            if row.value(def, "Title").unwrap_or_default().is_empty() {
                return Err(Refusal::of(
                    400,
                    vec![Note::error("ZATLAS/001", "A requisition needs a title", "Title")],
                ));
            }
            let stamp = world.stamp();
            let version = next_version(world);
            let mut active = row;
            active.active = true;
            active.set(def, "Status", "N");
            touch(def, &mut active, stamp, version);
            let rows = world.rows_mut(def.table);
            rows.retain(|other| other.key(def).values != key.values);
            rows.push(active);
            world.counters.activations += 1;
            one(world, shape, def, &twin, &Options::default(), 201)
        }
        _ => Err(Refusal::new(
            400,
            "DRAFT/002",
            "The action does not fit the state of the instance",
        )),
    }
}

fn open(world: &World, def: &TableDef) -> Result<(), Refusal> {
    match world.closed.contains(&def.table) {
        true => Err(Refusal::new(
            403,
            "/IWBEP/CX_MGW_NO_AUTH",
            "You are not authorized for this activity",
        )),
        false => Ok(()),
    }
}

fn not_allowed(verb: &str, def: &TableDef, v4: bool) -> Refusal {
    let code = if v4 {
        "/IWBEP/CM_V4_APPS/010"
    } else {
        "/IWFND/CM_MGW_RT/022"
    };
    Refusal::new(
        405,
        code,
        format!("Entity set {} does not allow to {verb}", def.set(v4)),
    )
}

/// Sets the fields of a body that this write may set; others keep what they hold.
fn fill(row: &mut Row, def: &TableDef, content: &Body, may: impl Fn(&FieldDef) -> bool) {
    for (at, value) in &content.fields {
        if def.fields.get(*at).is_some_and(&may)
            && let Some(slot) = row.values.get_mut(*at)
        {
            slot.clone_from(value);
        }
    }
}

/// What the system sets by itself at creation.
fn complete(world: &mut World, def: &'static TableDef, row: &mut Row, parent: Option<&[Option<String>]>) {
    let (today, stamp) = (world.today(), world.stamp());
    match (def.table, parent) {
        (Table::SalesOrder | Table::PurchaseOrder | Table::SupplierInvoice, _) => {
            let number = world.next_number(def.table);
            let name = def.keys().next().map_or("", |(_, field)| field.v2);
            row.set(def, name, number);
            row.set(def, "CreationDate", today.clone());
            row.set(def, "FiscalYear", today.get(..4).unwrap_or_default());
        }
        (Table::SalesOrderItem | Table::PurchaseOrderItem, Some(parent)) => {
            if let (Some(slot), Some(value)) = (row.values.first_mut(), parent.first()) {
                slot.clone_from(value);
            }
        }
        (Table::BusinessPartner, _) if row.value(def, "BusinessPartner").is_none_or(str::is_empty) => {
            let number = world.next_number(def.table);
            row.set(def, "BusinessPartner", number);
        }
        _ => {}
    }
    adjust(def, row);
    row.version = next_version(world);
    let version = row.version;
    touch(def, row, stamp, version);
}

/// Currencies hold upper case only: the system writes them so, whatever was sent.
fn adjust(def: &TableDef, row: &mut Row) {
    for name in ["TransactionCurrency", "DocumentCurrency"] {
        if let Some(value) = row.value(def, name).map(str::to_uppercase) {
            row.set(def, name, value);
        }
    }
}

fn touch(def: &TableDef, row: &mut Row, stamp: String, version: u64) {
    row.version = version;
    for name in ["LastChangeDateTime", "ChangedAt"] {
        row.set(def, name, stamp.clone());
    }
    let today = stamp.get(..10).unwrap_or_default().to_owned();
    row.set(def, "LastChangeDate", today);
}

fn touch_parent(world: &mut World, parent: Table, child: &Key) {
    let def = parent.def();
    let key = Key {
        values: child
            .values
            .first()
            .map(|(_, value)| (0, value.clone()))
            .into_iter()
            .collect(),
        active: true,
    };
    let (stamp, version) = (world.stamp(), next_version(world));
    if let Some(at) = world.find(def, &key)
        && let Some(row) = world.rows_mut(parent).get_mut(at)
    {
        touch(def, row, stamp, version);
    }
}

fn parent_of(table: Table) -> Option<Table> {
    match table {
        Table::SalesOrderItem => Some(Table::SalesOrder),
        Table::PurchaseOrderItem => Some(Table::PurchaseOrder),
        _ => None,
    }
}

fn next_version(world: &World) -> u64 {
    let highest = world.data.values().flatten().map(|row| row.version).max();
    highest.unwrap_or(0) + 1
}

fn conditions_hold(world: &World, def: &TableDef, at: usize, conditions: &Conditions) -> Result<(), Refusal> {
    let Some(etag) = world.rows(def.table).get(at).and_then(|row| row.etag(def)) else {
        return Ok(());
    };
    match conditions.if_match.as_deref() {
        None => Err(Refusal::new(
            428,
            "/IWBEP/CM_V4_RUNTIME/020",
            "The request is required to be conditional",
        )),
        Some(given) if given == "*" || given == etag => Ok(()),
        Some(_) => Err(Refusal::new(412, "/IWBEP/CM_V4_RUNTIME/019", "Precondition failed")),
    }
}

fn locked(world: &World, def: &TableDef, key: &Key) -> Result<(), Refusal> {
    let number = key.values.first().map(|(_, value)| value.clone()).unwrap_or_default();
    let table = parent_of(def.table).unwrap_or(def.table);
    match world.locks.get(&(table, number.clone())) {
        Some(user) => Err(Refusal::new(
            world.settings.lock_status,
            "V1/042",
            format!("Sales document {number} is currently being processed by user {user}"),
        )),
        None => Ok(()),
    }
}

/// The rules of the applications, all at once as they report them.
fn check(world: &World, def: &'static TableDef, content: &Body, notes: &mut Vec<Note>, prefix: &str) {
    check_fields(world, def, content, notes, prefix);
    let value = |name: &str| {
        let at = def.at(name, false).or_else(|| def.at(name, true))?;
        let field = content.fields.iter().find(|(known, _)| *known == at)?;
        field.1.clone().filter(|value| !value.is_empty())
    };
    let missing = |name: &str| value(name).is_none();
    match def.table {
        Table::SalesOrder => {
            if missing("SoldToParty") {
                notes.push(Note::error("V1/319", "Enter the sold-to party", "SoldToParty"));
            }
            if missing("SalesOrderType") {
                notes.push(Note::error(
                    "V1/313",
                    "Sales document type is not defined",
                    "SalesOrderType",
                ));
            }
        }
        Table::PurchaseOrder if missing("Supplier") => {
            notes.push(Note::error("06/321", "Enter a supplier", "Supplier"));
        }
        Table::Product if missing("Product") => {
            notes.push(Note::error("M3/305", "Enter a product number", "Product"));
        }
        Table::Requisition if missing("Requisition") => {
            notes.push(Note::error("ZATLAS/002", "Enter a number", "Requisition"));
        }
        _ => {}
    }
    let mut empty = true;
    for (table, bodies) in &content.lines {
        let link = def.links.iter().find(|link| link.to == *table);
        for (at, line) in bodies.iter().enumerate() {
            empty = false;
            let prefix = link.map_or_else(String::new, |link| format!("{}({at})/", link.v4));
            check(world, table.def(), line, notes, &prefix);
        }
    }
    if empty && def.table == Table::SalesOrder {
        notes.push(Note::warning("V1/555", "The order has no items", "_Item"));
    }
}

fn check_fields(world: &World, def: &'static TableDef, content: &Body, notes: &mut Vec<Note>, prefix: &str) {
    let exists = |table: Table, field: &str, wanted: &str| {
        let def = table.def();
        world
            .rows(table)
            .iter()
            .any(|row| row.value(def, field) == Some(wanted))
    };
    for (at, value) in &content.fields {
        let (Some(field), Some(value)) = (def.fields.get(*at), value.as_deref()) else {
            continue;
        };
        if value.is_empty() {
            continue;
        }
        let target = format!("{prefix}{}", field.v2);
        match (def.table, field.v2) {
            (Table::SalesOrder, "SalesOrderType") if !matches!(value, "OR" | "RE" | "DR") => notes.push(Note::error(
                "V1/313",
                format!("Sales document type {value} is not defined"),
                target,
            )),
            (Table::SalesOrder, "SoldToParty") if !exists(Table::Customer, "Customer", value) => {
                notes.push(Note::error(
                    "VP/204",
                    format!("SoldToParty {value} is not defined"),
                    target,
                ));
            }
            (Table::PurchaseOrder, "Supplier") if !exists(Table::Supplier, "Supplier", value) => {
                notes.push(Note::error(
                    "06/321",
                    format!("Supplier {value} does not exist"),
                    target,
                ));
            }
            (Table::SalesOrderItem | Table::PurchaseOrderItem, "Material")
                if !exists(Table::Product, "Product", value) =>
            {
                notes.push(Note::error(
                    "V1/382",
                    format!("The material {value} is not defined for sales org. 1710"),
                    target,
                ));
            }
            _ => {}
        }
    }
}
