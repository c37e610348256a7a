//! Finding out which Odoo answers: `GET /web/version`, and `common.version` where that is not there.

use atlas_connectors::Result;
use atlas_connectors::http::{Call, Response};
use bytes::Bytes;

use crate::odoo::wire::answer::wrong_type;
use crate::odoo::wire::endpoint::invalid;
use crate::odoo::wire::{Answer, Endpoint, Json, Series, rpc};

/// Asks `GET /web/version`: there from 19 on. No credential goes along.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] if the address cannot be requested.
pub fn version_by_web(at: &Endpoint) -> Result<Call> {
    let request = http::Request::get(at.url(&["web", "version"])?.as_str())
        .body(Bytes::new())
        .map_err(|_| invalid("address", "cannot be requested"))?;
    Ok(Call::read("odoo.version", request).without_auth())
}

/// The series out of the answer to [`version_by_web`]; `None` where it is something else, such as a page in HTML.
pub fn version_of_web(response: &Response) -> Option<Series> {
    let answer = Json::parse(&response.body)?;
    Series::parse(answer.member("version")?.as_text()?)
}

/// Asks `common.version`: there from 14 to 21. No credential goes along.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] if the address cannot be requested.
pub fn version_by_rpc(at: &Endpoint) -> Result<Call> {
    let request = rpc::envelope(at, "common", "version", Vec::new())?;
    Ok(Call::read("odoo.version", request).without_auth())
}

/// The series out of the answer to [`version_by_rpc`].
///
/// # Errors
/// As [`Answer::value`]; an answer without a version that can be read.
pub fn version_of_rpc(answer: &Answer) -> Result<Series> {
    let value = answer.value()?;
    let text = |name: &str| value.member(name).and_then(Json::as_text).and_then(Series::parse);
    text("server_serie")
        .or_else(|| text("server_version"))
        .ok_or_else(|| wrong_type("odoo.version", "server_serie"))
}
