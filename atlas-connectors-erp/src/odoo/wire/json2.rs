//! JSON-2: `/json/2/{model}/{method}`, the key as bearer, arguments by name.

use atlas_connectors::Result;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use crate::odoo::wire::endpoint::invalid;
use crate::odoo::wire::{Endpoint, Json, ModelCall, Secret, rpc};

const DATABASE: HeaderName = HeaderName::from_static("x-odoo-database");

/// The request for a call of a model.
pub(super) fn request(call: &ModelCall, at: &Endpoint, secret: &Secret) -> Result<http::Request<Bytes>> {
    let Secret::Key(key) = secret else {
        return Err(invalid("secret", "JSON-2 takes an API key and no password"));
    };
    let mut members: Vec<(String, Json)> = Vec::new();
    if call.method().on_records() {
        members.push(("ids".to_owned(), Json::ids(call.ids().unwrap_or_default())));
    }
    members.push(("context".to_owned(), call.context().json()));
    members.extend(
        call.arguments()
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone())),
    );
    let url = at.url(&["json", "2", call.model(), call.method().name()])?;
    let mut request = rpc::post(url.as_str(), Json::Object(members).to_text())?;
    let mut bearer = HeaderValue::from_str(&format!("bearer {}", key.expose_secret()))
        .map_err(|_| invalid("secret", "it holds characters that no API key has"))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let database =
        HeaderValue::from_str(at.database()).map_err(|_| invalid("database", "its name cannot be sent in a header"))?;
    request.headers_mut().insert(DATABASE, database);
    Ok(request)
}
