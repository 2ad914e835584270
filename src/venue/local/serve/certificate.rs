//! Certificates for one life of the server: an authority, and leaves that are right or wrong on purpose.
//!
//! Owns: their making. Nothing is kept on disk but the authority's certificate, where asked for; keys never leave
//! memory.

use super::options::{ServeError, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::Arc;

/// The name of the authority whose certificate is written to files.
const NAME: &str = "algo-trader local authority";

/// The authority of one server, and what it signs.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Result<Self, ServeError> {
        Self::named(NAME)
    }

    fn named(name: &str) -> Result<Self, ServeError> {
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

    /// Writes its certificate, PEM, in place of one that an earlier venue wrote, and of no other file.
    pub fn write(&self, path: &Path) -> Result<(), ServeError> {
        let io = |error| ServeError::Io {
            what: format!("cannot write the authority to {}", path.display()),
            error,
        };
        // A pipe or a device has nothing to lose.
        if path.is_file() && !is_ours(&std::fs::read(path).map_err(io)?) {
            return Err(ServeError::NotOurs(path.display().to_string()));
        }
        std::fs::write(path, &self.pem).map_err(io)
    }

    /// What a listener in this mode presents; `None` where it has no TLS.
    pub fn config(&self, mode: Tls) -> Result<Option<Arc<ServerConfig>>, ServeError> {
        match mode {
            Tls::Plain | Tls::OldProtocol | Tls::Tls11 => Ok(None),
            Tls::UnknownAuthority => {
                Self::named("an authority nobody knows")?.leaf(mode).map(|config| Some(Arc::new(config)))
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

/// Whether a file holds nothing, or one certificate alone that names such an authority as its issuer and its subject.
fn is_ours(content: &[u8]) -> bool {
    let content = content.trim_ascii();
    let begins = |at: &[u8]| at.starts_with(b"-----BEGIN ");
    let is_one = begins(content) && content.windows(11).filter(|at| begins(at)).count() == 1;
    let names = |der: &[u8]| der.windows(NAME.len()).filter(|at| *at == NAME.as_bytes()).count() == 2;
    content.is_empty() || is_one && CertificateDer::from_pem_slice(content).is_ok_and(|der| names(&der))
}

fn failed(error: impl std::fmt::Display) -> ServeError {
    ServeError::Certificate(error.to_string())
}
