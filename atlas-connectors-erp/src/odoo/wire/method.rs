//! The methods this connector calls, with the arguments each takes.

use atlas_connectors::http::CallClass;

/// A method of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `search_read(domain, fields, offset, limit, order)`: rows.
    SearchRead,
    /// `search(domain, offset, limit, order)`: ids.
    Search,
    /// `search_count(domain)`: a number. Its `limit` is there from 16 only and never used.
    SearchCount,
    /// `read(ids, fields, load)`: rows; missing records are left out.
    Read,
    /// `fields_get(allfields, attributes)`: what the user may see of the model.
    FieldsGet,
    /// `create(vals_list)`: ids.
    Create,
    /// `write(ids, vals)`: true.
    Write,
    /// `unlink(ids)`: true.
    Unlink,
    /// `load(fields, data)`: creates or updates by external id.
    Load,
    /// `has_access(ids, operation)`: 18 and later.
    HasAccess,
    /// `check_access_rights(operation, raise_exception)`: 14 and later, on the model only.
    CheckAccessRights,
    /// `context_get()` of `res.users`: own language, time zone, id.
    ContextGet,
    /// `get_external_id(ids)`: the name of each record.
    ExternalId,
    /// `message_post(ids, body, …)`: ids on 19, a number before.
    MessagePost,
    /// `activity_schedule(ids, act_type_xmlid, …)`: ids on 19, a text before.
    ActivitySchedule,
    /// A public method on records, such as `action_confirm`.
    Action(Box<str>),
}

impl Method {
    /// Its name on the wire.
    pub fn name(&self) -> &str {
        match self {
            Self::SearchRead => "search_read",
            Self::Search => "search",
            Self::SearchCount => "search_count",
            Self::Read => "read",
            Self::FieldsGet => "fields_get",
            Self::Create => "create",
            Self::Write => "write",
            Self::Unlink => "unlink",
            Self::Load => "load",
            Self::HasAccess => "has_access",
            Self::CheckAccessRights => "check_access_rights",
            Self::ContextGet => "context_get",
            Self::ExternalId => "get_external_id",
            Self::MessagePost => "message_post",
            Self::ActivitySchedule => "activity_schedule",
            Self::Action(name) => name,
        }
    }

    /// The stable name for errors and spans.
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::SearchRead => "odoo.search_read",
            Self::Search => "odoo.search",
            Self::SearchCount => "odoo.search_count",
            Self::Read => "odoo.read",
            Self::FieldsGet => "odoo.fields_get",
            Self::Create => "odoo.create",
            Self::Write => "odoo.write",
            Self::Unlink => "odoo.unlink",
            Self::Load => "odoo.load",
            Self::HasAccess => "odoo.has_access",
            Self::CheckAccessRights => "odoo.check_access_rights",
            Self::ContextGet => "odoo.context_get",
            Self::ExternalId => "odoo.external_id",
            Self::MessagePost => "odoo.message_post",
            Self::ActivitySchedule => "odoo.activity_schedule",
            Self::Action(_) => "odoo.action",
        }
    }

    /// Whether it may be repeated.
    pub const fn class(&self) -> CallClass {
        match self {
            Self::SearchRead
            | Self::Search
            | Self::SearchCount
            | Self::Read
            | Self::FieldsGet
            | Self::HasAccess
            | Self::CheckAccessRights
            | Self::ContextGet
            | Self::ExternalId => CallClass::Read,
            Self::Create
            | Self::Write
            | Self::Unlink
            | Self::Load
            | Self::MessagePost
            | Self::ActivitySchedule
            | Self::Action(_) => CallClass::Effect,
        }
    }

    /// Whether it works on records and so takes ids.
    pub const fn on_records(&self) -> bool {
        matches!(
            self,
            Self::Read
                | Self::Write
                | Self::Unlink
                | Self::HasAccess
                | Self::ExternalId
                | Self::MessagePost
                | Self::ActivitySchedule
                | Self::Action(_)
        )
    }

    /// Whether it may be called for no record: an access check of the model itself.
    pub const fn allows_no_ids(&self) -> bool {
        matches!(self, Self::HasAccess)
    }

    /// The arguments that JSON-RPC gets by position, after the ids. The domain is one of them because its name has
    /// changed (`args` in `search` of 14 and 15), and `create` fails by keyword (`odoo.md`, section 2).
    pub(crate) const fn positional(&self) -> &'static [&'static str] {
        match self {
            Self::SearchRead | Self::Search | Self::SearchCount => &["domain"],
            Self::Create => &["vals_list"],
            Self::Write => &["vals"],
            Self::Load => &["fields", "data"],
            _ => &[],
        }
    }

    /// The names JSON-2 knows: Python's own, which differ by method (19.0; the same in 19.1 and 20.0 as far as published).
    pub(crate) const fn named(&self) -> Option<&'static [&'static str]> {
        Some(match self {
            Self::SearchRead => &["domain", "fields", "offset", "limit", "order", "load"],
            Self::Search => &["domain", "offset", "limit", "order"],
            Self::SearchCount => &["domain", "limit"],
            Self::Read => &["fields", "load"],
            Self::FieldsGet => &["allfields", "attributes"],
            Self::Create => &["vals_list"],
            Self::Write => &["vals"],
            Self::Load => &["fields", "data"],
            Self::HasAccess => &["operation"],
            Self::CheckAccessRights => &["operation", "raise_exception"],
            Self::Unlink | Self::ContextGet | Self::ExternalId => &[],
            Self::MessagePost | Self::ActivitySchedule | Self::Action(_) => return None,
        })
    }
}
