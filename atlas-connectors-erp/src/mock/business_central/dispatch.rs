//! From a request to an answer: who asks, where, and what may be done; then the entity.

use std::collections::BTreeSet;

use atlas_connectors::testkit::server::{Answer, Request};

use super::answer::{ApiError, Reply};
use super::cell::is_guid;
use super::counters::Counters;
use super::options::Options;
use super::route::{Place, Target, key};
use super::schema::{COMPANY, Entity};
use super::store::Company;
use super::world::{Rights, Tenant, User, World};
use super::{batch, metadata, rules, subscriptions};

/// A call whose caller and environment are known.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) user: User,
    pub(super) correlation: String,
    pub(super) tenant: usize,
    pub(super) environment: usize,
    /// Absolute address of the API, without a slash at the end.
    pub(super) root: String,
}

/// The name of a call for faults and counters: `salesOrders.create`, `batch`, `metadata`.
pub(super) fn operation(request: &Request) -> String {
    let segments = request.segments();
    if segments.first().is_some_and(|first| first == "environments") {
        return "environments".to_owned();
    }
    let rest = Place::read(&segments).map(|place| place.rest).unwrap_or_default();
    operation_of(request.method.as_str(), &rest)
}

pub(super) fn operation_of(method: &str, rest: &[String]) -> String {
    let bare = |segment: &str| segment.split('(').next().unwrap_or_default().to_owned();
    let Some(first) = rest.first() else {
        return "service".to_owned();
    };
    match first.as_str() {
        "$metadata" => return "metadata".to_owned(),
        "$batch" => return "batch".to_owned(),
        "companies" => return "companies.list".to_owned(),
        _ => {}
    }
    let last = rest.last().unwrap_or(first);
    if let Some(action) = last.strip_prefix("Microsoft.NAV.") {
        let set = rest
            .iter()
            .rev()
            .nth(1)
            .map(|segment| bare(segment))
            .unwrap_or_default();
        return format!("{set}.{action}");
    }
    let verb = match method {
        "POST" => "create",
        "PATCH" => "update",
        "DELETE" => "delete",
        _ if last.contains('(') => "get",
        _ => "list",
    };
    format!("{}.{verb}", bare(last))
}

