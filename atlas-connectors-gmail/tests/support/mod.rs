//! A bare HTTP client for the tests of the mock: what a host would have anyway.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several test programs, each using a part of it"
)]

use atlas_connectors_gmail::mock::Google;
use serde_json::Value;

/// A client of one mock.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
}

/// An answer: status, headers, body.
pub type Answered = (u16, reqwest::header::HeaderMap, Vec<u8>);

/// Its status.
pub fn status(answer: &Answered) -> u16 {
    answer.0
}

/// Its body.
pub fn body(answer: &Answered) -> &[u8] {
    &answer.2
}

impl Http {
    /// Without a token.
    pub fn to(google: &Google) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            base: google.uri().to_owned(),
            token: None,
            client,
        }
    }

    /// With a token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Any request.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answered, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let address = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        let mut request = self.client.request(method, address).body(body);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok((status, headers, answer.bytes().await?.to_vec()))
    }

    /// A request with JSON or nothing.
    pub async fn send(&self, method: &str, path: &str, json: Option<&Value>) -> Result<Answered, reqwest::Error> {
        match json {
            Some(json) => {
                self.raw(
                    method,
                    path,
                    &[("content-type", "application/json")],
                    json.to_string().into_bytes(),
                )
                .await
            }
            None => self.raw(method, path, &[], Vec::new()).await,
        }
    }

    /// Status and JSON of a GET.
    pub async fn try_get(&self, path: &str) -> (u16, Value) {
        read(self.send("GET", path, None).await.unwrap())
    }

    /// JSON of a GET that goes well.
    pub async fn get(&self, path: &str) -> Value {
        let (status, value) = self.try_get(path).await;
        assert_eq!(status, 200, "GET {path}: {value}");
        value
    }

    /// Status and JSON of a POST.
    pub async fn try_post(&self, path: &str, json: &Value) -> (u16, Value) {
        read(self.send("POST", path, Some(json)).await.unwrap())
    }

    /// JSON of a POST that goes well.
    pub async fn post(&self, path: &str, json: &Value) -> Value {
        let (status, value) = self.try_post(path, json).await;
        assert_eq!(status, 200, "POST {path}: {value}");
        value
    }

    /// A form.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        read(self.raw("POST", path, &headers, body.into_bytes()).await.unwrap())
    }
}

fn read((status, _, body): Answered) -> (u16, Value) {
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}
