//! Records: reading and writing them, and what both may refuse.

use atlas_connectors::testkit::server::Request;

use super::answer::{ApiError, Reply};
use super::counters::Counters;
use super::dispatch::Context;
use super::options::Options;
use super::route::Target;
use super::rules;
use super::schema::Entity;
use super::store::Company;
use super::world::{Rights, Tenant, World};

impl World {
    pub(super) fn read(
        &self,
        context: &Context,
        company: &str,
        target: &Target,
        below: &[String],
        request: &Request,
        read_only: bool,
    ) -> Result<Reply, ApiError> {
        let tenants = match &self.replica {
            Some(replica) if read_only => replica,
            _ => &self.tenants,
        };
        let company = find(tenants, context, company).ok_or_else(ApiError::no_record)?;
        let options = Options::read(target.entity, &request.query)?;
        let path = format!("companies({})/{}", company.id, below.join("/"));
        if let Some(id) = &target.id {
            let row = company.row(target.entity.set, id)?;
            if let Some((_, parent)) = &target.parent
                && row.text("documentId") != parent
            {
                return Err(ApiError::no_record());
            }
            let set = path.rsplit_once('(').map_or(path.as_str(), |(set, _)| set);
            let body = with_context(
                &format!("{}/$metadata#{set}/$entity", context.root),
                &company.json(target.entity, row, &options),
            );
            return Ok(Reply::json(200, body).with_header("etag", row.etag()));
        }
        let flat = target.entity.line_of.is_some() && target.parent.is_none();
        if flat && !options.filter.names(&["documentId", "id"]) {
            return Err(ApiError::dialog(
                "You must specify an Id or a Document Id to get the lines.",
            ));
        }
        let page_size = page_size(request.header("prefer"), self.settings.max_page)?;
        let parent = target.parent.as_ref().map(|(_, id)| id.as_str());
        if let Some((entity, id)) = &target.parent {
            company.row(entity.set, id)?;
        }
        let within = |row: &super::store::Row| parent.is_none_or(|id| row.text("documentId") == id);
        let page = company.page(target.entity, &options, within, page_size);
        if target.counts {
            return Ok(Reply::of(200, "text/plain", page.count.to_string()));
        }
        let mut body = format!(
            "{{\"@odata.context\":{}",
            super::cell::quoted(&format!("{}/$metadata#{path}", context.root))
        );
        if options.count {
            body.push_str(&format!(",\"@odata.count\":{}", page.count));
        }
        body.push_str(&format!(",\"value\":[{}]", page.rows.join(",")));
        if let Some(token) = page.next {
            let mut query: Vec<String> = request
                .raw_query
                .split('&')
                .filter(|pair| !pair.is_empty() && !pair.contains("skiptoken="))
                .map(str::to_owned)
                .collect();
            query.push(format!("$skiptoken={token}"));
            let link = match &self.settings.foreign_link {
                Some(link) => link.clone(),
                None => format!("{}/{path}?{}", context.root, query.join("&")),
            };
            body.push_str(&format!(",\"@odata.nextLink\":{}", super::cell::quoted(&link)));
        }
        body.push('}');
        Ok(Reply::json(200, body))
    }

