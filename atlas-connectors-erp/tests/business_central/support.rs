//! A bare HTTP client and a fixed token, for the tests of mock and connector.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several test programs, each using a part of it"
)]

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::credential::{AccessToken, TokenSource};
use atlas_connectors::http::{EgressRules, HttpTransport, ReqwestTransport};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::{ConnectionId, ConnectionRef, Epoch, Result};
use bytes::Bytes;
use http::HeaderMap;

/// The network, loopback included.
pub fn transport() -> Arc<dyn HttpTransport> {
    let egress = EgressRules::default().allow_loopback();
    Arc::new(ReqwestTransport::builder().with_egress(egress).build().unwrap())
}

/// A token that never changes.
#[derive(Debug)]
pub struct Fixed {
    connection: ConnectionRef,
    token: String,
}

impl Fixed {
    pub fn token(token: &str) -> Arc<Self> {
        Arc::new(Self {
            connection: ConnectionRef {
                tenant: "acme".into(),
                connection: ConnectionId::from("bc-test"),
                epoch: Epoch::FIRST,
                provider: atlas_connectors_erp::business_central::provider(),
            },
            token: token.to_owned(),
        })
    }
}

#[async_trait]
impl TokenSource for Fixed {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    async fn token(&self) -> Result<AccessToken> {
        Ok(AccessToken::new(self.token.clone().into(), ScopeSet::new(), 1))
    }

    async fn reject(&self, _rejected: &AccessToken) {}
}

/// An answer: status, headers, body.
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answered {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Any request, with the token and US English.
pub async fn ask(method: &str, url: &str, token: &str, headers: &[(&str, &str)], body: &str) -> Answered {
    let mut request = http::Request::builder()
        .method(method)
        .uri(url.replace(' ', "%20").replace('\'', "%27"))
        .header("accept-language", "en-US")
        .header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::from(body.to_owned())).unwrap();
    let answer = transport().send(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    Answered {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    }
}

/// A connector for a mock, with the first company pinned.
pub fn builder(
    service: &atlas_connectors_erp::mock::BusinessCentral,
    token: &str,
) -> atlas_connectors_erp::business_central::BusinessCentralBuilder {
    use atlas_connectors_erp::business_central::{Address, BusinessCentralBuilder};
    use atlas_connectors_erp::mock::business_central::{COMPANY, TENANT};
    let address = Address::cloud_at(&service.url(), Some(TENANT), "Production").unwrap();
    BusinessCentralBuilder::new(transport(), Fixed::token(token), address)
        .with_company(COMPANY)
        .with_retry(quick())
}

/// Two tries without a pause worth waiting for.
pub fn quick() -> atlas_connectors::http::RetryPolicy {
    let mut retry = atlas_connectors::http::RetryPolicy::default();
    retry.max_attempts = 2;
    retry.base = std::time::Duration::from_millis(1);
    retry.cap = std::time::Duration::from_millis(2);
    retry
}
