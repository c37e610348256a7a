//! Defaults, totals and the steps of documents.

use std::collections::BTreeMap;

use crate::mock::odoo::Version;
use crate::mock::odoo::database::datetime;
use crate::mock::odoo::env::Env;
use crate::mock::odoo::figure::Figure;
use crate::mock::odoo::oops::{Done, Oops};
use crate::mock::odoo::schema::ModelDef;
use crate::odoo::wire::Json;

impl Env<'_> {
    /// What the server fills in on create.
    pub(super) fn defaults(&self, model: &ModelDef, row: &mut BTreeMap<&'static str, Json>) {
        let set = |row: &mut BTreeMap<&'static str, Json>, name: &'static str, value: Json| {
            row.entry(name).or_insert(value);
        };
        let company = self.company();
        let currency = self
            .db
            .row("res.company", company)
            .and_then(|row| row.id_in("currency_id"));
        let currency = Json::int(currency.unwrap_or(1));
        let now = Json::text(datetime(self.db.now));
        let next = self
            .db
            .table(model.name)
            .map_or(1, |table| table.last.saturating_add(1));
        match model.name {
            "sale.order" | "purchase.order" => {
                let letter = if model.name == "sale.order" { "S" } else { "P" };
                set(row, "name", Json::text(format!("{letter}{next:05}")));
                set(row, "state", Json::text("draft"));
                set(row, "company_id", Json::int(company));
                set(row, "currency_id", currency);
                set(row, "date_order", now);
                set(row, "user_id", Json::int(self.uid));
            }
            "account.move" => {
                set(row, "state", Json::text("draft"));
                set(row, "move_type", Json::text("entry"));
                set(row, "payment_state", Json::text("not_paid"));
                set(row, "company_id", Json::int(company));
                set(row, "currency_id", currency);
            }
            "sale.order.line" | "purchase.order.line" | "account.move.line" => {
                let (parent, inverse) = parent_field(model.name);
                let parent = row
                    .get(inverse)
                    .and_then(Json::as_int)
                    .and_then(|id| self.db.row(parent, id));
                if let Some(parent) = parent {
                    set(row, "company_id", parent.value("company_id").clone());
                    set(row, "currency_id", parent.value("currency_id").clone());
                }
                let quantity = quantity_field(model.name);
                set(row, quantity, Json::Number("1.0".into()));
                let product = row.get("product_id").and_then(Json::as_int);
                if let Some(product) = product {
                    set(
                        row,
                        "name",
                        Json::text(self.db.display_name("product.product", product)),
                    );
                    let price = match model.name {
                        "purchase.order.line" => "standard_price",
                        _ => "list_price",
                    };
                    let price = self
                        .db
                        .row("product.product", product)
                        .map(|row| row.value(price).clone());
                    set(
                        row,
                        "price_unit",
                        price
                            .filter(|price| price.number().is_some())
                            .unwrap_or(Json::Number("0.0".into())),
                    );
                }
                set(row, "price_unit", Json::Number("0.0".into()));
            }
            "res.partner" => set(row, "active", Json::Bool(true)),
            "product.template" | "product.product" => {
                set(row, "type", Json::text("consu"));
                set(row, "active", Json::Bool(true));
                set(row, "list_price", Json::Number("1.0".into()));
            }
            "mail.activity" => {
                set(row, "user_id", Json::int(self.uid));
                let today = datetime(self.db.now);
                set(row, "date_deadline", Json::text(today.get(..10).unwrap_or_default()));
            }
            _ => {}
        }
    }

    pub(super) fn parent_of(&self, model: &ModelDef, id: i64) -> Option<(&'static str, i64)> {
        if !model.name.ends_with(".line") {
            return None;
        }
        let (parent, inverse) = parent_field(model.name);
        Some((parent, self.db.row(model.name, id)?.id_in(inverse)?))
    }

    /// Computes what hangs on a changed row.
    pub(super) fn after_change(&mut self, model: &'static ModelDef, id: i64) {
        if let Some((parent, parent_id)) = self.parent_of(model, id) {
            self.price_line(model, id);
            self.recompute(parent, parent_id);
        }
    }

    fn price_line(&mut self, model: &ModelDef, id: i64) {
        let Some(row) = self.db.row(model.name, id) else {
            return;
        };
        let figure = |name: &str| row.value(name).number().and_then(Figure::parse).unwrap_or(Figure::ZERO);
        let hundredth = Figure::parse("0.01").unwrap_or(Figure::ZERO);
        let one = Figure::parse("1").unwrap_or(Figure::ZERO);
        let paid = one.minus(figure("discount").times(hundredth));
        let net = figure(quantity_field(model.name))
            .times(figure("price_unit"))
            .times(paid)
            .rounded(2);
        let rate = match self.version() {
            Version::V18 => "0.15",
            Version::V19 => "0",
        };
        let tax = net.times(Figure::parse(rate).unwrap_or(Figure::ZERO)).rounded(2);
        let number = |figure: Figure| Json::Number(figure.text().into());
        if let Some(row) = self.db.row_mut(model.name, id) {
            row.values.insert("price_subtotal", number(net));
            row.values.insert("price_tax", number(tax));
            row.values.insert("price_total", number(net.plus(tax)));
        }
    }

    /// The totals of a document; its `write_date` moves only if one of them changes.
    pub(super) fn recompute(&mut self, model: &'static str, id: i64) {
        let (relation, lines) = match model {
            "sale.order" => ("sale.order.line/order_id", "sale.order.line"),
            "purchase.order" => ("purchase.order.line/order_id", "purchase.order.line"),
            "account.move" => ("account.move.line/move_id", "account.move.line"),
            _ => return,
        };
        let mut net = Figure::ZERO;
        let mut total = Figure::ZERO;
        for line in self.db.children(relation, id) {
            let Some(row) = self.db.row(lines, line) else { continue };
            let figure = |name: &str| row.value(name).number().and_then(Figure::parse).unwrap_or(Figure::ZERO);
            net = net.plus(figure("price_subtotal"));
            total = total.plus(figure("price_total"));
        }
        let number = |figure: Figure| Json::Number(figure.text().into());
        let computed = [
            ("amount_untaxed", number(net)),
            ("amount_tax", number(total.minus(net))),
            ("amount_total", number(total)),
        ];
        let now = self.db.now;
        if let Some(row) = self.db.row_mut(model, id) {
            let changed = computed.iter().any(|(name, value)| row.values.get(name) != Some(value));
            if changed {
                row.values.extend(computed);
                row.written = now;
            }
        }
    }

    /// A step of a document: `action_confirm` and its like.
    pub(super) fn step(&mut self, model: &'static ModelDef, method: &str, ids: &[i64]) -> Done<Json> {
        for id in ids {
            let row = self
                .db
                .row(model.name, *id)
                .ok_or_else(|| Oops::missing(model.name, *id, self.uid))?;
            if !self.sees(model.name, row) {
                return Err(self.stumbled(model.name, "write", row));
            }
            self.demand(model.name, "write")?;
            let state = row.text("state").to_owned();
            let next = match (model.name, method) {
                ("sale.order", "action_confirm") => {
                    if !matches!(state.as_str(), "draft" | "sent") {
                        return Err(Oops::user("Some orders are not in a state requiring confirmation."));
                    }
                    "sale"
                }
                ("sale.order", "action_cancel") => {
                    if self.version() == Version::V18 && state == "sale" {
                        return Ok(cancel_wizard(*id));
                    }
                    "cancel"
                }
                ("sale.order", "action_draft") => "draft",
                ("sale.order", "action_quotation_send") => return Ok(compose_wizard(*id)),
                ("purchase.order", "button_confirm") => "purchase",
                (_, "button_cancel") => "cancel",
                ("account.move", "action_post") => {
                    if state == "posted" {
                        return Err(Oops::user("The entry is already posted."));
                    }
                    "posted"
                }
                _ => return Err(Oops::no_method(model.name, method)),
            };
            let now = self.db.now;
            let number = Json::text(format!("INV/2026/{id:05}"));
            if let Some(row) = self.db.row_mut(model.name, *id) {
                row.values.insert("state", Json::text(next));
                row.written = now;
                if next == "posted" && row.value("name") == &Json::Bool(false) {
                    row.values.insert("name", number);
                }
                if next == "sale" {
                    row.values.insert("date_order", Json::text(datetime(now)));
                }
            }
            self.db.counts.add("action", model.name, 1);
        }
        Ok(match method {
            "action_post" => Json::Bool(false),
            _ => Json::Bool(true),
        })
    }
}

