//! The catalog: which models, which modules, which verbs.

use std::sync::Arc;

use atlas_connectors::Result;
use atlas_connectors::erp::{
    ActionSpec, Catalog, CatalogScope, Entity, EntityKind, Field, FieldKind, FieldName, Service, ServiceState, Verb,
    Verbs,
};
use atlas_connectors::error::ErrorKind;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::odoo::domain;
use crate::odoo::session::Door;
use crate::odoo::shapes::Shapes;
use crate::odoo::wire::{Json, Method, ModelCall};

/// The models of the common documents and what hangs on them. `ir.model` needs the Settings right, so there is no list to
/// be had for a bot with few rights (`odoo.md`, section 5).
const CURATED: [&str; 17] = [
    "sale.order",
    "sale.order.line",
    "purchase.order",
    "purchase.order.line",
    "account.move",
    "account.move.line",
    "res.partner",
    "product.product",
    "product.template",
    "res.company",
    "res.currency",
    "res.country",
    "uom.uom",
    "stock.picking",
    "ir.attachment",
    "mail.activity",
    "mail.message",
];

/// The modules whose state is told, installed or not; of others only that they are installed.
const MODULES: [&str; 8] = [
    "sale",
    "sale_management",
    "purchase",
    "account",
    "stock",
    "mrp",
    "crm",
    "project",
];

/// How many models are asked about at once.
const AT_ONCE: usize = 4;

/// Fills in what `fields_get` does not say: label, kind, module, actions.
pub(super) fn complete(entity: &mut Entity) {
    let (label, kind, service) = match entity.name.as_str() {
        "sale.order" => ("Sales Order", EntityKind::Document, Some("sale")),
        "sale.order.line" => ("Sales Order Line", EntityKind::Line, Some("sale")),
        "purchase.order" => ("Purchase Order", EntityKind::Document, Some("purchase")),
        "purchase.order.line" => ("Purchase Order Line", EntityKind::Line, Some("purchase")),
        "account.move" => ("Journal Entry", EntityKind::Document, Some("account")),
        "account.move.line" => ("Journal Item", EntityKind::Line, Some("account")),
        "stock.picking" => ("Transfer", EntityKind::Document, Some("stock")),
        "res.partner" => ("Contact", EntityKind::Master, None),
        "product.product" => ("Product Variant", EntityKind::Master, None),
        "product.template" => ("Product", EntityKind::Master, None),
        "res.company" => ("Company", EntityKind::Master, None),
        "res.currency" => ("Currency", EntityKind::Master, None),
        "res.country" => ("Country", EntityKind::Master, None),
        _ => ("", EntityKind::Other, None),
    };
    if !label.is_empty() {
        entity.label = label.to_owned();
    }
    entity.kind = kind;
    entity.service = service.map(str::to_owned);
    let tracked = entity.field("write_date").is_some();
    entity.changed_at = tracked.then(|| FieldName::from("write_date"));
    entity.support.change_tracking = tracked;
    let own: &[&str] = match entity.name.as_str() {
        "sale.order" => &["action_confirm", "action_cancel", "action_draft"],
        "purchase.order" => &["button_confirm", "button_cancel", "button_draft"],
        "account.move" => &["action_post", "button_cancel", "button_draft"],
        "stock.picking" => &["action_confirm", "action_assign", "button_validate"],
        _ => &[],
    };
    entity.actions.extend(own.iter().map(|name| ActionSpec::new(*name)));
    if entity.field("active").is_some() {
        entity.actions.push(ActionSpec::new("action_archive"));
        entity.actions.push(ActionSpec::new("action_unarchive"));
    }
    if entity.field("message_ids").is_some() || entity.kind == EntityKind::Document {
        let mut note = ActionSpec::new("message_post");
        note.parameters = Vec::from([
            Field::new("body", FieldKind::Text),
            Field::new("subtype_xmlid", FieldKind::Text),
        ]);
        let mut todo = ActionSpec::new("activity_schedule");
        todo.parameters = Vec::from([
            Field::new("act_type_xmlid", FieldKind::Text),
            Field::new("summary", FieldKind::Text),
            Field::new("date_deadline", FieldKind::Date),
            Field::new("user_id", FieldKind::Integer),
        ]);
        entity.actions.extend([note, todo]);
    }
}

