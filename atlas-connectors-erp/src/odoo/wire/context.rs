//! The context every call carries.

use crate::odoo::wire::Json;

/// Companies, language and switches of one call. The time zone is always UTC: `load` reads dates in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallContext {
    /// Companies that may be touched, the current one first. Without any, **all** of the user's are active
    /// (`odoo.md`, section 8): leave it empty only to find out which there are.
    pub companies: Vec<i64>,
    /// An installed language; texts and error messages come in it.
    pub language: Box<str>,
    /// `false` shows archived records too; `None` leaves it to the server, which hides them.
    pub active_test: Option<bool>,
    /// Asks for the size of binary fields in place of their content.
    pub sizes_only: bool,
    /// Further keys, such as a wizard's defaults.
    pub more: Vec<(String, Json)>,
}

impl Default for CallContext {
    fn default() -> Self {
        Self {
            companies: Vec::new(),
            language: "en_US".into(),
            active_test: None,
            sizes_only: false,
            more: Vec::new(),
        }
    }
}

impl CallContext {
    /// The context of one company.
    pub fn of_company(company: i64) -> Self {
        Self {
            companies: Vec::from([company]),
            ..Self::default()
        }
    }

    pub(crate) fn json(&self) -> Json {
        let mut members = Vec::from([
            ("lang".to_owned(), Json::text(&*self.language)),
            ("tz".to_owned(), Json::text("UTC")),
        ]);
        if !self.companies.is_empty() {
            members.push(("allowed_company_ids".to_owned(), Json::ids(&self.companies)));
        }
        if let Some(active_test) = self.active_test {
            members.push(("active_test".to_owned(), Json::Bool(active_test)));
        }
        if self.sizes_only {
            members.push(("bin_size".to_owned(), Json::Bool(true)));
        }
        members.extend(self.more.iter().cloned());
        Json::Object(members)
    }
}
