//! All databases of one mock, and the transaction around every call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use atlas_connectors::Clock;

use crate::mock::odoo::Version;
use crate::mock::odoo::calls::{self, Called};
use crate::mock::odoo::database::Database;
use crate::mock::odoo::env::Env;
use crate::mock::odoo::oops::{Done, Oops};
use crate::odoo::wire::Json;

#[derive(Debug)]
pub(super) struct World {
    pub(super) version: Version,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) databases: BTreeMap<String, Database>,
    /// Loads of a model that are to lose against another transaction.
    pub(super) conflicts: BTreeMap<String, u32>,
    /// Records that somebody else holds a lock on.
    pub(super) locked: BTreeSet<(String, i64)>,
    pub(super) requests: u64,
}

impl World {
    pub(super) fn authenticate(&self, arguments: &[Json]) -> Done<Json> {
        let text = |at: usize| arguments.get(at).and_then(Json::as_text).unwrap_or_default();
        let database = self.databases.get(text(0)).ok_or_else(|| Oops::no_database(text(0)))?;
        let user = database.users.iter().find(|user| user.login == text(1));
        let user = user.filter(|user| database.secret_of(user, text(2), false, self.clock.now()));
        Ok(user.map_or(Json::Bool(false), |user| Json::int(user.id)))
    }

    pub(super) fn user_of_key(&self, database: &str, key: &str) -> Option<i64> {
        let database = self.databases.get(database)?;
        let mut users = database.users.iter();
        let user = users.find(|user| database.secret_of(user, key, true, self.clock.now()))?;
        Some(user.id)
    }

    /// `execute_kw` with arguments and keywords in two members, or `execute` with arguments alone.
    pub(super) fn execute_kw(&mut self, arguments: &[Json], keywords: bool) -> Done<Json> {
        let text = |at: usize| arguments.get(at).and_then(Json::as_text).unwrap_or_default();
        let name = text(0).to_owned();
        let uid = arguments.get(1).and_then(Json::as_int).unwrap_or(0);
        let database = self.databases.get(&name).ok_or_else(|| Oops::no_database(&name))?;
        let user = database.user(uid).ok_or_else(|| Oops::missing("res.users", uid, uid))?;
        if !database.secret_of(user, text(2), false, self.clock.now()) {
            return Err(Oops::access_denied());
        }
        let (positional, named) = if keywords {
            let list = arguments.get(5).and_then(Json::as_list);
            (list, arguments.get(6).and_then(Json::as_object))
        } else {
            (arguments.get(5..), None)
        };
        let call = Called {
            model: text(3).to_owned(),
            method: text(4).to_owned(),
            ids: None,
            positional: positional.unwrap_or_default().to_vec(),
            named: named.unwrap_or_default().to_vec(),
            json2: false,
        };
        self.call(&name, uid, &call)
    }

    /// One call is one transaction: all of it or nothing.
    pub(super) fn call(&mut self, database: &str, uid: i64, call: &Called) -> Done<Json> {
        let now = self.clock.now();
        let Some(db) = self.databases.get_mut(database) else {
            return Err(Oops::no_database(database));
        };
        let context = call
            .named
            .iter()
            .find(|(name, _)| name == "context")
            .map(|(_, value)| value);
        if calls::is_read(&call.method) {
            return Env::new(db, uid, context)?.call(call);
        }
        let conflict = self.conflicts.get_mut(&call.model).filter(|left| **left > 0);
        if let (Some(left), "load") = (conflict, call.method.as_str()) {
            *left = left.saturating_sub(1);
            return Ok(calls::lost_load());
        }
        let ids = match &call.ids {
            Some(ids) => ids.clone(),
            None => call.positional.first().and_then(Json::as_ids).unwrap_or_default(),
        };
        if ids.iter().any(|id| self.locked.contains(&(call.model.clone(), *id))) {
            return Err(match self.version {
                Version::V18 => Oops::sql(
                    "psycopg2.errors.LockNotAvailable",
                    format!(
                        "could not obtain lock on row in relation \"{}\"\n",
                        call.model.replace('.', "_")
                    ),
                ),
                Version::V19 => Oops::lock(),
            });
        }
        let before = db.clone();
        db.begin(now);
        let done = Env::new(db, uid, context).and_then(|mut env| env.call(call));
        if done.is_err() {
            *db = before;
        }
        done
    }
}
