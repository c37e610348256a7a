//! Creating, writing and deleting rows, with the server's ways of taking values.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::mock::odoo::Version;
use crate::mock::odoo::database::micros;
use crate::mock::odoo::env::Env;
use crate::mock::odoo::figure::Figure;
use crate::mock::odoo::models;
use crate::mock::odoo::oops::{Done, Oops};
use crate::mock::odoo::read::unknown_field;
use crate::mock::odoo::schema::{FieldDef, ModelDef};
use crate::odoo::wire::Json;

type Values = BTreeMap<&'static str, Json>;
type Commands = Vec<(&'static FieldDef, Json)>;

impl Env<'_> {
    pub(super) fn create(&mut self, model: &'static ModelDef, values: &[(String, Json)]) -> Done<i64> {
        self.demand(model.name, "create")?;
        let (mut row, commands) = self.taken(model, "create", values)?;
        self.defaults(model, &mut row);
        for field in model.fields.iter().filter(|field| field.has('r')) {
            if row.get(field.name).is_none_or(|value| value == &Json::Bool(false)) {
                return Err(self.required(model, field));
            }
        }
        self.unique(model, &row)?;
        let id = self.db.insert(model.name, self.uid, row);
        self.obey(model, id, commands)?;
        self.db.counts.add("create", model.name, 1);
        self.after_change(model, id);
        Ok(id)
    }

    pub(super) fn write(&mut self, model: &'static ModelDef, ids: &[i64], values: &[(String, Json)]) -> Done<()> {
        self.demand(model.name, "write")?;
        for id in ids {
            let row = self
                .db
                .row(model.name, *id)
                .ok_or_else(|| Oops::missing(model.name, *id, self.uid))?;
            if !self.sees(model.name, row) {
                return Err(self.stumbled(model.name, "write", row));
            }
        }
        for id in ids {
            let (changes, commands) = self.taken(model, "write", values)?;
            for field in model.fields.iter().filter(|field| field.has('r')) {
                if changes.get(field.name) == Some(&Json::Bool(false)) {
                    return Err(self.required(model, field));
                }
            }
            if model.name == "res.partner" && changes.get("parent_id").and_then(Json::as_int) == Some(*id) {
                return Err(Oops::validation("You cannot create recursive Partner hierarchies."));
            }
            let (now, uid) = (self.db.now, self.uid);
            if let Some(row) = self.db.row_mut(model.name, *id) {
                row.values.extend(changes);
                (row.written, row.writer) = (now, uid);
            }
            self.obey(model, *id, commands)?;
            self.db.counts.add("write", model.name, 1);
            self.after_change(model, *id);
        }
        Ok(())
    }

    pub(super) fn unlink(&mut self, model: &'static ModelDef, ids: &[i64]) -> Done<()> {
        self.demand(model.name, "unlink")?;
        for id in ids {
            let row = self
                .db
                .row(model.name, *id)
                .ok_or_else(|| Oops::missing(model.name, *id, self.uid))?;
            if !self.sees(model.name, row) {
                return Err(self.stumbled(model.name, "unlink", row));
            }
            let confirmed = matches!(row.text("state"), "sale" | "sent" | "purchase" | "posted");
            if confirmed && model.name == "sale.order" {
                return Err(Oops::user(
                    "You can not delete a sent quotation or a confirmed sales order. You must first cancel it.",
                ));
            }
            if confirmed && model.name == "purchase.order" {
                return Err(Oops::user(
                    "In order to delete a purchase order, you must cancel it first.",
                ));
            }
            if confirmed && model.name == "account.move" {
                return Err(Oops::user(
                    "You cannot delete a posted journal entry; reset it to draft first.",
                ));
            }
            if model.name == "res.users" && *id == 2 {
                return Err(Oops::user(
                    "You cannot delete the admin user because it is utilized in various places (such as security \
                     configurations,...). Instead, archive it.",
                ));
            }
            if model.name == "res.partner" {
                self.refuse_if_used(*id)?;
            }
        }
        for id in ids {
            for field in model.fields.iter().filter(|field| field.kind == "one2many") {
                let (child, _) = field.relation.split_once('/').unwrap_or_default();
                for line in self.db.children(field.relation, *id) {
                    self.drop_row(child, line);
                }
            }
            let parent = self.parent_of(model, *id);
            self.drop_row(model.name, *id);
            self.db.counts.add("unlink", model.name, 1);
            if let Some((parent_model, parent)) = parent {
                self.recompute(parent_model, parent);
            }
        }
        Ok(())
    }

    /// The constraints that the database itself keeps.
    fn unique(&self, model: &ModelDef, row: &Values) -> Done<()> {
        let (fields, message): (&[&str], &str) = match model.name {
            "res.country" => (&["code"], "The code of the country must be unique!"),
            "ir.model.data" => (
                &["module", "name"],
                "duplicate key value violates unique constraint \"ir_model_data_module_name_uniq_index\"\nDETAIL:  Key \
                 (module, name) already exists.\n",
            ),
            _ => return Ok(()),
        };
        let rows = self
            .db
            .table(model.name)
            .into_iter()
            .flat_map(|table| table.rows.values());
        let taken = rows
            .into_iter()
            .any(|other| fields.iter().all(|field| row.get(field) == Some(other.value(field))));
        if taken {
            return Err(Oops::validation(format!(
                "The operation cannot be completed: {message}"
            )));
        }
        Ok(())
    }

    fn refuse_if_used(&self, partner: i64) -> Done<()> {
        let users = [
            (
                "res.company",
                "Companies",
                "partner_id",
                "Partner",
                "res_company_partner_id_fkey",
            ),
            (
                "sale.order",
                "Sales Order",
                "partner_id",
                "Customer",
                "sale_order_partner_id_fkey",
            ),
            (
                "purchase.order",
                "Purchase Order",
                "partner_id",
                "Vendor",
                "purchase_order_partner_id_fkey",
            ),
        ];
        for (model, label, field, field_label, constraint) in users {
            let rows = self.db.table(model).into_iter().flat_map(|table| table.rows.values());
            if rows.into_iter().any(|row| row.id_in(field) == Some(partner)) {
                return Err(Oops::validation(match self.version() {
                    Version::V18 => format!(
                        "The operation cannot be completed: another model requires the record being deleted. If possible, \
                         archive it instead.\n\nModel: {label} ({model})\nConstraint: {constraint}\n"
                    ),
                    Version::V19 => format!(
                        "The operation cannot be completed: Another model is using the record you are trying to delete.\n\n\
                         The troublemaker is: '{label}' ({model})\nThanks to the following constraint: '{field_label}' \
                         ({field})\nHow about archiving the record instead?"
                    ),
                }));
            }
        }
        Ok(())
    }

    fn drop_row(&mut self, model: &str, id: i64) {
        if let Some(table) = self.db.tables.get_mut(model) {
            table.rows.remove(&id);
        }
        self.db.names.retain(|_, (of, record)| (*of, *record) != (model, id));
    }

    fn required(&self, model: &ModelDef, field: &FieldDef) -> Oops {
        let (label, name) = (field.label, field.name);
        let of = format!("'{}' ({})", model.label, model.name);
        Oops::validation(match self.version() {
            Version::V18 => format!(
                "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n- Delete: another \
                 model requires the record being deleted. If possible, archive it instead.\n\nModel: {} ({})\nField: \
                 {label} ({name})\n",
                model.label, model.name
            ),
            Version::V19 => format!(
                "The operation cannot be completed: Missing required value for the field '{label}' ({name}).\nModel: \
                 {of}\n- create/update: a mandatory field is not set\n- delete: another model requires the record being \
                 deleted, you can archive it instead\n"
            ),
        })
    }

    /// Values as they will be stored, and the commands on lists.
    fn taken(&self, model: &'static ModelDef, place: &str, values: &[(String, Json)]) -> Done<(Values, Commands)> {
        let mut row = Values::new();
        let mut commands = Vec::new();
        for (name, value) in values {
            let field = model
                .field(name)
                .ok_or_else(|| unknown_field(self.version(), place, model.name, name))?;
            if field.is_many() {
                commands.push((field, value.clone()));
            } else if !matches!(
                field.name,
                "id" | "create_date" | "write_date" | "create_uid" | "write_uid" | "display_name"
            ) {
                row.insert(field.name, self.coerced(model, field, value)?);
            }
        }
        if model.name == "ir.attachment"
            && let Some(datas) = row.get("datas").cloned()
        {
            store_file(self.version(), datas.as_text().unwrap_or_default(), &mut row);
        }
        Ok((row, commands))
    }

    fn coerced(&self, model: &ModelDef, field: &FieldDef, value: &Json) -> Done<Json> {
        let unset = matches!(value, Json::Null | Json::Bool(false));
        Ok(match field.kind {
            "boolean" => Json::Bool(!unset),
            _ if unset => field.empty(),
            // Anything but a bare whole number is taken without a word and clears the field.
            "many2one" => match value.as_int() {
                Some(id) if self.db.row(field.relation, id).is_some() => Json::int(id),
                Some(id) => return Err(Oops::missing(field.relation, id, self.uid)),
                None if self.version() == Version::V18 && field.has('r') && matches!(value, Json::List(_)) => {
                    return Err(Oops::type_error("unhashable type: 'list'"));
                }
                None => Json::Bool(false),
            },
            "selection" => match value.as_text() {
                Some(text) if field.selection().iter().any(|(known, _)| *known == text) => value.clone(),
                _ => {
                    let shown = value
                        .as_text()
                        .map_or_else(|| value.to_text(), |text| format!("'{text}'"));
                    return Err(Oops::value(format!(
                        "Wrong value for {}.{}: {shown}",
                        model.name, field.name
                    )));
                }
            },
            "float" | "monetary" => {
                let text = value.number().or(value.as_text()).unwrap_or_default();
                let Some(figure) = Figure::parse(text) else {
                    return Err(match self.version() {
                        Version::V18 => Oops::type_error("can't multiply sequence by non-int of type 'float'"),
                        Version::V19 => Oops::value(format!("could not convert string to float: '{text}'")),
                    });
                };
                let two = field.has('d') || (field.has('D') && self.version() == Version::V18);
                let figure = if two { figure.rounded(2) } else { figure };
                Json::Number(figure.text().into())
            }
            "integer" | "many2one_reference" => match value.as_int() {
                Some(number) if i32::try_from(number).is_ok() => value.clone(),
                Some(_) => {
                    return Err(Oops::sql(
                        "psycopg2.errors.NumericValueOutOfRange",
                        "integer out of range\n",
                    ));
                }
                None => {
                    let shown = value.as_text().unwrap_or_default();
                    return Err(Oops::value(format!(
                        "invalid literal for int() with base 10: '{shown}'"
                    )));
                }
            },
            "datetime" => {
                let text = value.as_text().unwrap_or_default();
                if micros(text).is_none() && !(text.len() == 10 && micros(&format!("{text} 00:00:00")).is_some()) {
                    return Err(Oops::value(match text.get(..19).and_then(micros) {
                        Some(_) => format!("unconverted data remains: {}", text.get(19..).unwrap_or_default()),
                        None => format!("time data '{text}' does not match format '%Y-%m-%d %H:%M:%S'"),
                    }));
                }
                value.clone()
            }
            "date" => {
                let text = value.as_text().unwrap_or_default();
                let day = text.get(..10).unwrap_or(text);
                if micros(&format!("{day} 00:00:00")).is_none() {
                    return Err(Oops::value(format!(
                        "time data '{day}' does not match format '%Y-%m-%d'"
                    )));
                }
                Json::text(day)
            }
            _ => {
                let text = value.as_text().map_or_else(|| value.to_text(), str::to_owned);
                if field.kind == "char" && text.contains('\0') {
                    return Err(Oops::value("A string literal cannot contain NUL (0x00) characters."));
                }
                Json::Text(text)
            }
        })
    }

    /// Carries out the commands on lists, after the record itself is there.
    fn obey(&mut self, model: &'static ModelDef, id: i64, commands: Commands) -> Done<()> {
        for (field, value) in commands {
            let items = value.as_list().unwrap_or_default();
            if field.kind == "many2many" {
                self.obey_links(model, id, field, items);
                continue;
            }
            let (child, inverse) = field.relation.split_once('/').unwrap_or_default();
            let Some(child) = models::model(child) else { continue };
            for item in items {
                let parts = item.as_list().unwrap_or_default();
                let (number, target) = (
                    parts.first().and_then(Json::as_int),
                    parts.get(1).and_then(Json::as_int),
                );
                let values = parts.get(2).and_then(Json::as_object).unwrap_or_default();
                match (number, target) {
                    (Some(0), _) => {
                        let mut values = values.to_vec();
                        values.push((inverse.to_owned(), Json::int(id)));
                        self.create(child, &values)?;
                    }
                    (Some(1), Some(line)) => self.write(child, &[line], values)?,
                    (Some(2 | 3), Some(line)) => {
                        if self.db.row(child.name, line).is_none() {
                            return Err(Oops::missing(child.name, line, self.uid));
                        }
                        self.drop_row(child.name, line);
                        self.recompute(model.name, id);
                    }
                    (Some(5), _) => {
                        for line in self.db.children(field.relation, id) {
                            self.drop_row(child.name, line);
                        }
                        self.recompute(model.name, id);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn obey_links(&mut self, model: &ModelDef, id: i64, field: &FieldDef, items: &[Json]) {
        let now = self
            .db
            .row(model.name, id)
            .and_then(|row| row.value(field.name).as_ids());
        let mut linked = now.unwrap_or_default();
        if let Some(plain) = Json::List(items.to_vec()).as_ids() {
            linked = plain;
        }
        for parts in items.iter().filter_map(Json::as_list) {
            let target = parts.get(1).and_then(Json::as_int);
            match (parts.first().and_then(Json::as_int), target) {
                (Some(4), Some(target)) if !linked.contains(&target) => linked.push(target),
                (Some(2 | 3), Some(target)) => linked.retain(|linked| *linked != target),
                (Some(5), _) => linked.clear(),
                (Some(6), _) => linked = parts.get(2).and_then(Json::as_ids).unwrap_or_default(),
                _ => {}
            }
        }
        let name = models::model(model.name)
            .and_then(|model| model.field(field.name))
            .map(|field| field.name);
        if let (Some(name), Some(row)) = (name, self.db.row_mut(model.name, id)) {
            row.values.insert(name, Json::ids(&linked));
        }
    }
}

/// Invalid base64 is accepted and stores an empty file.
fn store_file(version: Version, datas: &str, row: &mut Values) {
    let content = STANDARD.decode(datas).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &content);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let checksum = match version {
        Version::V19 if content.is_empty() => Json::Bool(false),
        _ => Json::text(hex),
    };
    row.insert("checksum", checksum);
    row.insert("file_size", Json::int(i64::try_from(content.len()).unwrap_or(i64::MAX)));
    row.insert(
        "datas",
        if content.is_empty() {
            Json::Bool(false)
        } else {
            Json::text(datas)
        },
    );
}
