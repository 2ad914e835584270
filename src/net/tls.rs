//! TLS as a client: which certificates are trusted, and what is said of one that is not.
//!
//! rustls with ring, TLS 1.2 and 1.3. Trusted are the roots that browsers trust (bundled), and those of one more file
//! where it is given. Nothing else makes a certificate good but switching the check off, which is said aloud.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// What a client trusts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// A PEM file of certificates to trust besides the bundled ones.
    pub ca_file: Option<PathBuf>,
    /// Take any certificate. For experiments on a network that is known; whoever listens there can be the venue.
    pub accept_any_certificate: bool,
}

impl TlsSettings {
    /// The same with every certificate checked: what is dared with a venue, as an experiment, is not for others.
    #[must_use]
    pub fn checking(&self) -> Self {
        Self { accept_any_certificate: false, ..self.clone() }
    }
}

/// A client's side of TLS, shared by every connection to a venue.
#[derive(Debug, Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
}

/// Why there can be no TLS client.
#[derive(Debug, Error)]
pub enum TlsSetupError {
    /// The file of certificates cannot be read.
    #[error("{path}: {problem}; it must be a PEM file with at least one certificate")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Error)]
pub enum CertificateProblem {
    /// Nobody we trust signed it.
    #[error("its issuer is not trusted (add it to [venue] ca_file if it is yours)")]
    UnknownIssuer,
    /// It is for another server.
    #[error("it is for another name than the one connected to")]
    WrongName,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet (is this machine's clock right?)")]
    NotYetValid,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl CertificateProblem {
    /// From the library's error, where it is one about the certificate.
    #[must_use]
    pub fn from_error(error: &rustls::Error) -> Option<Self> {
        let rustls::Error::InvalidCertificate(problem) = error else { return None };
        Some(match problem {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            other => Self::Other(format!("{other:?}")),
        })
    }
}

impl TlsClient {
    /// A client with these settings.
    ///
    /// # Errors
    /// [`TlsSetupError`] where the file of certificates does not read.
    pub fn new(settings: &TlsSettings) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &settings.ca_file {
            let refuse = |problem: String| TlsSetupError::CaFile { path: path.clone(), problem };
            let text = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
            let mut count = 0;
            for certificate in CertificateDer::pem_slice_iter(&text) {
                let certificate = certificate.map_err(|error| refuse(format!("{error}")))?;
                roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
                count += 1;
            }
            if count == 0 {
                return Err(refuse("holds no certificate".into()));
            }
        }
        let mut config = if settings.accept_any_certificate {
            log::warn!(
                "certificates are NOT checked ([venue] accept_any_certificate = true): whoever is on the way to the \
                 venue can read and change everything"
            );
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
                .with_no_client_auth()
        } else {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?;
            builder.with_webpki_verifier(verifier).with_no_client_auth()
        };
        // Nothing is negotiated above TLS: a server that offers HTTP/2 would not answer an upgrade.
        config.alpn_protocols.clear();
        Ok(Self { config: Arc::new(config) })
    }

    /// The library's configuration.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Bytes that cannot be guessed.
    ///
    /// # Errors
    /// Where the operating system has none to give.
    pub fn random(&self, bytes: &mut [u8]) -> Result<(), rustls::Error> {
        self.config
            .crypto_provider()
            .secure_random
            .fill(bytes)
            .map_err(|_| rustls::Error::FailedToGetRandomBytes)
    }
}

/// Takes any certificate; the handshake's signature must still fit it.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let settings = TlsSettings { ca_file: Some(file.path().into()), accept_any_certificate: false };
        let said = TlsClient::new(&settings).expect_err("no certificate").to_string();
        assert!(said.contains("holds no certificate"), "{said}");
        let settings = TlsSettings { ca_file: Some("/does/not/exist".into()), accept_any_certificate: false };
        assert!(matches!(TlsClient::new(&settings), Err(TlsSetupError::CaFile { .. })));
        assert!(TlsClient::new(&TlsSettings::default()).is_ok());
    }
}
