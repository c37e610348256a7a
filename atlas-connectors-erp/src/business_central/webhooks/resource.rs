//! What a subscription or notice is about: a set of a company, one record of it, or a query to run.

use atlas_connectors::{CompanyId, Timestamp};
use url::Url;

/// A resource path without the slash that some answers put in front (`api/v2.0/companies(…)/items(…)`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    path: Box<str>,
    query: Option<Box<str>>,
}

impl Resource {
    /// A resource as it is written anywhere: with or without a slash in front, or as a whole address.
    pub fn new(resource: &str) -> Self {
        let resource = resource.trim();
        let whole = Url::parse(resource).ok().filter(Url::has_host);
        let relative = match &whole {
            // Behind `/v2.0/{tenant}/{environment}`; the path itself begins with `api/`.
            Some(url) => {
                let path = url.path();
                let from = path.find("/api/").map_or(0, |at| at);
                let mut relative = path.get(from..).unwrap_or_default().to_owned();
                if let Some(query) = url.query() {
                    relative.push('?');
                    relative.push_str(query);
                }
                relative
            }
            None => resource.to_owned(),
        };
        let relative = relative.trim_start_matches('/');
        let (path, query) = match relative.split_once('?') {
            Some((path, query)) => (path, Some(query.into())),
            None => (relative, None),
        };
        Self {
            path: path.trim_end_matches('/').into(),
            query,
        }
    }

    /// All records of a set in a company.
    pub fn set(route: &super::super::ApiRoute, company: &CompanyId, set: &str) -> Self {
        Self::new(&format!("api/{route}/companies({company})/{set}"))
    }

    /// The path without query and without a slash in front.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query of a `collection` notice, percent-encoded as it came.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The company, if the path names one.
    pub fn company(&self) -> Option<CompanyId> {
        let (_, rest) = self.path.split_once("companies(")?;
        let (id, _) = rest.split_once(')')?;
        (!id.is_empty()).then(|| CompanyId::new(id.to_ascii_lowercase()))
    }

    /// The entity set, such as `items`.
    pub fn entity(&self) -> Option<&str> {
        let last = self.path.rsplit('/').next()?;
        let name = last.split_once('(').map_or(last, |(name, _)| name);
        (!name.is_empty() && name != "companies").then_some(name)
    }

    /// The key of the one record, without quotes; none for a set.
    pub fn key(&self) -> Option<&str> {
        let last = self.path.rsplit('/').next()?;
        let (_, rest) = last.split_once('(')?;
        let key = rest.strip_suffix(')')?.trim_matches('\'');
        self.entity().and((!key.is_empty()).then_some(key))
    }

    /// The moment after which a `collection` notice wants the changes read. The documented query names a field that the
    /// entities do not have (`lastDateTimeModified`), so it is the moment that counts, not the text.
    pub fn changed_after(&self) -> Option<Timestamp> {
        let query = self.query.as_deref()?;
        let filter = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "$filter")
            .map(|(_, value)| value.into_owned())?;
        filter.split_whitespace().find_map(|word| word.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::business_central::ApiRoute;

    const COMPANY: &str = "a7f1d29f-b084-f011-a708-6045bd956d8a";

    #[test]
    fn a_slash_in_front_or_a_whole_address_make_no_difference() {
        let plain = Resource::new(&format!("api/v2.0/companies({COMPANY})/items"));
        assert_eq!(plain, Resource::new(&format!("/api/v2.0/companies({COMPANY})/items/")));
        assert_eq!(
            plain,
            Resource::new(&format!(
                "https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0/companies({COMPANY})/items"
            ))
        );
        assert_eq!(
            plain,
            Resource::set(&ApiRoute::standard(), &CompanyId::new(COMPANY), "items")
        );
        assert_eq!(plain.entity(), Some("items"));
        assert_eq!(plain.key(), None);
        assert_eq!(plain.company(), Some(CompanyId::new(COMPANY)));
    }

    #[test]
    fn one_record_and_a_query_are_told_apart() {
        let one = Resource::new(&format!("api/v2.0/companies({COMPANY})/items(015e4dd6)"));
        assert_eq!((one.entity(), one.key()), (Some("items"), Some("015e4dd6")));
        let company = Resource::new(&format!("api/v2.0/companies({COMPANY})"));
        assert_eq!((company.entity(), company.key()), (None, None));
        let query = Resource::new(
            "/api/v2.0/companies(x)/salesInvoices?$filter=lastDateTimeModified%20gt%202018-10-15T11:00:00Z",
        );
        assert_eq!(query.entity(), Some("salesInvoices"));
        assert_eq!(query.changed_after().unwrap().to_string(), "2018-10-15T11:00:00Z");
        assert_eq!(Resource::new("").entity(), None);
    }
}
