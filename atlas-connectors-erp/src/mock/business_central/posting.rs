//! Bound actions: what posting and cancelling make of documents.

use std::collections::BTreeMap;

use super::answer::ApiError;
use super::cell::Cell;
use super::rules::{Sequence, Setting, finish, next_number, remove, total, touch};
use super::schema::{Entity, of_set};
use super::store::{Company, Row};

/// Runs a bound action. Its name is that of the metadata by now, whatever its case was.
pub(super) fn act(
    company: &mut Company,
    sequence: &mut Sequence,
    entity: &'static Entity,
    id: &str,
    action: &str,
    setting: Setting,
) -> Result<(), ApiError> {
    let row = company.row(entity.set, id)?.clone();
    let target = match action {
        "shipAndInvoice" => Some("salesInvoices"),
        "receiveAndInvoice" => Some("purchaseInvoices"),
        _ => None,
    };
    if let Some(target) = target.and_then(of_set) {
        return post_order(company, sequence, entity, &row, target, setting);
    }
    let status = row.text("status");
    let next = match (action, status) {
        ("post" | "postAndSend", "Draft") => "Open",
        ("cancel", "Open") => "Canceled",
        ("send", _) => status,
        _ => {
            return Err(ApiError::dialog(format!(
                "The invoice is in status {status}; this cannot be done."
            )));
        }
    };
    let next = Cell::text(next);
    let row = company.row_mut(entity.set, id)?;
    row.cells.insert("status", next);
    touch(row, sequence, setting.now);
    Ok(())
}

/// An order becomes an invoice and is gone.
fn post_order(
    company: &mut Company,
    sequence: &mut Sequence,
    entity: &'static Entity,
    order: &Row,
    target: &'static Entity,
    setting: Setting,
) -> Result<(), ApiError> {
    let (Some(from), Some(to)) = (entity.document, target.document) else {
        return Err(ApiError::bad_request("Invalid Request Body"));
    };
    let lines: Vec<Row> = company.lines(from.lines, &order.id).cloned().collect();
    if lines.is_empty() {
        return Err(ApiError::dialog("There is nothing to post."));
    }
    let copy = |entity: &Entity, row: &Row| -> BTreeMap<&'static str, Cell> {
        let shared = entity.fields.iter().filter(|field| row.cells.contains_key(field.name));
        shared.map(|field| (field.name, row.cell(field.name).clone())).collect()
    };
    let id = sequence.guid();
    let mut cells = copy(target, order);
    for (field, cell) in [
        ("id", Cell::text(&id)),
        ("number", next_number(company, target)),
        ("status", Cell::text("Open")),
        ("orderId", Cell::text(&order.id)),
        ("orderNumber", order.cell("number").clone()),
    ] {
        cells.insert(field, cell);
    }
    cells.remove("lastModifiedDateTime");
    let row = finish(sequence, target, id.clone(), cells, setting.now);
    company.tables.entry(target.set).or_default().push(row);
    if let Some(line_entity) = of_set(to.lines) {
        for line in lines {
            let mut cells = copy(line_entity, &line);
            let line_id = sequence.guid();
            cells.insert("id", Cell::text(&line_id));
            cells.insert("documentId", Cell::text(&id));
            let row = finish(sequence, line_entity, line_id, cells, setting.now);
            company.tables.entry(line_entity.set).or_default().push(row);
        }
    }
    remove(company, entity, &order.id);
    total(company, sequence, target, &id, setting.now);
    Ok(())
}