impl World {
    /// Answers a request from the wire.
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let correlation = request
            .header("client-request-id")
            .filter(|id| is_guid(id))
            .map_or_else(|| self.sequence.guid(), str::to_owned);
        if request.header("accept-language").is_none() {
            self.counters.without_language += 1;
        }
        match self.enter(request, &correlation) {
            Ok(reply) => reply.answer(&correlation),
            Err(error) => {
                let reply = Reply::error(&error, &correlation);
                match error.status {
                    401 => reply.with_header("www-authenticate", "Bearer"),
                    _ => reply,
                }
                .answer(&correlation)
            }
        }
    }

    fn enter(&mut self, request: &Request, correlation: &str) -> Result<Reply, ApiError> {
        if !self.settings.api_enabled {
            return Err(ApiError::new(
                405,
                "BadRequest_MethodNotAllowed",
                "The API services are not enabled.",
            ));
        }
        // Servers of one's own take a user and an access key instead of a token.
        let key = || request.basic().map(|(user, key)| format!("{user}:{key}"));
        let token = request.bearer().map(str::to_owned).or_else(key).unwrap_or_default();
        let (name, user) = self.user(&token).ok_or_else(ApiError::unauthenticated)?;
        if user.rights.unknown {
            return Err(ApiError::unauthorized());
        }
        if self.is_too_fast(&name) {
            self.counters.throttled += 1;
            return Err(ApiError::throttled());
        }
        let segments = request.segments();
        if let [first, version] = segments.as_slice()
            && first == "environments"
            && matches!(version.as_str(), "v1.1" | "v1.2")
        {
            return Ok(self.environments(&user));
        }
        let place = Place::read(&segments)
            .ok_or_else(|| ApiError::new(404, "BadRequest_NotFound", "Bad Request - Error in query syntax."))?;
        let context = self.context(&place, user, correlation)?;
        self.api(&context, &place.rest, request)
    }

    fn context(&self, place: &Place, user: User, correlation: &str) -> Result<Context, ApiError> {
        let missing = || ApiError::new(404, "NoEnvironment", "Environment does not exist.");
        let wanted = place.tenant.as_deref().unwrap_or(&user.tenant);
        let tenant = self
            .tenants
            .iter()
            .position(|tenant| tenant.id == wanted || tenant.domain == wanted)
            .ok_or_else(missing)?;
        let found = self.tenants.get(tenant).ok_or_else(missing)?;
        if found.id != user.tenant {
            return Err(ApiError::unauthorized());
        }
        let environment = found
            .environments
            .iter()
            .position(|one| one.name.eq_ignore_ascii_case(&place.environment))
            .ok_or_else(missing)?;
        if place.route != "v2.0" && !self.settings.routes.contains(&place.route) {
            return Err(ApiError::new(
                404,
                "BadRequest_NotFound",
                format!("No API route matches '{}'.", place.route),
            ));
        }
        Ok(Context {
            user,
            correlation: correlation.to_owned(),
            tenant,
            environment,
            root: format!("{}/{}", self.base, place.root),
        })
    }

    fn environments(&self, user: &User) -> Reply {
        let tenant = self.tenants.iter().find(|tenant| tenant.id == user.tenant);
        let value: Vec<_> = tenant
            .into_iter()
            .flat_map(|tenant| &tenant.environments)
            .map(|one| {
                serde_json::json!({
                    "aadTenantId": user.tenant, "applicationFamily": "BusinessCentral", "type": one.kind, "name": one.name,
                    "countryCode": "US", "webServiceUrl": self.base,
                    "webClientLoginUrl": format!("{}/{}/{}", self.base, user.tenant, one.name), "ringName": "PROD",
                })
            })
            .collect();
        Reply::json(200, serde_json::json!({ "value": value }).to_string())
    }

    /// A call below the API's root, from the wire or out of a batch.
    pub(super) fn api(&mut self, context: &Context, rest: &[String], request: &Request) -> Result<Reply, ApiError> {
        let method = request.method.as_str();
        let writes = method != "GET" && method != "HEAD";
        let read_only = request
            .header("data-access-intent")
            .is_some_and(|intent| intent.eq_ignore_ascii_case("readonly"));
        if writes && read_only {
            return Err(ApiError::bad_request(
                "Data-Access-Intent ReadOnly is not supported for modification requests.",
            ));
        }
        let first = rest.first().map(String::as_str).unwrap_or_default();
        let hidden = self.hidden(context);
        match first {
            "$metadata" => return Ok(Reply::of(200, "application/xml", metadata::document(&hidden))),
            "$batch" if method == "POST" => return batch::answer(self, context, request),
            "entityDefinitions" => {
                return Ok(Reply::json(
                    200,
                    metadata::definitions(&context.root, &hidden).to_string(),
                ));
            }
            "apicategoryroutes" => return Ok(self.routes(&context.root)),
            _ if first.starts_with("subscriptions") => {
                let key = first
                    .split_once('(')
                    .map(|(_, rest)| rest.trim_matches(['(', ')', '\'']));
                return subscriptions::answer(self, (context.tenant, context.environment), key, method, request);
            }
            _ => {}
        }
        if rest == ["companies"] {
            return self.companies(context, request);
        }
        let (company, below) = self.company(context, rest, request)?;
        if below.is_empty() {
            return match method {
                "GET" => self.one_company(context, &company),
                _ => Err(ApiError::new(
                    405,
                    "BadRequest_MethodNotAllowed",
                    format!(
                        "'{method}' requests for 'companies' of EdmType 'Entity' are not allowed within Microsoft Dynamics NAV OData web services."
                    ),
                )),
            };
        }
        let target = Target::read(below)?;
        let page = target.parent.as_ref().map_or(target.entity, |(parent, _)| parent);
        for entity in [page, target.entity] {
            if hidden.contains(entity.set) {
                return Err(ApiError::no_segment(entity.set));
            }
            if self.is_outdated(context, entity) {
                return Err(ApiError::dialog(format!(
                    "You must run the data upgrade for this API page before using it. You can run the data upgrade by navigating to API Data Upgrade page and scheduling upgrade for {}.",
                    entity.table.1
                )));
            }
        }
        check_right(&context.user.rights, target.entity, method, target.action.is_some())?;
        if writes {
            self.write(context, &company, &target, request)
        } else {
            if read_only {
                self.counters.replica_reads += 1;
            }
            self.read(context, &company, &target, below, request, read_only)
        }
    }

    fn hidden(&self, context: &Context) -> BTreeSet<String> {
        self.tenants
            .get(context.tenant)
            .and_then(|tenant| tenant.environments.get(context.environment))
            .map(|environment| environment.hidden.clone())
            .unwrap_or_default()
    }

    fn is_outdated(&self, context: &Context, entity: &Entity) -> bool {
        self.tenants
            .get(context.tenant)
            .and_then(|tenant| tenant.environments.get(context.environment))
            .is_some_and(|environment| environment.outdated.contains(entity.set))
    }

    fn routes(&self, root: &str) -> Reply {
        let mut routes = vec!["v2.0".to_owned(), "microsoft/automation/v2.0".to_owned()];
        routes.extend(self.settings.routes.iter().cloned());
        let value: Vec<_> = routes
            .iter()
            .map(|route| match route.split('/').collect::<Vec<_>>().as_slice() {
                [publisher, group, version] => {
                    serde_json::json!({"route": route, "publisher": publisher, "group": group, "version": version})
                }
                _ => serde_json::json!({"route": route, "publisher": "", "group": "", "version": route}),
            })
            .collect();
        let body = serde_json::json!({"@odata.context": format!("{root}/$metadata#apicategoryroutes"), "value": value});
        Reply::json(200, body.to_string())
    }

    fn allowed<'a>(&'a self, context: &'a Context) -> impl Iterator<Item = &'a Company> {
        self.tenants
            .get(context.tenant)
            .and_then(|tenant| tenant.environments.get(context.environment))
            .into_iter()
            .flat_map(|environment| &environment.companies)
            .filter(|company| {
                let only = context.user.rights.companies.as_ref();
                only.is_none_or(|names| names.contains(&company.name))
            })
    }

    fn companies(&self, context: &Context, request: &Request) -> Result<Reply, ApiError> {
        if request.method != "GET" {
            return Err(ApiError::new(
                405,
                "BadRequest_MethodNotAllowed",
                format!(
                    "'{}' requests for 'companies' of EdmType 'Entity' are not allowed within Microsoft Dynamics NAV OData web services.",
                    request.method
                ),
            ));
        }
        let value: Vec<_> = self.allowed(context).map(company_json).collect();
        let body =
            serde_json::json!({"@odata.context": format!("{}/$metadata#companies", context.root), "value": value});
        Ok(Reply::json(200, body.to_string()))
    }

    fn one_company(&self, context: &Context, id: &str) -> Result<Reply, ApiError> {
        let company = self.allowed(context).find(|company| company.id == id);
        let mut body = company.map(company_json).ok_or_else(ApiError::no_record)?;
        if let Some(body) = body.as_object_mut() {
            let context = format!("{}/$metadata#companies/$entity", context.root);
            body.insert("@odata.context".to_owned(), context.into());
        }
        Ok(Reply::json(200, body.to_string()))
    }

    /// The company of a call, and the path below it. Without one the user's default company is taken: the first.
    fn company<'a>(
        &mut self,
        context: &Context,
        rest: &'a [String],
        request: &Request,
    ) -> Result<(String, &'a [String]), ApiError> {
        let first = rest.first().map(String::as_str).unwrap_or_default();
        let missing = |id: &str| {
            ApiError::new(
                404,
                "Internal_CompanyNotFound",
                format!("Cannot find company \"{id}\"."),
            )
        };
        let named = if first.starts_with("companies(") {
            key(first)?.1
        } else {
            request
                .query("company")
                .or_else(|| request.header("company"))
                .map(str::to_owned)
        };
        let below = if first.starts_with("companies(") {
            rest.get(1..).unwrap_or_default()
        } else {
            rest
        };
        if let Some(named) = named {
            let exists = self
                .tenants
                .get(context.tenant)
                .and_then(|tenant| tenant.environments.get(context.environment))
                .is_some_and(|one| {
                    one.companies
                        .iter()
                        .any(|company| company.id == named || company.name == named)
                });
            if !exists {
                return Err(missing(&named));
            }
            let open = self.allowed(context).find(|one| one.id == named || one.name == named);
            return Ok((open.ok_or_else(ApiError::unauthorized)?.id.clone(), below));
        }
        self.counters.default_company += 1;
        let default = self.allowed(context).next().map(|company| company.id.clone());
        default.map(|id| (id, below)).ok_or_else(|| {
            ApiError::new(
                404,
                "Internal_CompanyNotFound",
                "Can't process the request because the default company can't be found.",
            )
        })
    }

    fn read(
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

    fn write(
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
                rules::act(company, sequence, entity, id, action, setting)?;
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

fn check_right(rights: &Rights, entity: &Entity, method: &str, acts: bool) -> Result<(), ApiError> {
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

fn company_json(company: &Company) -> serde_json::Value {
    let made = "2024-01-01T00:00:00.000Z";
    let by = "518b67e6-5253-4c5f-87e2-5d6b2c3b4ef6";
    let mut out = serde_json::json!({
        "id": company.id, "systemVersion": "26.0.30643.32100", "timestamp": 4006, "name": company.name,
        "displayName": company.display_name, "businessProfileId": "", "systemCreatedAt": made, "systemCreatedBy": by,
        "systemModifiedAt": made, "systemModifiedBy": by,
    });
    if let Some(fields) = out.as_object_mut() {
        fields.retain(|name, _| COMPANY.field(name).is_some());
    }
    out
}
