//! Writes to an ERP as actions: what is hashed, what the reviewer sees, and how the outbox drives a connector.

use std::sync::Arc;

use async_trait::async_trait;

use crate::action::{
    Action, Approved, Canonical, Effector, HandleState, Prepared, Reconciled, ReviewContent, Target, TargetPart,
};
use crate::erp::{
    ActionCall, Base, Batch, Create, Delete, ErpConnector, FieldName, RecordKey, Update, Value, Write, Written,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::CompanyId;

/// Most writes of one batch; providers take about a hundred.
const MOST_PARTS: usize = 1_000;

impl Action for Write {
    const KIND: &'static str = "erp.write";
    type Outcome = Written;
    const SEALS_OUTCOME: bool = true;

    fn canonical(&self, out: &mut Canonical) {
        out.text("verb", self.verb());
        out.optional("entity", self.entity().map(|entity| entity.as_str()));
        out.optional("company", self.company().map(CompanyId::as_str));
        match self {
            Self::Create(create) => {
                pairs(out, "fields", &create.fields);
                out.number("lines", count(create.lines.len()));
                for lines in &create.lines {
                    out.text("relation", lines.relation.as_str());
                    out.number("rows", count(lines.rows.len()));
                    lines.rows.iter().for_each(|row| pairs(out, "row", row));
                }
                out.number("natural_key", u64::from(create.natural_key.is_some()));
                if let Some(key) = &create.natural_key {
                    out.text("field", key.field.as_str());
                    value(out, "value", &key.value);
                }
            }
            Self::Update(update) => {
                key(out, Some(&update.key));
                base(out, &update.base);
                out.number("changes", count(update.changes.len()));
                for change in &update.changes {
                    out.text("field", change.field.as_str());
                    match &change.old {
                        Some(old) => value(out, "old", old),
                        None => out.optional("old", None),
                    }
                    value(out, "new", &change.new);
                }
            }
            Self::Delete(delete) => {
                key(out, Some(&delete.key));
                base(out, &delete.base);
                pairs(out, "about", &delete.about);
            }
            Self::Action(call) => {
                key(out, call.key.as_ref());
                out.text("action", call.action.as_str());
                base(out, &call.base);
                pairs(out, "parameters", &call.parameters);
                pairs(out, "about", &call.about);
            }
            Self::Batch(batch) => {
                out.number("atomic", u64::from(batch.atomic));
                out.number("parts", count(batch.parts.len()));
                batch.parts.iter().for_each(|part| part.canonical(out));
            }
        }
    }

    fn review(&self) -> ReviewContent {
        let mut facts = Vec::new();
        if let Self::Batch(batch) = self {
            let together = if batch.atomic {
                "all together or not at all"
            } else {
                "each for itself"
            };
            facts.push(("Batch".to_owned(), format!("{} writes, {together}", batch.parts.len())));
            for (index, part) in batch.parts.iter().enumerate() {
                facts.push((format!("-- {}", index + 1), String::new()));
                tell(part, &mut facts);
            }
        } else {
            tell(self, &mut facts);
        }
        ReviewContent::Facts(facts)
    }

    fn target(&self) -> Option<Target> {
        let part = |write: &Self| {
            Some(TargetPart {
                entity: write.entity()?.clone(),
                verb: write.verb().to_owned(),
                action: match write {
                    Self::Action(call) => Some(call.action.clone()),
                    _ => None,
                },
            })
        };
        Some(Target {
            company: self.company().cloned(),
            parts: self.parts().iter().filter_map(part).collect(),
        })
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Create(create) => check_create(create),
            Self::Update(update) => check_update(update),
            Self::Delete(delete) => check_delete(delete),
            Self::Action(call) => check_call(call),
            Self::Batch(batch) => check_batch(batch),
        }
    }
}

/// Records are written by a connector.
#[derive(Debug)]
pub(super) struct RecordWrites(pub(super) Arc<dyn ErpConnector>);