    pub(super) fn write(
        &mut self,
        context: &Context,
        company: &str,
        target: &Target,
        request: &Request,
    ) -> Result<Reply, ApiError> {
        let (setting, stale) = (self.setting(), self.settings.stale_status);
        let Self {
            tenants,
            sequence,
            counters,
            ..
        } = self;
        let company = find_mut(tenants, context, company).ok_or_else(ApiError::no_record)?;
        let entity = target.entity;
        let if_match = request.header("if-match");
        match (request.method.as_str(), &target.id, target.action) {
            ("POST", None, None) => {
                let body = rules::read_body(&request.body)?;
                let parent = target.parent.as_ref().map(|(_, id)| id.as_str());
                let id = rules::create(company, sequence, entity, &body, parent, setting)?;
                Counters::add(&mut counters.created, entity.set);
                let row = company.row(entity.set, &id)?;
                let mut options = Options::read(entity, &[])?;
                // The lines that came with it are given back with it.
                if let Some(lines) = entity.document.map(|of| of.lines)
                    && body.contains_key(lines)
                {
                    options = Options::read(entity, &[("$expand".to_owned(), lines.to_owned())])?;
                }
                let place = format!("{}/companies({})/{}({id})", context.root, company.id, entity.set);
                let json = with_context(
                    &format!(
                        "{}/$metadata#companies({})/{}/$entity",
                        context.root, company.id, entity.set
                    ),
                    &company.json(entity, row, &options),
                );
                let minimal = request
                    .header("prefer")
                    .is_some_and(|prefer| prefer.contains("return-no-content"));
                let reply = if minimal {
                    Reply::empty(204)
                } else {
                    Reply::json(201, json)
                };
                Ok(reply.with_header("etag", row.etag()).with_header("location", place))
            }
            ("POST", Some(id), Some(action)) => {
                let etag = company.row(entity.set, id)?.etag();
                check_if_match(if_match, &etag, false, stale)?;
                super::posting::act(company, sequence, entity, id, action, setting)?;
                Counters::add(&mut counters.actions, &format!("{}.{action}", entity.set));
                Ok(Reply::empty(204))
            }
            ("PATCH", Some(id), None) => {
                let etag = company.row(entity.set, id)?.etag();
                check_if_match(if_match, &etag, true, stale)?;
                let body = rules::read_body(&request.body)?;
                rules::update(company, sequence, entity, id, &body, setting)?;
                Counters::add(&mut counters.updated, entity.set);
                let row = company.row(entity.set, id)?;
                let json = with_context(
                    &format!(
                        "{}/$metadata#companies({})/{}/$entity",
                        context.root, company.id, entity.set
                    ),
                    &company.json(entity, row, &Options::read(entity, &[])?),
                );
                Ok(Reply::json(200, json).with_header("etag", row.etag()))
            }
            ("DELETE", Some(id), None) => {
                let etag = company.row(entity.set, id)?.etag();
                check_if_match(if_match, &etag, false, stale)?;
                rules::delete(company, sequence, entity, id, setting)?;
                Counters::add(&mut counters.deleted, entity.set);
                Ok(Reply::empty(204))
            }
            (method, ..) => Err(ApiError::new(
                405,
                "BadRequest_MethodNotAllowed",
                format!(
                    "'{method}' requests for '{}' of EdmType 'Entity' are not allowed within Microsoft Dynamics NAV OData web services.",
                    entity.set
                ),
            )),
        }
    }
}

fn find<'a>(tenants: &'a [Tenant], context: &Context, company: &str) -> Option<&'a Company> {
    let environment = tenants.get(context.tenant)?.environments.get(context.environment)?;
    environment.companies.iter().find(|one| one.id == company)
}

fn find_mut<'a>(tenants: &'a mut [Tenant], context: &Context, company: &str) -> Option<&'a mut Company> {
    let environment = tenants
        .get_mut(context.tenant)?
        .environments
        .get_mut(context.environment)?;
    environment.companies.iter_mut().find(|one| one.id == company)
}

/// PATCH demands it; the others check it when it is there. A stale one is a conflict.
pub(super) fn check_if_match(sent: Option<&str>, etag: &str, demanded: bool, stale: u16) -> Result<(), ApiError> {
    let invalid = || {
        ApiError::new(
            400,
            "BadRequest_InvalidToken",
            "Could not validate the client concurrency token required by the service. Please provide a valid token in the client request.",
        )
    };
    match sent {
        None if demanded => Err(invalid()),
        None | Some("*") => Ok(()),
        Some(sent) if !sent.starts_with("W/\"") => Err(invalid()),
        Some(sent) if sent == etag => Ok(()),
        Some(_) => Err(ApiError {
            status: stale,
            ..ApiError::changed()
        }),
    }
}

pub(super) fn check_right(rights: &Rights, entity: &Entity, method: &str, acts: bool) -> Result<(), ApiError> {
    let right = match method {
        "POST" if acts => "Modify",
        "POST" => "Insert",
        "PATCH" => "Modify",
        "DELETE" => "Delete",
        _ => "Read",
    };
    if rights.denied.contains(entity.set) || (rights.read_only && right != "Read") {
        return Err(ApiError::forbidden(entity.table.0, entity.table.1, right));
    }
    if !entity.writable && right != "Read" {
        return Err(ApiError::new(
            405,
            "BadRequest_MethodNotAllowed",
            format!(
                "'{method}' requests for '{}' of EdmType 'Entity' are not allowed within Microsoft Dynamics NAV OData web services.",
                entity.set
            ),
        ));
    }
    Ok(())
}

fn page_size(prefer: Option<&str>, most: usize) -> Result<usize, ApiError> {
    let asked = prefer
        .and_then(|prefer| prefer.split_once("odata.maxpagesize="))
        .and_then(|(_, rest)| rest.split([',', ';', ' ']).next())
        .and_then(|number| number.parse::<usize>().ok());
    match asked {
        Some(asked) if asked > most => Err(ApiError::new(
            413,
            "BadRequest",
            format!("The page size {asked} exceeds the maximum {most}."),
        )),
        Some(asked) => Ok(asked.max(1)),
        None => Ok(most),
    }
}

fn with_context(context: &str, object: &str) -> String {
    let rest = object.strip_prefix('{').unwrap_or(object);
    format!("{{\"@odata.context\":{},{rest}", super::cell::quoted(context))
}
