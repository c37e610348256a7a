//! TLS of one connection: the platform's authorities, the connection's own on top, and its client certificate.

use std::fmt;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret as _, SecretSlice};

use crate::error::{Error, ErrorKind, Result, TlsFault};

/// TLS settings of one connection. Nothing here is global, and there is no switch to accept any certificate.
///
/// TLS 1.2 and later, cryptography by aws-lc-rs, which is passed on explicitly: no process-wide default is installed or used.
#[derive(Default)]
pub struct TlsSettings {
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: SecretSlice<u8>,
}

impl TlsSettings {
    /// The platform's authorities and no client certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds certificate authorities in PEM to those of the platform.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it holds no certificate or a damaged one.
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Self> {
        self.authorities.extend(certificates(pem, "certificate authority")?);
        Ok(self)
    }

    /// Sets the client certificate: its chain, own certificate first, and its private key, all in PEM.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the chain holds no certificate or a damaged one. The key is read when the transport is built.
    pub fn with_client_certificate(mut self, chain: &[u8], key: SecretSlice<u8>) -> Result<Self> {
        let chain = certificates(chain, "client certificate")?;
        self.identity = Some(Identity { chain, key });
        Ok(self)
    }

    /// The configuration for rustls.
    pub(super) fn config(self) -> Result<ClientConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid("TLS settings", "the protocol versions are not supported").with_source(error))?;
        let builder = trust(builder, self.authorities, provider)?;
        let mut config = match self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(identity.key.expose_secret())
                    // The parser's error could quote the key.
                    .map_err(|_| invalid("client certificate", "the private key is not in PEM"))?;
                builder
                    .with_client_auth_cert(identity.chain, key)
                    .map_err(|_| invalid("client certificate", "the private key does not belong to it"))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("authorities", &self.authorities.len())
            .field("client_certificate", &self.identity.is_some())
            .finish()
    }
}

type WantsVerifier = ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn trust(
    builder: WantsVerifier,
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let own = !authorities.is_empty();
    match Verifier::new_with_extra_roots(authorities, provider) {
        Ok(verifier) => Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))),
        Err(error) if own => {
            Err(invalid("certificate authority", "it cannot be used to verify others").with_source(error))
        }
        // A machine without authorities (a bare container) can still talk to itself; everybody else is refused.
        Err(error) => {
            tracing::warn!(%error, "the platform has no certificate authorities: every https peer will be refused");
            Ok(builder.with_root_certificates(RootCertStore::empty()))
        }
    }
}

/// Which fault a TLS error is, by its type and never by its text.
pub(super) fn fault(error: &rustls::Error) -> TlsFault {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error as Tls};

    match error {
        Tls::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                TlsFault::Expired
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TlsFault::Name,
            _ => TlsFault::Ca,
        },
        Tls::NoCertificatesPresented => TlsFault::Ca,
        Tls::PeerIncompatible(_) => TlsFault::Version,
        Tls::AlertReceived(alert) => match alert {
            Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity => TlsFault::Version,
            // The peer's verdict on our certificate, or on its absence.
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::NoCertificate => TlsFault::ClientCert,
            Alert::UnrecognisedName => TlsFault::Name,
            _ => TlsFault::Handshake,
        },
        _ => TlsFault::Handshake,
    }
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|_| invalid(what, "damaged PEM"))?;
    if all.is_empty() {
        return Err(invalid(what, "no certificate in PEM"));
    }
    Ok(all)
}

fn invalid(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, "http.tls")
}