#[async_trait]
impl Effector<Write> for RecordWrites {
    fn can_reconcile(&self) -> bool {
        true
    }

    async fn prepare(&self, approved: &Approved<Write>) -> Result<Prepared<Write>> {
        self.0.prepare(approved).await
    }

    async fn check_handle(&self, prepared: &Prepared<Write>) -> Result<HandleState> {
        // A record that somebody changed is a conflict of the records, not of the approval's bytes.
        match self.0.check_base(prepared).await? {
            HandleState::AsApproved => Ok(HandleState::AsApproved),
            HandleState::Changed => Err(Error::new(ErrorKind::Conflict, "erp.check_base")),
            HandleState::Gone => Err(Error::new(ErrorKind::NotFound { object: "record" }, "erp.check_base")),
        }
    }

    async fn commit(&self, prepared: Prepared<Write>) -> Result<Written> {
        self.0.commit(prepared).await
    }

    async fn reconcile(&self, prepared: &Prepared<Write>) -> Result<Reconciled<Written>> {
        self.0.reconcile(prepared).await
    }

    async fn sweep(&self, _ended: &Prepared<Write>) -> Result<()> {
        Ok(())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A value with its type: `"7"` and `7` are not the same write.
fn value(out: &mut Canonical, name: &str, value: &Value) {
    // Values are plain data: writing them as JSON does not fail.
    out.text(name, &serde_json::to_string(value).unwrap_or_default());
}

fn pairs(out: &mut Canonical, name: &str, fields: &[(FieldName, Value)]) {
    out.number(name, count(fields.len()));
    for (field, held) in fields {
        out.text("field", field.as_str());
        value(out, "value", held);
    }
}

fn key(out: &mut Canonical, key: Option<&RecordKey>) {
    match key {
        None => out.optional("key", None),
        Some(RecordKey::Single(key)) => out.text("key", key),
        Some(RecordKey::Composite(parts)) => {
            out.number("key", count(parts.len()));
            for (field, held) in parts {
                out.text("field", field.as_str());
                out.text("value", held);
            }
        }
    }
}

fn base(out: &mut Canonical, base: &Base) {
    match base {
        Base::Etag(etag) => out.text("etag", etag.as_str()),
        Base::Version(version) => out.text("version", version),
        Base::OldValues => out.text("base", "old values"),
    }
}

/// One write as the reviewer reads it.
fn tell(write: &Write, facts: &mut Vec<(String, String)>) {
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    let entity = write.entity().map(ToString::to_string).unwrap_or_default();
    fact("Write", format!("{} {entity}", write.verb()));
    if let Some(company) = write.company() {
        fact("Company", company.to_string());
    }
    if let Some(key) = write.key() {
        fact("Record", key.to_string());
    }
    match write {
        Write::Create(create) => {
            create
                .fields
                .iter()
                .for_each(|(field, held)| fact(field.as_str(), shown(held)));
            for lines in &create.lines {
                for (index, row) in lines.rows.iter().enumerate() {
                    let row: Vec<String> = row
                        .iter()
                        .map(|(field, held)| format!("{field} {}", shown(held)))
                        .collect();
                    fact(&format!("{} {}", lines.relation, index + 1), row.join(" · "));
                }
            }
            match &create.natural_key {
                Some(key) => fact("Found by", format!("{} {}", key.field, shown(&key.value))),
                None => fact("Found by", "what the connector marks it with, if it can".to_owned()),
            }
        }
        Write::Update(update) => {
            for change in &update.changes {
                let old = change.old.as_ref().map_or_else(|| "(not read)".to_owned(), shown);
                fact(change.field.as_str(), format!("{old} → {}", shown(&change.new)));
            }
            fact("Only if", update.base.describe().to_owned());
        }
        Write::Delete(delete) => {
            delete
                .about
                .iter()
                .for_each(|(field, held)| fact(field.as_str(), shown(held)));
            fact("Only if", delete.base.describe().to_owned());
        }
        Write::Action(call) => {
            fact("Calls", call.action.to_string());
            call.about
                .iter()
                .for_each(|(field, held)| fact(field.as_str(), shown(held)));
            for (parameter, held) in &call.parameters {
                fact(&format!("with {parameter}"), shown(held));
            }
            if call.key.is_some() {
                fact("Only if", call.base.describe().to_owned());
            }
        }
        Write::Batch(_) => {}
    }
}

/// A value as the reviewer reads it; text in quotes, so that an empty one and spaces at its ends are seen.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("“{text}”"),
        value => value.to_string(),
    }
}

