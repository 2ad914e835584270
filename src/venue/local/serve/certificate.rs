//! Certificates for one life of the server: an authority, and leaves that are right or wrong on purpose.
//!
//! Owns: their making. Nothing is kept on disk but the authority's certificate, where asked for; keys never leave
//! memory.

use super::options::{ServeError, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// The authority of one server, and what it signs.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Result<Self, ServeError> {
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed)?;
        let pem = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// What a listener in this mode presents; `None` where it has no TLS.
    pub fn config(&self, mode: Tls) -> Result<Option<Arc<ServerConfig>>, ServeError> {
        match mode {
            Tls::Plain | Tls::OldProtocol | Tls::Tls11 => Ok(None),
            Tls::UnknownAuthority => {
                Self::new("an authority nobody knows")?.leaf(mode).map(|config| Some(Arc::new(config)))
            }
            Tls::Good | Tls::WrongHost | Tls::Expired => self.leaf(mode).map(|config| Some(Arc::new(config))),
        }
    }

    fn leaf(&self, mode: Tls) -> Result<ServerConfig, ServeError> {
        let names: &[&str] = match mode {
            Tls::WrongHost => &["another-host.example"],
            _ => &["localhost", "127.0.0.1", "::1"],
        };
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, "algo-trader local venue");
        params.use_authority_key_identifier_extension = true;
        if mode == Tls::Expired {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> ServeError {
    ServeError::Certificate(error.to_string())
}
