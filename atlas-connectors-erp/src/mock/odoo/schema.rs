//! What a field and a model are, and how `fields_get` tells it.

use crate::odoo::wire::Json;

/// A field. Flags: `r` required, `o` read only, `n` not stored, `m` made by hand, `d` two digits, `D` two digits on 18 only,
/// `a` on 18 only, `z` on 19 only, `g` for the accounting group only.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldDef {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) relation: &'static str,
    pub(super) flags: &'static str,
    pub(super) label: &'static str,
}

impl FieldDef {
    pub(super) const fn new(
        name: &'static str,
        kind: &'static str,
        relation: &'static str,
        flags: &'static str,
        label: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            relation,
            flags,
            label,
        }
    }

    pub(super) fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    pub(super) fn is_many(&self) -> bool {
        matches!(self.kind, "one2many" | "many2many")
    }

    /// The selection of a field, in order.
    pub(super) fn selection(&self) -> &'static [(&'static str, &'static str)] {
        if self.kind != "selection" {
            return &[];
        }
        super::models::selection(self.relation)
    }

    /// What an empty field reads as.
    pub(super) fn empty(&self) -> Json {
        match self.kind {
            "integer" => Json::int(0),
            "float" | "monetary" => Json::Number("0.0".into()),
            "one2many" | "many2many" => Json::List(Vec::new()),
            _ => Json::Bool(false),
        }
    }

    /// One member of the answer to `fields_get`; attributes in the order of their names, as the server writes them.
    pub(super) fn described(&self, wanted: Option<&[String]>) -> Json {
        let mut all: Vec<(&str, Json)> = Vec::from([
            ("change_default", Json::Bool(false)),
            ("company_dependent", Json::Bool(false)),
        ]);
        if self.kind == "monetary" {
            all.push(("currency_field", Json::text("currency_id")));
        }
        all.push(("default_export_compatible", Json::Bool(false)));
        all.push(("depends", Json::List(Vec::new())));
        if self.kind == "float" && self.has('d') {
            all.push(("digits", Json::ids(&[16, 2])));
        }
        all.push(("exportable", Json::Bool(true)));
        all.push(("groupable", Json::Bool(!self.is_many())));
        all.push(("manual", Json::Bool(self.has('m'))));
        all.push(("name", Json::text(self.name)));
        all.push(("readonly", Json::Bool(self.has('o'))));
        let (relation, inverse) = self.relation.split_once('/').unwrap_or((self.relation, ""));
        if matches!(self.kind, "many2one" | "one2many" | "many2many") {
            all.push(("relation", Json::text(relation)));
        }
        if self.kind == "one2many" {
            all.push(("relation_field", Json::text(inverse)));
        }
        all.push(("required", Json::Bool(self.has('r'))));
        all.push(("searchable", Json::Bool(!self.has('n') || self.name == "display_name")));
        if self.kind == "selection" {
            let pairs = self.selection().iter();
            let list = pairs.map(|(value, label)| Json::texts([value, label])).collect();
            all.push(("selection", Json::List(list)));
        }
        if self.kind == "char" && self.name == "code" {
            all.push(("size", Json::int(2)));
        }
        all.push(("sortable", Json::Bool(!self.has('n') && !self.is_many())));
        all.push(("store", Json::Bool(!self.has('n'))));
        all.push(("string", Json::text(self.label)));
        if matches!(self.kind, "char" | "text" | "html") {
            all.push(("translate", Json::Bool(false)));
        }
        if self.kind == "char" {
            all.push(("trim", Json::Bool(true)));
        }
        all.push(("type", Json::text(self.kind)));
        all.retain(|(name, _)| wanted.is_none_or(|wanted| wanted.iter().any(|attribute| attribute == name)));
        Json::object(all)
    }
}

/// A model.
#[derive(Clone, Copy, Debug)]
pub(super) struct ModelDef {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) fields: &'static [FieldDef],
    /// Methods beyond those of every model.
    pub(super) methods: &'static [&'static str],
}

/// The fields of every model.
const COMMON: &[FieldDef] = &[
    FieldDef::new("id", "integer", "", "o", "ID"),
    FieldDef::new("display_name", "char", "", "on", "Display Name"),
    FieldDef::new("create_date", "datetime", "", "o", "Created on"),
    FieldDef::new("create_uid", "many2one", "res.users", "o", "Created by"),
    FieldDef::new("write_date", "datetime", "", "o", "Last Updated on"),
    FieldDef::new("write_uid", "many2one", "res.users", "o", "Last Updated by"),
];

impl ModelDef {
    pub(super) fn all(&self) -> impl Iterator<Item = &'static FieldDef> {
        self.fields.iter().chain(COMMON)
    }

    pub(super) fn field(&self, name: &str) -> Option<&'static FieldDef> {
        self.all().find(|field| field.name == name)
    }
}
