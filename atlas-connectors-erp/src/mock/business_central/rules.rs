//! What the application does behind the API: required fields, number series, defaults, totals, posting.

use std::collections::BTreeMap;

use atlas_connectors::Timestamp;
use atlas_connectors::erp::Decimal;
use serde_json::value::RawValue;

use super::answer::ApiError;
use super::cell::{Cell, NO_GUID, moment};
use super::schema::{Document, Entity, Field, of_set};
use super::store::{Company, Row};

/// What a request's body says, as text.
pub(super) type Body = BTreeMap<String, Box<RawValue>>;

/// What rules need besides the company.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) now: Timestamp,
    /// Whether headers may be given a number by hand.
    pub(super) manual_numbers: bool,
    /// What becomes of the id that a create brings.
    pub(super) client_ids: ClientIds,
}

/// What becomes of the id that a create brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientIds {
    Kept,
    Refused,
    Ignored,
}

/// Gives out ids and versions.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequence(pub(super) u64);

impl Sequence {
    pub(super) fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    pub(super) fn guid(&mut self) -> String {
        let number = self.next();
        // Spread, so that the order of ids is not the order of creation.
        let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!(
            "{:08x}-{:04x}-4000-8000-{number:012x}",
            spread >> 32,
            (spread >> 16) & 0xffff
        )
    }
}

pub(super) fn read_body(body: &[u8]) -> Result<Body, ApiError> {
    if body.is_empty() {
        return Ok(Body::new());
    }
    serde_json::from_slice(body).map_err(|_| ApiError::bad_request("Invalid Request Body"))
}

/// The fields of a body, and the arrays of its relations.
type Parts = (BTreeMap<&'static str, Cell>, Vec<(&'static str, Vec<Body>)>);

fn parts(entity: &'static Entity, body: &Body) -> Result<Parts, ApiError> {
    let (mut cells, mut children) = (BTreeMap::new(), Vec::new());
    for (name, raw) in body.iter().filter(|(name, _)| !name.starts_with('@')) {
        if let Some(field) = entity.field(name) {
            if field.computed {
                return Err(ApiError::bad_request(format!("The property '{name}' is read-only.")));
            }
            cells.insert(field.name, stored(field, Cell::read(field, raw)?));
        } else if let Some(relation) = entity.relation(name).filter(|relation| relation.many) {
            let rows = serde_json::from_str(raw.get()).map_err(|_| ApiError::bad_request("Invalid Request Body"))?;
            children.push((relation.set, rows));
        } else {
            return Err(ApiError::bad_request(format!(
                "The property '{name}' does not exist on type 'Microsoft.NAV.{}'. Make sure to only use property names that are defined by the type.",
                entity.name
            )));
        }
    }
    Ok((cells, children))
}

/// Codes are held in capitals, whatever was sent.
fn stored(field: &Field, cell: Cell) -> Cell {
    let code = field.name.ends_with("Code") || field.name == "number" || field.name.ends_with("ObjectNumber");
    match cell {
        Cell::Text(text) if code => Cell::Text(text.to_uppercase()),
        other => other,
    }
}

