//! A client of a served venue: the usual libraries, blocking, nothing of this crate's own wire code.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::venue::local::serve::Endpoint;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tungstenite::{Message, WebSocket};

/// A socket, with TLS or without.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

pub type Client = WebSocket<Box<dyn Wire>>;

/// What trusts this authority and nobody else.
pub fn trusting(ca_pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM");
    roots.add(authority).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(versions.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

/// A connection, as far as TLS; the TLS error where there is one.
pub fn wire(endpoint: &Endpoint, ca_pem: Option<&str>) -> std::io::Result<Box<dyn Wire>> {
    let mut socket = TcpStream::connect(endpoint.address)?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    socket.set_nodelay(true)?;
    let Some(ca_pem) = ca_pem else { return Ok(Box::new(socket)) };
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let mut tls = ClientConnection::new(trusting(ca_pem), name).expect("a configuration");
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    Ok(Box::new(StreamOwned::new(tls, socket)))
}

/// A stream connection on `path`, such as `/ws/btcusdt@trade`.
pub fn connect(endpoint: &Endpoint, ca_pem: Option<&str>, path: &str) -> Client {
    let wire = wire(endpoint, ca_pem).expect("the connection stands");
    let url = format!("ws://{}{path}", endpoint.address);
    tungstenite::client(url, wire).map_err(|error| error.to_string()).expect("the upgrade is granted").0
}

/// The next text; pings are answered on the way. `None` once the connection is closed.
pub fn text(client: &mut Client) -> Option<String> {
    loop {
        match client.read() {
            Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// The text of the next frame, or of the close frame's code.
pub fn text_or_close(client: &mut Client) -> Result<String, Option<u16>> {
    loop {
        match client.read() {
            Ok(Message::Text(text)) => return Ok(text.as_str().to_owned()),
            Ok(Message::Close(close)) => return Err(close.map(|close| close.code.into())),
            Err(_) => return Err(None),
            Ok(_) => {}
        }
    }
}

pub fn send(client: &mut Client, text: &str) {
    client.send(Message::text(text)).expect("the connection stands");
}

/// An answer to a REST call.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A REST call on a connection of its own.
pub fn get(endpoint: &Endpoint, ca_pem: Option<&str>, target: &str) -> Answer {
    call(endpoint, ca_pem, "GET", target, "", "")
}

/// A REST call of any method, with more headers (each with its line's end) and a body.
pub fn call(
    endpoint: &Endpoint,
    ca_pem: Option<&str>,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Answer {
    try_call(endpoint, ca_pem, method, target, headers, body).expect("an answer to its end")
}

/// [`call`], where the answer may not come; `None` where it does not.
pub fn try_call(
    endpoint: &Endpoint,
    ca_pem: Option<&str>,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Option<Answer> {
    let mut wire = wire(endpoint, ca_pem).ok()?;
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    wire.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // An end without a goodbye is found out below: the body is not whole then.
    let _ = wire.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok())?;
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    let whole = answer.header("content-length").and_then(|length| length.parse().ok()) == Some(body.len());
    whole.then_some(answer)
}