fn invalid<T>(why: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::Invalid { what: "write", why }, "gate.propose"))
}

fn check_create(create: &Create) -> Result<()> {
    if create.entity.as_str().is_empty() {
        return invalid("it names no entity");
    }
    if create.fields.is_empty() {
        return invalid("it sets no field");
    }
    check_once(create.fields.iter().map(|(field, _)| field))?;
    for lines in &create.lines {
        for row in &lines.rows {
            check_once(row.iter().map(|(field, _)| field))?;
        }
    }
    match &create.natural_key {
        Some(key) if key.value.is_null() => invalid("its natural key has no value"),
        Some(key) if create.value(key.field.as_str()) != Some(&key.value) => {
            invalid("its natural key is not among its fields")
        }
        _ => Ok(()),
    }
}

fn check_update(update: &Update) -> Result<()> {
    check_record(update.entity.as_str(), &update.key)?;
    if update.changes.is_empty() {
        return invalid("it changes nothing");
    }
    check_once(update.changes.iter().map(|change| &change.field))?;
    if update.base == Base::OldValues && update.changes.iter().any(|change| change.old.is_none()) {
        return invalid("it has neither ETag nor version, and a field whose old value was not read");
    }
    Ok(())
}

fn check_delete(delete: &Delete) -> Result<()> {
    check_record(delete.entity.as_str(), &delete.key)?;
    if delete.base == Base::OldValues && delete.about.is_empty() {
        return invalid("it has neither ETag nor version, and nothing that was read");
    }
    Ok(())
}

fn check_call(call: &ActionCall) -> Result<()> {
    if call.action.local().is_empty() {
        return invalid("it names no action");
    }
    check_once(call.parameters.iter().map(|(parameter, _)| parameter))?;
    let Some(key) = &call.key else {
        return Ok(());
    };
    check_record(call.entity.as_str(), key)?;
    if call.base == Base::OldValues && call.about.is_empty() {
        return invalid("it has neither ETag nor version, and nothing that was read");
    }
    Ok(())
}

fn check_batch(batch: &Batch) -> Result<()> {
    if batch.parts.is_empty() || batch.parts.len() > MOST_PARTS {
        return invalid("a batch has no parts, or more than 1,000");
    }
    let company = batch.parts.iter().find_map(Write::company);
    for part in &batch.parts {
        if matches!(part, Write::Batch(_)) {
            return invalid("a batch holds a batch");
        }
        if part.company() != company {
            return invalid("the parts of a batch are in different companies");
        }
        part.check()?;
    }
    Ok(())
}

fn check_record(entity: &str, key: &RecordKey) -> Result<()> {
    if entity.is_empty() {
        return invalid("it names no entity");
    }
    let empty = match key {
        RecordKey::Single(key) => key.is_empty(),
        RecordKey::Composite(parts) => parts.is_empty(),
    };
    // Providers take an empty list of ids for "nothing to do" and say that it went well (`odoo.md`, section 2).
    if empty {
        return invalid("it names no record");
    }
    Ok(())
}

fn check_once<'a>(fields: impl Iterator<Item = &'a FieldName>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for field in fields {
        if field.as_str().is_empty() {
            return invalid("it names a field without a name");
        }
        if !seen.insert(field) {
            return invalid("it sets a field twice");
        }
    }
    Ok(())
}