/// Makes a record, with its lines. `document` for a line.
pub(super) fn create(
    company: &mut Company,
    sequence: &mut Sequence,
    entity: &'static Entity,
    body: &Body,
    document: Option<&str>,
    setting: Setting,
) -> Result<String, ApiError> {
    let (mut cells, children) = parts(entity, body)?;
    let id = match cells.get("id") {
        Some(Cell::Text(id)) if id != NO_GUID && setting.client_ids != ClientIds::Ignored => {
            if setting.client_ids == ClientIds::Refused {
                return Err(ApiError::dialog("The \"id\" cannot be changed."));
            }
            if company.row(entity.set, id).is_ok() {
                return Err(ApiError::new(
                    400,
                    "Internal_EntityWithSameKeyExists",
                    format!(
                        "The {} already exists. Identification fields and values: Id='{{{id}}}'",
                        entity.table.1
                    ),
                ));
            }
            id.clone()
        }
        _ => sequence.guid(),
    };
    cells.insert("id", Cell::text(&id));
    if let Some(header) = entity.line_of {
        line(company, entity, &mut cells, document, header)?;
    } else if let Some(of) = entity.document {
        header(company, entity, of, &mut cells, setting)?;
    } else {
        master(company, entity, &mut cells)?;
    }
    let row = finish(sequence, entity, id.clone(), cells, setting.now);
    company.tables.entry(entity.set).or_default().push(row);
    for (set, bodies) in children {
        let Some(lines) = of_set(set) else { continue };
        for body in bodies {
            // Lines belong to their header: a failure takes it back.
            if let Err(error) = create(company, sequence, lines, &body, Some(&id), setting) {
                remove(company, entity, &id);
                return Err(error);
            }
        }
    }
    total(company, sequence, entity, &id, setting.now);
    if let (Some(header), Some(Cell::Text(document))) = (entity.line_of.and_then(of_set), document.map(Cell::text)) {
        total(company, sequence, header, &document, setting.now);
    }
    Ok(id)
}

pub(super) fn finish(
    sequence: &mut Sequence,
    entity: &Entity,
    id: String,
    mut cells: BTreeMap<&'static str, Cell>,
    now: Timestamp,
) -> Row {
    for field in entity.fields {
        let cell = cells.entry(field.name).or_insert(Cell::Null);
        if *cell == Cell::Null {
            *cell = Cell::unset(field.ty, now);
        }
    }
    Row {
        id,
        version: sequence.next(),
        cells,
    }
}

fn master(
    company: &mut Company,
    entity: &'static Entity,
    cells: &mut BTreeMap<&'static str, Cell>,
) -> Result<(), ApiError> {
    if entity.set != "items" {
        match cells.get("displayName").map(Cell::as_text) {
            None => return Err(ApiError::dialog("A \"displayName\" must be provided.")),
            Some("") => return Err(ApiError::dialog("The blank \"displayName\" is not allowed.")),
            Some(_) => {}
        }
    }
    match cells.get("number").map(|cell| cell.as_text().to_owned()) {
        Some(number) if !number.is_empty() => {
            if company.rows(entity.set).iter().any(|row| row.text("number") == number) {
                return Err(ApiError::new(
                    400,
                    "Internal_EntityWithSameKeyExists",
                    format!(
                        "The {} already exists. Identification fields and values: No.='{number}'",
                        entity.table.1
                    ),
                ));
            }
        }
        _ => {
            cells.insert("number", next_number(company, entity));
        }
    }
    Ok(())
}

pub(super) fn next_number(company: &mut Company, entity: &'static Entity) -> Cell {
    let last = company.numbers.entry(entity.set).or_insert(100_000);
    *last += 1;
    Cell::text(format!("{}{last}", entity.series))
}

