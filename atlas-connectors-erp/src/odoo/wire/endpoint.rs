//! Where a database is and which of its two protocols is spoken.

use atlas_connectors::error::ErrorKind;
use atlas_connectors::http::Origin;
use atlas_connectors::{Error, Result};
use serde::{Deserialize, Serialize};
use url::Url;

/// Which protocol a server is spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protocol {
    /// POST `/jsonrpc`: 14 to 21.
    JsonRpc,
    /// POST `/json/2/{model}/{method}`: 19 and later, API keys only.
    Json2,
}

/// The address and database of one Odoo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    database: Box<str>,
}

impl Endpoint {
    /// A server by its address (`https://acme.odoo.com`, with the path in front of Odoo if there is one) and the database
    /// as its user names it: on Odoo Online it may differ from the sub-domain, so it is never guessed.
    ///
    /// # Errors
    /// [`ErrorKind::EgressDenied`] for an address a secret may not go to, [`ErrorKind::Invalid`] for one with a query, a
    /// page of the web client, or an empty database name.
    pub fn new(address: &str, database: &str) -> Result<Self> {
        Origin::parse(address)?;
        let bad = |why| invalid("address", why);
        let mut base = Url::parse(address).map_err(|_| bad("not an address"))?;
        if base.query().is_some() || base.fragment().is_some() {
            return Err(bad("give the server's address only, without what stands after ? or #"));
        }
        let inside = base
            .path_segments()
            .is_some_and(|mut parts| parts.any(|part| matches!(part, "web" | "odoo" | "jsonrpc" | "xmlrpc")));
        if inside {
            return Err(bad("give the server's address only, without the path of a page"));
        }
        if let Ok(mut segments) = base.path_segments_mut() {
            segments.pop_if_empty();
        }
        let database = database.trim();
        // X-Odoo-Database is a header: what cannot stand in one is no database name either.
        if database.is_empty() || !database.chars().all(|c| c.is_ascii_graphic()) {
            return Err(invalid(
                "database",
                "name the database; it is asked for and never guessed",
            ));
        }
        Ok(Self {
            base,
            database: database.into(),
        })
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The server's address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The only origin a secret goes to.
    ///
    /// # Errors
    /// As [`Endpoint::new`], which has checked it already.
    pub fn origin(&self) -> Result<Origin> {
        Origin::parse(self.base.as_str())
    }

    pub(crate) fn url(&self, segments: &[&str]) -> Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| invalid("address", "cannot have a path"))?
            .pop_if_empty()
            .extend(segments);
        Ok(url)
    }
}

/// A setting or argument that cannot go out; nothing was sent.
pub(crate) fn invalid(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, "odoo.request").with_provider(crate::odoo::provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_servers_and_a_database_is_named() {
        let at = Endpoint::new("https://erp.example/odoo-proxy/", "acme").unwrap();
        assert_eq!(at.url(&["jsonrpc"]).unwrap().path(), "/odoo-proxy/jsonrpc");
        for (address, database, code) in [
            ("https://erp.example/web/login", "acme", "invalid"),
            ("https://erp.example/?db=acme", "acme", "invalid"),
            ("https://erp.example", "  ", "invalid"),
            ("https://erp.example", "ac\nme", "invalid"),
            ("http://erp.example", "acme", "egress.scheme"),
            ("https://admin:x@erp.example", "acme", "egress.url"),
            ("erp.example", "acme", "egress.url"),
        ] {
            assert_eq!(Endpoint::new(address, database).unwrap_err().code(), code, "{address}");
        }
    }
}
