//! What is to be read, said without any provider's language.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::erp::{EntityName, FieldName, Filter};
use crate::ids::CompanyId;

/// What is to be read. Names are the provider's, as in the catalog; connectors compile it to Odoo domains and OData queries.
///
/// ```
/// use atlas_connectors::erp::{Filter, Query, field};
///
/// let open_orders = Query::of("sale.order")
///     .select(["name", "partner_id", "amount_total"])
///     .filter(field("state").equals("sale").and(field("amount_total").greater(1_000)))
///     .order_by("name")
///     .page_size(200);
/// assert_eq!(open_orders.select.len(), 3);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Query {
    /// The entity.
    pub entity: EntityName,
    /// The company to read in. `None` takes the connection's own; a provider with companies never guesses one.
    pub company: Option<CompanyId>,
    /// Which records. `None` reads all that the account may see.
    pub filter: Option<Filter>,
    /// Which fields, in this order. Empty takes a connector's default for the entity, which is never "all of them" where
    /// that is slow.
    pub select: Vec<FieldName>,
    /// In which order. Empty takes the key's, the only one that stays whole while records change.
    pub order: Vec<Order>,
    /// Relations whose records come along.
    pub expand: Vec<Expand>,
    /// Records of one page; `None` takes the connector's setting. The provider may give fewer.
    pub page_size: Option<u32>,
    /// At most so many records over all pages.
    pub limit: Option<u64>,
    /// Whether the number of all matching records is asked for. Some providers answer it slowly or with an error.
    pub count: bool,
}

impl Query {
    /// All records of this entity.
    pub fn of(entity: impl Into<EntityName>) -> Self {
        Self {
            entity: entity.into(),
            company: None,
            filter: None,
            select: Vec::new(),
            order: Vec::new(),
            expand: Vec::new(),
            page_size: None,
            limit: None,
            count: false,
        }
    }

    /// Reads in this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }

    /// Adds a condition; several hold together.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter.take() {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }

    /// Adds fields.
    #[must_use]
    pub fn select<F: Into<FieldName>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
        self.select.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Adds a field to order by, rising.
    #[must_use]
    pub fn order_by(mut self, field: impl Into<FieldName>) -> Self {
        self.order.push(Order {
            field: field.into(),
            descending: false,
        });
        self
    }

    /// Adds a field to order by, falling.
    #[must_use]
    pub fn order_by_descending(mut self, field: impl Into<FieldName>) -> Self {
        self.order.push(Order {
            field: field.into(),
            descending: true,
        });
        self
    }

    /// Adds a relation whose records come along.
    #[must_use]
    pub fn expand(mut self, expand: impl Into<Expand>) -> Self {
        self.expand.push(expand.into());
        self
    }

    /// Sets the number of records of one page, at least 1.
    #[must_use]
    pub fn page_size(mut self, records: u32) -> Self {
        self.page_size = Some(records.max(1));
        self
    }

    /// Sets the most records over all pages.
    #[must_use]
    pub fn limit(mut self, records: u64) -> Self {
        self.limit = Some(records);
        self
    }

    /// Asks for the number of all matching records.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.count = true;
        self
    }
}

/// A field to order by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The field.
    pub field: FieldName,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// A relation whose records come along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Expand {
    /// The relation: `order_line`, `to_Item`, `salesOrderLines`.
    pub relation: FieldName,
    /// Which of their fields; empty takes the connector's default.
    pub select: Vec<FieldName>,
    /// Relations of theirs.
    pub expand: Vec<Self>,
}

impl Expand {
    /// This relation.
    pub fn of(relation: impl Into<FieldName>) -> Self {
        Self {
            relation: relation.into(),
            select: Vec::new(),
            expand: Vec::new(),
        }
    }

    /// Adds fields.
    #[must_use]
    pub fn select<F: Into<FieldName>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
        self.select.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Adds a relation of the related records.
    #[must_use]
    pub fn expand(mut self, expand: impl Into<Self>) -> Self {
        self.expand.push(expand.into());
        self
    }
}

impl From<&str> for Expand {
    fn from(relation: &str) -> Self {
        Self::of(relation)
    }
}

/// How a connector would carry a query out: what it asks of the server, and what it does itself because the server cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueryPlan {
    /// The first request as the server would see it, without address and credential: a path with its options, or an
    /// Odoo domain. It holds the values of the filter: for the developer's eyes, not for a log.
    pub request: String,
    /// What the server does, in order.
    pub on_server: Vec<PlanStep>,
    /// What is done with the records that come, in order. Each step reads more than it gives.
    pub on_client: Vec<PlanStep>,
    /// Records of one page.
    pub page_size: u32,
}

impl QueryPlan {
    /// A plan of this request.
    pub fn new(request: impl Into<String>, page_size: u32) -> Self {
        Self {
            request: request.into(),
            on_server: Vec::new(),
            on_client: Vec::new(),
            page_size,
        }
    }

    /// Adds a step of the server.
    #[must_use]
    pub fn server(mut self, what: impl Into<String>, why: &'static str) -> Self {
        self.on_server.push(PlanStep::new(what, why));
        self
    }

    /// Adds a step of our own.
    #[must_use]
    pub fn client(mut self, what: impl Into<String>, why: &'static str) -> Self {
        self.on_client.push(PlanStep::new(what, why));
        self
    }
}

impl fmt::Display for QueryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10}{}", "request", self.request)?;
        writeln!(f, "{:<10}{} records", "page", self.page_size)?;
        for (where_, steps) in [("server", &self.on_server), ("client", &self.on_client)] {
            for step in steps {
                writeln!(f, "{where_:<10}{}: {}", step.what, step.why)?;
            }
        }
        Ok(())
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// What is done: `filter state`, `order by name`, `page by id`.
    pub what: String,
    /// Why here.
    pub why: std::borrow::Cow<'static, str>,
}

impl PlanStep {
    /// A step and its reason.
    pub fn new(what: impl Into<String>, why: &'static str) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
        }
    }
}
