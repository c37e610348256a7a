//! Who calls, in which companies and language: access rights and record rules.

use crate::mock::odoo::Version;
use crate::mock::odoo::database::{Database, Rights, Row};
use crate::mock::odoo::models;
use crate::mock::odoo::oops::{Done, Oops};
use crate::odoo::wire::Json;

#[derive(Debug)]
pub(super) struct Env<'a> {
    pub(super) db: &'a mut Database,
    pub(super) uid: i64,
    pub(super) rights: Rights,
    pub(super) companies: Vec<i64>,
    pub(super) active_test: bool,
    pub(super) bin_size: bool,
    pub(super) utc: bool,
}

impl<'a> Env<'a> {
    pub(super) fn new(db: &'a mut Database, uid: i64, context: Option<&Json>) -> Done<Self> {
        let none = Json::Object(Vec::new());
        let context = context.unwrap_or(&none);
        let user = db.user(uid).ok_or_else(|| Oops::missing("res.users", uid, uid))?;
        if let Some(lang) = context.member("lang").and_then(Json::as_text)
            && !matches!(lang, "en_US" | "fr_FR")
        {
            return Err(Oops::user(format!("Invalid language code: {lang}")));
        }
        let asked = context.member("allowed_company_ids").and_then(Json::as_ids);
        let companies = match asked {
            Some(asked) if asked.iter().all(|id| user.companies.contains(id)) && !asked.is_empty() => asked,
            Some(asked) if !asked.is_empty() => {
                return Err(Oops::access("Access to unauthorized or invalid companies."));
            }
            _ => user.companies.clone(),
        };
        let rights = user.rights;
        let flag = |name: &str| match context.member(name) {
            Some(Json::Bool(value)) => Some(*value),
            _ => None,
        };
        Ok(Self {
            uid,
            rights,
            companies,
            active_test: flag("active_test") != Some(false),
            bin_size: flag("bin_size") == Some(true),
            utc: context.member("tz").and_then(Json::as_text) == Some("UTC"),
            db,
        })
    }

    pub(super) fn version(&self) -> Version {
        self.db.version
    }

    pub(super) fn company(&self) -> i64 {
        self.companies.first().copied().unwrap_or(1)
    }

    /// Access rights on the model.
    pub(super) fn may(&self, model: &str, operation: &str) -> bool {
        let read = operation == "read";
        let documents = model.starts_with("sale.order") || model.starts_with("purchase.order");
        match (self.rights, model) {
            (Rights::Admin, _) => true,
            (_, "ir.model" | "ir.model.data" | "x_atlas_noacl") => false,
            (_, "res.users.apikeys") => read || operation == "unlink",
            (Rights::Bot, _) if documents || model.starts_with("account.move") => true,
            (Rights::Sales, _) if model.starts_with("sale.order") => true,
            (Rights::Bot | Rights::Sales, "res.partner") => operation != "unlink" || self.rights == Rights::Bot,
            (_, _) if documents || model.starts_with("account.move") => false,
            (Rights::Bot | Rights::Sales, "ir.attachment" | "mail.activity" | "mail.message") => true,
            (Rights::Limited, "ir.attachment" | "mail.activity") => true,
            _ => read,
        }
    }

    pub(super) fn demand(&self, model: &str, operation: &str) -> Done<()> {
        if self.may(model, operation) {
            return Ok(());
        }
        let verb = match operation {
            "read" => "access",
            "write" => "modify",
            "unlink" => "delete",
            other => other,
        };
        let label = models::model(model).map_or(model, |model| model.label);
        let group = match (model, self.version()) {
            ("ir.model" | "ir.model.data", Version::V18) => "Administration/Access Rights",
            ("ir.model" | "ir.model.data", Version::V19) => "Access Rights",
            ("account.move" | "account.move.line", Version::V18) => "Invoicing/Invoicing",
            ("account.move" | "account.move.line", Version::V19) => "Accounting/Invoicing",
            ("res.partner", Version::V18) => "Extra Rights/Contact Creation",
            ("res.partner", Version::V19) => "Contact/Creation",
            (model, _) if model.starts_with("purchase") => "Purchase/User",
            _ => "Sales/Administrator",
        };
        Err(Oops::access(format!(
            "You are not allowed to {verb} '{label}' ({model}) records.\n\nThis operation is allowed for the following \
             groups:\n\t- {group}\n\nContact your administrator to request access if necessary."
        )))
    }

    /// Record rules: the company's and, for a salesman, his own orders.
    pub(super) fn sees(&self, model: &str, row: &Row) -> bool {
        if model == "res.users.apikeys" && self.rights != Rights::Admin {
            return row.id_in("user_id") == Some(self.uid);
        }
        let company = match model {
            "res.company" | "res.users" => return self.rights == Rights::Admin || self.own(model, row),
            "sale.order.line"
            | "purchase.order.line"
            | "account.move.line"
            | "sale.order"
            | "purchase.order"
            | "account.move"
            | "res.partner"
            | "product.product"
            | "product.template" => row.id_in("company_id"),
            _ => None,
        };
        if company.is_some_and(|company| !self.companies.contains(&company)) {
            return false;
        }
        match (self.rights, model) {
            (Rights::Sales, "sale.order") => row.id_in("user_id") == Some(self.uid) || row.id_in("user_id").is_none(),
            _ => true,
        }
    }

    fn own(&self, model: &str, row: &Row) -> bool {
        let own_companies = self.db.user(self.uid).map(|user| user.companies.as_slice());
        match model {
            "res.company" => own_companies.is_some_and(|own| {
                own.iter().any(|id| {
                    self.db
                        .row("res.company", *id)
                        .is_some_and(|company| company.text("name") == row.text("name"))
                })
            }),
            _ => true,
        }
    }

    pub(super) fn stumbled(&self, model: &str, operation: &str, row: &Row) -> Oops {
        let label = models::model(model).map_or(model, |model| model.label);
        let name = self.db.user(self.uid).map_or("", |user| user.name.as_str());
        let mut message = format!(
            "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\nSorry, {name} (id={}) doesn't have \
             '{operation}' access to:\n- {label} ({model})\n\nIf you really, really need access, perhaps you can win over \
             your friendly administrator with a batch of freshly baked cookies.",
            self.uid
        );
        let company = row.id_in("company_id").filter(|id| !self.companies.contains(id));
        let own = company.filter(|id| self.db.user(self.uid).is_some_and(|user| user.companies.contains(id)));
        let mut context = Json::Object(Vec::new());
        if let Some(id) = own {
            let name = self.db.display_name("res.company", id);
            message.push_str(&format!(
                "\n\nThis seems to be a multi-company issue, you might be able to access the record by switching to the \
                 company: {name}."
            ));
            let suggested = Json::object([("id", Json::int(id)), ("display_name", Json::text(name))]);
            context = Json::object([("suggested_company", suggested)]);
        }
        let mut oops = Oops::access(message);
        oops.context = context;
        oops
    }
}