/// Takes the catalog of a scope from the live server.
pub(super) async fn take(door: &Door, shapes: &Shapes, scope: &CatalogScope) -> Result<Arc<Catalog>> {
    let session = door.session().await?;
    let company = door.company(scope.company.as_ref()).await?;
    let mut catalog = Catalog::new(super::PROVIDER, door.clock().now());
    catalog.company = Some(company.to_string().into());
    catalog.language = Some(door.settings.language.to_string());
    catalog.system = Some(format!("Odoo {}, database {}", session.series, door.database()));
    catalog.services = modules(door).await?;
    let wanted: Vec<String> = match scope.entities.as_slice() {
        [] => CURATED.iter().map(|model| (*model).to_owned()).collect(),
        named => named.iter().map(ToString::to_string).collect(),
    };
    let entities: Vec<Option<Entity>> = stream::iter(wanted)
        .map(|model| async move { one(door, shapes, &model, scope).await })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    catalog.entities = entities.into_iter().flatten().collect();
    if catalog.entities.is_empty() {
        let service = scope
            .entities
            .first()
            .map_or_else(|| "odoo".to_owned(), ToString::to_string);
        return Err(
            atlas_connectors::Error::new(ErrorKind::ServiceMissing { service }, "odoo.catalog")
                .with_provider(super::provider()),
        );
    }
    Ok(Arc::new(catalog))
}

async fn one(door: &Door, shapes: &Shapes, model: &str, scope: &CatalogScope) -> Result<Option<Entity>> {
    let shape = match shapes.of(door, model, scope.refresh).await {
        Ok(shape) => shape,
        Err(error) if matches!(error.kind(), ErrorKind::ServiceMissing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut entity = shape.entity.clone();
    let read = may(door, model, Verb::Read, scope).await?;
    entity.verbs = if read {
        Verbs {
            read,
            create: may(door, model, Verb::Create, scope).await?,
            update: may(door, model, Verb::Update, scope).await?,
            delete: may(door, model, Verb::Delete, scope).await?,
        }
    } else {
        Verbs {
            read: false,
            create: false,
            update: false,
            delete: false,
        }
    };
    Ok(Some(entity))
}

async fn may(door: &Door, model: &str, verb: Verb, scope: &CatalogScope) -> Result<bool> {
    let context = door.context(scope.company.as_ref()).await?;
    allowed(door, model, verb, context).await
}

/// Whether the user has this right on the model. `fields_get` answers for models that one may not read, so it is no test.
pub(super) async fn allowed(
    door: &Door,
    model: &str,
    verb: Verb,
    context: crate::odoo::wire::CallContext,
) -> Result<bool> {
    let operation = match verb {
        Verb::Read => "read",
        Verb::Create => "create",
        Verb::Update => "write",
        Verb::Delete => "unlink",
    };
    let call = if door.session().await?.series.has_has_access() {
        ModelCall::new(model, Method::HasAccess).on(&[])
    } else {
        ModelCall::new(model, Method::CheckAccessRights).with("raise_exception", Json::Bool(false))
    };
    let call = call.with("operation", Json::text(operation)).within(context);
    let answer = door.ask(&call).await?;
    match answer.value()? {
        Json::Bool(allowed) => Ok(allowed),
        _ => Err(answer.wrong_type("has_access")),
    }
}

/// The modules that matter. Internal users may read them; their `state` tells, and the version field does not.
async fn modules(door: &Door) -> Result<Vec<Service>> {
    let installed = domain::term("state", "=", Json::text("installed"));
    let told = domain::term("name", "in", Json::texts(MODULES));
    let mut either = domain::Domain::from([Json::text("|")]);
    either.extend(installed.into_iter().chain(told));
    let call = ModelCall::new("ir.module.module", Method::SearchRead)
        .with("domain", Json::List(either))
        .with("fields", Json::texts(["name", "state"]))
        .with("order", Json::text("name"));
    let rows = match door.ask(&call).await {
        Ok(answer) => answer.value()?,
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let service = |row: &Json| {
        let installed = row.member("state").and_then(Json::as_text) == Some("installed");
        Some(Service {
            name: row.member("name")?.as_text()?.to_owned(),
            state: if installed {
                ServiceState::Active
            } else {
                ServiceState::Missing
            },
        })
    };
    Ok(rows.as_list().unwrap_or_default().iter().filter_map(service).collect())
}
