//! From a request to an answer: who asks, where, and what may be done; then the entity.

use std::collections::BTreeSet;

use atlas_connectors::testkit::server::{Answer, Request};

use super::answer::{ApiError, Reply};
use super::cell::is_guid;
use super::records::check_right;
use super::route::{Place, Target, key};
use super::schema::{COMPANY, Entity};
use super::store::Company;
use super::world::{User, World};
use super::{batch, metadata, subscriptions};

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