fn header(
    company: &mut Company,
    entity: &'static Entity,
    of: Document,
    cells: &mut BTreeMap<&'static str, Cell>,
    setting: Setting,
) -> Result<(), ApiError> {
    let given = |cells: &BTreeMap<&'static str, Cell>, field: &str| {
        let text = cells.get(field).map(|cell| cell.as_text().to_owned());
        text.filter(|text| !text.is_empty() && text != NO_GUID)
    };
    let (id, number) = (given(cells, of.party_id), given(cells, of.party_number));
    if id.is_none() && number.is_none() {
        return Err(ApiError::dialog(format!(
            "A \"{}\" or a \"{}\" must be provided.",
            of.party_number, of.party_id
        )));
    }
    let party = company
        .rows(of.party)
        .iter()
        .find(|row| match (&id, &number) {
            (Some(id), _) => row.id == *id,
            (None, number) => Some(row.text("number")) == number.as_deref(),
        })
        .ok_or_else(|| {
            ApiError::dialog(if of.party == "customers" {
                "The sell-to customer cannot be found."
            } else {
                "The buy-from vendor cannot be found."
            })
        })?;
    let (party_id, party_number) = (Cell::text(&party.id), party.cell("number").clone());
    let party_name = party.cell("displayName").clone();
    match given(cells, "number") {
        Some(_) if !setting.manual_numbers => {
            return Err(ApiError::dialog(format!(
                "You may not enter numbers manually. If you want to enter numbers manually, please activate Manual Nos. in No. Series {}.",
                entity.series
            )));
        }
        Some(_) => {}
        None => {
            cells.insert("number", next_number(company, entity));
        }
    }
    let (other_id, other_number, other_name) = if of.party == "customers" {
        ("billToCustomerId", "billToCustomerNumber", "billToName")
    } else {
        ("payToVendorId", "payToVendorNumber", "payToName")
    };
    for (field, cell) in [
        (of.party_id, party_id.clone()),
        (of.party_number, party_number.clone()),
        (of.party_name, party_name.clone()),
        (other_id, party_id),
        (other_number, party_number),
        (other_name, party_name),
        ("status", Cell::text(of.first_status)),
    ] {
        cells.insert(field, cell);
    }
    let today = Cell::text(moment(setting.now).get(..10).unwrap_or_default());
    for field in ["orderDate", "invoiceDate", "postingDate"] {
        if entity.field(field).is_some() {
            cells.entry(field_name(entity, field)).or_insert_with(|| today.clone());
        }
    }
    cells.entry("currencyCode").or_insert_with(|| Cell::text("USD"));
    Ok(())
}

fn field_name(entity: &Entity, name: &str) -> &'static str {
    entity.field(name).map_or("", |field| field.name)
}

fn line(
    company: &Company,
    entity: &'static Entity,
    cells: &mut BTreeMap<&'static str, Cell>,
    document: Option<&str>,
    header: &str,
) -> Result<(), ApiError> {
    let document = document
        .map(str::to_owned)
        .or_else(|| cells.get("documentId").map(|cell| cell.as_text().to_owned()))
        .ok_or_else(|| ApiError::dialog("You must specify an Id or a Document Id to get the lines."))?;
    if company.row(header, &document).is_err() {
        return Err(ApiError::new(
            404,
            "Internal_RecordNotFound",
            "The order cannot be found.",
        ));
    }
    let last = company
        .lines(entity.set, &document)
        .filter_map(|row| row.text("sequence").parse::<u32>().ok())
        .max()
        .unwrap_or(0);
    cells.insert("documentId", Cell::text(document));
    cells
        .entry("sequence")
        .or_insert_with(|| Cell::Number((last + 10_000).to_string()));
    let by_number = cells.get("lineObjectNumber").map(|cell| cell.as_text().to_owned());
    let by_id = cells
        .get("itemId")
        .map(|cell| cell.as_text().to_owned())
        .filter(|id| id != NO_GUID);
    if by_number.is_some() || by_id.is_some() {
        let item = company.rows("items").iter().find(|row| match (&by_id, &by_number) {
            (Some(id), _) => row.id == *id,
            (None, number) => Some(row.text("number")) == number.as_deref(),
        });
        let item = item.ok_or_else(|| ApiError::dialog("Item does not exist."))?;
        let price = price_field(entity);
        let known = if price == "unitPrice" { "unitPrice" } else { "unitCost" };
        for (field, cell) in [
            ("itemId", Cell::text(&item.id)),
            ("lineObjectNumber", item.cell("number").clone()),
            ("lineType", Cell::text("Item")),
        ] {
            cells.insert(field, cell);
        }
        for (field, cell) in [
            ("description", item.cell("displayName").clone()),
            ("unitOfMeasureCode", item.cell("baseUnitOfMeasureCode").clone()),
            (price, item.cell(known).clone()),
        ] {
            cells.entry(field).or_insert(cell);
        }
    }
    amounts(entity, cells);
    Ok(())
}