fn cancel_wizard(order: i64) -> Json {
    let context = Json::object([
        ("default_template_id", Json::int(17)),
        ("default_order_id", Json::int(order)),
        ("mark_so_as_canceled", Json::Bool(true)),
        (
            "default_email_layout_xmlid",
            Json::text("mail.mail_notification_layout_with_responsible_signature"),
        ),
        ("model_description", Json::text("Sales Order")),
    ]);
    Json::object([
        ("name", Json::text("Cancel Sales Order")),
        ("view_mode", Json::text("form")),
        ("res_model", Json::text("sale.order.cancel")),
        ("view_id", Json::int(1229)),
        ("type", Json::text("ir.actions.act_window")),
        ("context", context),
        ("target", Json::text("new")),
    ])
}

fn compose_wizard(order: i64) -> Json {
    Json::object([
        ("type", Json::text("ir.actions.act_window")),
        ("res_model", Json::text("mail.compose.message")),
        ("target", Json::text("new")),
        ("context", Json::object([("default_res_ids", Json::ids(&[order]))])),
    ])
}

fn parent_field(line: &str) -> (&'static str, &'static str) {
    match line {
        "sale.order.line" => ("sale.order", "order_id"),
        "purchase.order.line" => ("purchase.order", "order_id"),
        _ => ("account.move", "move_id"),
    }
}

fn quantity_field(line: &str) -> &'static str {
    match line {
        "sale.order.line" => "product_uom_qty",
        "purchase.order.line" => "product_qty",
        _ => "quantity",
    }
}
