//! From an address to what it is about.

use super::answer::ApiError;
use super::schema::{Entity, of_set};

/// Which environment and API a path names, and what follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `None` where the short form leaves it to the token.
    pub(super) tenant: Option<String>,
    pub(super) environment: String,
    /// `v2.0` or `publisher/group/version`.
    pub(super) route: String,
    /// The path up to the route.
    pub(super) root: String,
    pub(super) rest: Vec<String>,
}

impl Place {
    /// `/v2.0/{tenant}/{environment}/api/{route}/…`, the same without tenant, or `/{instance}/api/{route}/…`.
    pub(super) fn read(segments: &[String]) -> Option<Self> {
        let api = segments.iter().position(|segment| segment == "api")?;
        let (before, after) = (segments.get(..api)?, segments.get(api + 1..)?);
        let (tenant, environment) = match before {
            [version, tenant, environment] if version == "v2.0" => (Some(tenant.clone()), environment.clone()),
            [version, environment] if version == "v2.0" => (None, environment.clone()),
            [instance] => (None, instance.clone()),
            _ => return None,
        };
        let length = if after.first().is_some_and(|first| first == "v2.0") {
            1
        } else {
            3
        };
        let route = after.get(..length)?.join("/");
        Some(Self {
            tenant,
            environment,
            root: format!("{}/api/{route}", before.join("/")),
            rest: after.get(length..)?.to_vec(),
            route,
        })
    }
}

/// What a path below a company is about.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) entity: &'static Entity,
    /// The record; `None` for the set.
    pub(super) id: Option<String>,
    /// The document whose lines these are.
    pub(super) parent: Option<(&'static Entity, String)>,
    pub(super) action: Option<&'static str>,
    /// `/$count`.
    pub(super) counts: bool,
}

impl Target {
    /// Reads the segments below `companies(…)`.
    pub(super) fn read(segments: &[String]) -> Result<Self, ApiError> {
        let mut segments = segments.iter().peekable();
        let first = segments.next().ok_or_else(|| ApiError::no_segment(""))?;
        let (name, id) = key(first)?;
        let mut target = Self {
            entity: of_set(name).ok_or_else(|| ApiError::no_segment(name))?,
            id,
            parent: None,
            action: None,
            counts: false,
        };
        while let Some(segment) = segments.next() {
            if segment == "$count" {
                target.counts = true;
            } else if let Some(action) = segment.strip_prefix("Microsoft.NAV.") {
                // Not case sensitive: `Post` posts as well.
                let known = target
                    .entity
                    .actions
                    .iter()
                    .find(|known| known.eq_ignore_ascii_case(action));
                target.action = Some(*known.ok_or_else(|| ApiError::no_segment(segment))?);
            } else {
                let (name, id) = key(segment)?;
                let own = target.id.take().ok_or_else(|| ApiError::no_segment(name))?;
                let relation = target.entity.relation(name).filter(|relation| relation.many);
                let relation = relation.ok_or_else(|| ApiError::no_segment(name))?;
                let lines = of_set(relation.set).ok_or_else(|| ApiError::no_segment(name))?;
                target.parent = Some((target.entity, own));
                target.entity = lines;
                target.id = id;
            }
            if target.counts && segments.peek().is_some() {
                return Err(ApiError::no_segment("$count"));
            }
        }
        Ok(target)
    }
}

/// `salesOrders(0ae…)` is a name and a key.
pub(super) fn key(segment: &str) -> Result<(&str, Option<String>), ApiError> {
    match segment.split_once('(') {
        None => Ok((segment, None)),
        Some((name, rest)) => {
            let key = rest
                .strip_suffix(')')
                .unwrap_or(rest)
                .trim_matches('\'')
                .to_ascii_lowercase();
            if super::cell::is_guid(&key) {
                Ok((name, Some(key)))
            } else {
                Err(ApiError::new(
                    404,
                    "BadRequest_NotFound",
                    "Bad Request - Error in query syntax.",
                ))
            }
        }
    }
}
