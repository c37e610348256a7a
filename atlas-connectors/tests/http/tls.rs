//! Certificates that are wrong in each way, and a client certificate.

use std::sync::Arc;

use atlas_connectors::error::{Effect, ErrorKind, TlsFault};
use atlas_connectors::http::{HttpTransport as _, ReqwestTransport, TlsSettings};
use atlas_connectors::{Error, Result};
use bytes::Bytes;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsAcceptor;

use crate::stub::{answer, read_request};

/// An authority made for one test.
struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
struct Leaf {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        // Two authorities of the same name would be tried for each other.
        let name = format!("Authority {:?}", key.public_key_raw());
        params.distinguished_name.push(DnType::CommonName, &name[..60]);
        let own = params.self_signed(&key).unwrap();
        Self {
            pem: own.pem(),
            der: own.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap();
        Leaf {
            der: own.der().clone(),
            pem: own.pem(),
            key,
        }
    }
}

/// Serves `{}` over TLS at a free port of localhost, to clients with a certificate of `clients` if one is given.
async fn serve(leaf: &Leaf, clients: Option<&Authority>) -> String {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(leaf.key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![leaf.der.clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                if read_request(&mut stream).await.is_some() {
                    let _ = stream.write_all(&answer("200 OK\ncontent-length: 2", b"{}")).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    url
}

async fn post(tls: TlsSettings, url: &str) -> Result<http::Response<Bytes>> {
    let transport: ReqwestTransport = crate::wire::builder().with_tls(tls).build()?;
    let request = http::Request::post(url).body(Bytes::from_static(b"{}")).unwrap();
    transport.send(request).await
}

fn trusting(authority: &Authority) -> TlsSettings {
    TlsSettings::new().with_authorities(authority.pem.as_bytes()).unwrap()
}

#[track_caller]
fn assert_fault(error: &Error, fault: TlsFault) {
    assert_eq!(error.kind(), &ErrorKind::TlsRejected(fault), "{error:?}");
    // Nothing of the request was read by anybody, and trying again as it is cannot help.
    assert_eq!(error.effect(), Effect::None);
    assert_eq!(error.retry(), atlas_connectors::error::Retry::Never);
}

#[tokio::test]
async fn an_added_authority_is_trusted_for_this_connection_alone() {
    let authority = Authority::new();
    let url = serve(&authority.issue("localhost", |_| {}), None).await;
    assert_eq!(post(trusting(&authority), &url).await.unwrap().body().as_ref(), b"{}");
    assert_fault(&post(TlsSettings::new(), &url).await.unwrap_err(), TlsFault::Ca);
    assert_fault(
        &post(trusting(&Authority::new()), &url).await.unwrap_err(),
        TlsFault::Ca,
    );
}

#[tokio::test]
async fn a_bad_certificate_is_named_for_what_is_bad() {
    let authority = Authority::new();
    let expired = authority.issue("localhost", |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let early = authority.issue("localhost", |params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
    });
    let other = authority.issue("other.example", |_| {});
    for (leaf, fault) in [
        (expired, TlsFault::Expired),
        (early, TlsFault::Expired),
        (other, TlsFault::Name),
    ] {
        let url = serve(&leaf, None).await;
        assert_fault(&post(trusting(&authority), &url).await.unwrap_err(), fault);
    }
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_sent_and_judged() {
    let authority = Authority::new();
    let url = serve(&authority.issue("localhost", |_| {}), Some(&authority)).await;
    let with = |leaf: &Leaf| {
        let key = leaf.key.serialize_pem().into_bytes().into();
        trusting(&authority)
            .with_client_certificate(leaf.pem.as_bytes(), key)
            .unwrap()
    };
    let known = authority.issue("client", |_| {});
    assert_eq!(post(with(&known), &url).await.unwrap().body().as_ref(), b"{}");
    assert_fault(
        &post(trusting(&authority), &url).await.unwrap_err(),
        TlsFault::ClientCert,
    );
    let stranger = Authority::new().issue("client", |_| {});
    assert_fault(&post(with(&stranger), &url).await.unwrap_err(), TlsFault::ClientCert);
}

#[tokio::test]
async fn an_old_version_and_a_plain_server_are_refused() {
    // A fatal alert: protocol_version.
    let alert = vec![0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46];
    for (bytes, fault) in [
        (alert, TlsFault::Version),
        (b"HTTP/1.1 400 Bad\r\n\r\n".to_vec(), TlsFault::Handshake),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(&bytes).await;
                let mut rest = Vec::new();
                let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
            }
        });
        assert_fault(&post(TlsSettings::new(), &url).await.unwrap_err(), fault);
    }
}

#[tokio::test]
async fn bad_settings_are_told_before_anything_is_sent() {
    assert_eq!(
        TlsSettings::new().with_authorities(b"no pem").unwrap_err().code(),
        "invalid"
    );
    let authority = Authority::new();
    let one = authority.issue("client", |_| {});
    let two = authority.issue("client", |_| {});
    for key in [two.key.serialize_pem(), "secret-canary".to_owned()] {
        let tls = TlsSettings::new()
            .with_client_certificate(one.pem.as_bytes(), key.into_bytes().into())
            .unwrap();
        assert!(!format!("{tls:?}").contains("canary"));
        let error = crate::wire::builder().with_tls(tls).build().unwrap_err();
        assert_eq!(error.code(), "invalid");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
