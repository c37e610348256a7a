//! The way to the server: which Odoo it is, who we are there, and one call after another.

use std::sync::Arc;

use atlas_connectors::error::{ErrorKind, GrantEnd, Masked, OAuthError, OperationClass};
use atlas_connectors::http::{CallClass, Client};
use atlas_connectors::{Clock, CompanyId, Error, Result, Timestamp};
use tokio::sync::OnceCell;

use crate::odoo::builder::Settings;
use crate::odoo::wire::{
    Answer, CallContext, Endpoint, Json, Method, ModelCall, Protocol, Secret, Series, authenticate, endpoint_invalid,
    uid_of, version_by_rpc, version_by_web, version_of_rpc, version_of_web,
};

/// What was found out about the server, once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) series: Series,
    pub(super) protocol: Protocol,
    pub(super) uid: i64,
}

/// Sends calls of models.
#[derive(Debug)]
pub(super) struct Door {
    client: Client,
    at: Endpoint,
    login: Box<str>,
    secret: Secret,
    pub(super) settings: Settings,
    session: OnceCell<Session>,
    only_company: OnceCell<Vec<(i64, String)>>,
}

impl Door {
    pub(super) fn new(client: Client, at: Endpoint, login: Box<str>, secret: Secret, settings: Settings) -> Self {
        Self {
            client,
            at,
            login,
            secret,
            settings,
            session: OnceCell::new(),
            only_company: OnceCell::new(),
        }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        self.client.clock()
    }

    pub(super) fn database(&self) -> &str {
        self.at.database()
    }

    /// Which Odoo it is and who we are there; asked once, and again after a failure.
    pub(super) async fn session(&self) -> Result<Session> {
        self.session.get_or_try_init(|| Box::pin(self.sign_in())).await.copied()
    }

    async fn sign_in(&self) -> Result<Session> {
        let series = self.series().await?;
        if series < Series::OLDEST {
            let what = "an Odoo older than 14";
            return Err(Error::new(ErrorKind::Unsupported { what }, "odoo.version").with_provider(super::provider()));
        }
        let by_key = matches!(self.secret, Secret::Key(_));
        if by_key && series.has_json2() {
            let protocol = Protocol::Json2;
            let who = ModelCall::new("res.users", Method::ContextGet);
            let answer = self.send(&who, protocol, 0).await?.0.value()?;
            let uid = answer.member("uid").and_then(Json::as_int).unwrap_or(0);
            let own = ModelCall::new("res.users", Method::Read)
                .on(&[uid])
                .with("fields", Json::texts(["login"]));
            let own = self.send(&own, protocol, uid).await?.0.value()?;
            let login = own
                .as_list()
                .and_then(<[Json]>::first)
                .and_then(|row| row.member("login"));
            let login = login.and_then(Json::as_text).unwrap_or_default();
            // A key works without its login: that it belongs to the named user is for us to see to.
            if login != &*self.login {
                let wrong = OAuthError::WrongAccount {
                    expected: Masked::new(&self.login),
                    actual: Masked::new(login),
                };
                return Err(self.refused(wrong));
            }
            return Ok(Session { series, protocol, uid });
        }
        let call = authenticate(&self.at, &self.login, &self.secret)?;
        let response = self.client.send(call).await?;
        let answer = Answer::open(Protocol::JsonRpc, "odoo.login", CallClass::Read, &response)?;
        let Some(uid) = uid_of(&answer)? else {
            return Err(self.refused(OAuthError::InvalidGrant {
                cause: GrantEnd::RevokedOrExpired,
            }));
        };
        Ok(Session {
            series,
            protocol: Protocol::JsonRpc,
            uid,
        })
    }

    /// Asks `GET /web/version`, and `common.version` where that is not there.
    async fn series(&self) -> Result<Series> {
        let by_web = match self.client.send(version_by_web(&self.at)?).await {
            Ok(response) => version_of_web(&response),
            // Not there, or not Odoo's: the second question decides.
            Err(error) if matches!(error.status(), Some(300..=499)) => None,
            Err(error) => return Err(error),
        };
        if let Some(series) = by_web {
            return Ok(series);
        }
        let response = self.client.send(version_by_rpc(&self.at)?).await?;
        let answer = Answer::open(Protocol::JsonRpc, "odoo.version", CallClass::Read, &response);
        answer.and_then(|answer| version_of_rpc(&answer)).map_err(|error| {
            let why = "no Odoo answers there: check the address and the path in front";
            match error.kind() {
                ErrorKind::BadPayload(_) | ErrorKind::SchemaMismatch { .. } => {
                    endpoint_invalid("address", why).with_source(error)
                }
                _ => error,
            }
        })
    }

