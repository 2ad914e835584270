//! A webhook: a server over TLS that keeps what it is told.

#![allow(dead_code, reason = "each user takes a part")]

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// What came: the request's line and its body.
pub type Came = Arc<Mutex<Vec<(String, Value)>>>;

/// A server that answers each request with the `status` for its number, from 0; its port, and the authority that vouches for
/// it.
pub fn server(status: impl Fn(usize) -> u16 + Send + 'static, came: &Came) -> (u16, tempfile::NamedTempFile) {
    let answer = move |n| format!("HTTP/1.1 {} so\r\ncontent-length: 0\r\n\r\n", status(n));
    answering(answer, came)
}

/// The same of one that answers with this text.
pub fn answering(
    answer: impl Fn(usize) -> String + Send + 'static,
    came: &Came,
) -> (u16, tempfile::NamedTempFile) {
    let mut ca = CertificateParams::new(Vec::new()).expect("no names");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key")).expect("signed");
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    let leaf = leaf.signed_by(&key, &ca).expect("signed");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(leaf.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a certificate");
    let config = Arc::new(config);
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(ca.pem().as_bytes()).expect("written");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let came = Arc::clone(came);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let Ok(connection) = ServerConnection::new(Arc::clone(&config)) else { return };
            let mut stream = BufReader::new(StreamOwned::new(connection, socket));
            // Requests of one kept-alive connection.
            while let Some(request) = request(&mut stream) {
                let mut came = came.lock().expect("no panic");
                let answer = answer(came.len());
                came.push(request);
                drop(came);
                if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, file)
}

fn request(stream: &mut impl BufRead) -> Option<(String, Value)> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    while stream.read_line(&mut line).ok()? > 0 && line != "\r\n" {
        if first.is_empty() {
            first = line.trim().to_owned();
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((first, serde_json::from_slice(&body).ok()?))
}