fn price_field(entity: &Entity) -> &'static str {
    ["unitPrice", "directUnitCost", "unitCost"]
        .into_iter()
        .find(|field| entity.field(field).is_some())
        .unwrap_or("unitPrice")
}

/// Quantity times price less discount, exactly.
fn amounts(entity: &Entity, cells: &mut BTreeMap<&'static str, Cell>) {
    let number = |field: &str| cells.get(field).map_or_else(|| Decimal::from(0), Cell::decimal);
    let gross = number("quantity") * number(price_field(entity));
    let amount = (gross - number("discountAmount")).to_string();
    for field in [
        "amountExcludingTax",
        "amountIncludingTax",
        "netAmount",
        "netAmountIncludingTax",
    ] {
        cells.insert(field_name(entity, field), Cell::Number(amount.clone()));
    }
}

/// Sums the lines of a document into its header, which counts as a change of it.
pub(super) fn total(company: &mut Company, sequence: &mut Sequence, entity: &'static Entity, id: &str, now: Timestamp) {
    let Some(of) = entity.document else { return };
    let sum = company
        .lines(of.lines, id)
        .map(|row| row.cell("amountExcludingTax").decimal())
        .fold(Decimal::from(0), |sum, amount| sum + amount);
    if let Ok(row) = company.row_mut(entity.set, id) {
        for field in ["totalAmountExcludingTax", "totalAmountIncludingTax", "remainingAmount"] {
            if let Some(field) = entity.field(field) {
                row.cells.insert(field.name, Cell::Number(sum.to_string()));
            }
        }
        touch(row, sequence, now);
    }
}

pub(super) fn touch(row: &mut Row, sequence: &mut Sequence, now: Timestamp) {
    row.version = sequence.next();
    if row.cells.contains_key("lastModifiedDateTime") {
        row.cells.insert("lastModifiedDateTime", Cell::Text(moment(now)));
    }
}

/// Changes a record.
pub(super) fn update(
    company: &mut Company,
    sequence: &mut Sequence,
    entity: &'static Entity,
    id: &str,
    body: &Body,
    setting: Setting,
) -> Result<(), ApiError> {
    let (cells, children) = parts(entity, body)?;
    if let Some((set, _)) = children.first() {
        return Err(ApiError::bad_request(format!(
            "Deep patch is not supported (property '{set}')."
        )));
    }
    let document = {
        let row = company.row_mut(entity.set, id)?;
        if cells.get("id").is_some_and(|cell| cell.as_text() != row.id) {
            return Err(ApiError::dialog("The \"id\" cannot be changed."));
        }
        for (name, cell) in cells {
            let cell = match (cell, entity.field(name)) {
                (Cell::Null, Some(field)) => Cell::unset(field.ty, setting.now),
                (cell, _) => cell,
            };
            row.cells.insert(name, cell);
        }
        touch(row, sequence, setting.now);
        if entity.line_of.is_some() {
            amounts(entity, &mut row.cells);
        }
        row.text("documentId").to_owned()
    };
    if let Some(header) = entity.line_of.and_then(of_set) {
        total(company, sequence, header, &document, setting.now);
    }
    Ok(())
}

/// Takes a record away, with its lines.
pub(super) fn delete(
    company: &mut Company,
    sequence: &mut Sequence,
    entity: &'static Entity,
    id: &str,
    setting: Setting,
) -> Result<(), ApiError> {
    let document = company.row(entity.set, id)?.text("documentId").to_owned();
    remove(company, entity, id);
    if let Some(header) = entity.line_of.and_then(of_set) {
        total(company, sequence, header, &document, setting.now);
    }
    Ok(())
}

pub(super) fn remove(company: &mut Company, entity: &Entity, id: &str) {
    let id = id.to_ascii_lowercase();
    if let Some(rows) = company.tables.get_mut(entity.set) {
        rows.retain(|row| row.id != id);
    }
    if let Some(lines) = entity.document.and_then(|of| company.tables.get_mut(of.lines)) {
        lines.retain(|row| row.text("documentId") != id);
    }
}