    fn refused(&self, error: OAuthError) -> Error {
        Error::new(error, "odoo.login")
            .with_provider(super::provider())
            .with_class(OperationClass::SignIn)
    }

    /// Sends a call and opens its answer.
    pub(super) async fn ask(&self, call: &ModelCall) -> Result<Answer> {
        Ok(self.ask_at(call).await?.0)
    }

    /// Sends a call; gives the server's own time along, whose clock dates every record.
    pub(super) async fn ask_at(&self, call: &ModelCall) -> Result<(Answer, Option<Timestamp>)> {
        call.check()?;
        let session = self.session().await?;
        self.send(call, session.protocol, session.uid).await
    }

    async fn send(&self, call: &ModelCall, protocol: Protocol, uid: i64) -> Result<(Answer, Option<Timestamp>)> {
        let built = call.build(&self.at, protocol, uid, &self.secret)?;
        let (operation, class) = (built.operation, built.class);
        let response = self.client.send(built).await?;
        let answer = Answer::open(protocol, operation, class, &response)?;
        let date = response
            .headers
            .get(http::header::DATE)
            .and_then(|date| date.to_str().ok());
        Ok((answer, date.and_then(moment_of)))
    }

    /// The companies of the user: id and name.
    pub(super) async fn companies(&self) -> Result<Vec<(i64, String)>> {
        let uid = self.session().await?.uid;
        let own = ModelCall::new("res.users", Method::Read)
            .on(&[uid])
            .with("fields", Json::texts(["company_ids"]));
        let answer = self.ask(&own).await?;
        let rows = answer.value()?;
        let ids = rows
            .as_list()
            .and_then(<[Json]>::first)
            .and_then(|row| row.member("company_ids"));
        let ids = ids
            .and_then(Json::as_ids)
            .ok_or_else(|| answer.wrong_type("res.users.company_ids"))?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let named = ModelCall::new("res.company", Method::Read)
            .on(&ids)
            .with("fields", Json::texts(["name"]));
        let rows = self.ask(&named).await?.value()?;
        let name = |row: &Json| Some((row.member("id")?.as_int()?, row.member("name")?.as_text()?.to_owned()));
        Ok(rows.as_list().unwrap_or_default().iter().filter_map(name).collect())
    }

    /// The company to work in: the one named, the pinned one, or the only one there is.
    pub(super) async fn company(&self, named: Option<&CompanyId>) -> Result<i64> {
        if let Some(company) = named.or(self.settings.company.as_ref()) {
            return company_id(company);
        }
        let companies = self.only_company.get_or_try_init(|| Box::pin(self.companies())).await?;
        match companies.as_slice() {
            [(only, _)] => Ok(*only),
            _ => Err(Error::new(ErrorKind::Paused { why: "select_company" }, "odoo.company")
                .with_provider(super::provider())
                .with_context("companies", companies.len())),
        }
    }

    /// The context of a call in a company.
    pub(super) async fn context(&self, company: Option<&CompanyId>) -> Result<CallContext> {
        let mut context = CallContext::of_company(self.company(company).await?);
        context.language.clone_from(&self.settings.language);
        Ok(context)
    }
}

/// A company's id is a number.
pub(super) fn company_id(company: &CompanyId) -> Result<i64> {
    let id = company.as_str().parse().ok().filter(|id: &i64| *id > 0);
    id.ok_or_else(|| endpoint_invalid("company", "a company of Odoo is named by the number of its record"))
}

/// A moment as HTTP writes it: `Sun, 22 Nov 2026 02:40:03 GMT`.
fn moment_of(date: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = date.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|known| *known == month)?.checked_add(1)?;
    format!("{year}-{month:02}-{day:0>2}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_time_is_read_from_its_date() {
        let moment = moment_of("Sun, 22 Nov 2026 02:40:03 GMT").unwrap();
        assert_eq!(moment.to_string(), "2026-11-22T02:40:03Z");
        assert_eq!(moment_of("yesterday"), None);
    }
}
