//! HTTPS requests that are allowed to take a while: made by helper threads, never by the feed.
//!
//! ureq, with our own TLS beneath it, so that one configuration says which certificates are good. No redirect is
//! followed, no proxy taken from the environment, and a status of 400 and more is an answer like any other.

use super::endpoint::Endpoint;
use super::tls::{CertificateProblem, TlsClient};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, TcpConnector, Transport,
    TransportAdapter,
};

/// A client that keeps its connections alive.
#[derive(Debug, Clone)]
pub struct HttpClient {
    agent: ureq::Agent,
    body_bytes_max: u64,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// `Retry-After`, whole seconds, where given.
    pub retry_after_s: Option<u64>,
    /// The request weight that the venue has counted this minute, where it says.
    pub used_weight: Option<u64>,
    /// The venue's own counts of what was asked: every header that begins with `x-mbx-`, names in small letters.
    pub counts: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// The server's certificate is not good.
    #[error("the server's certificate is refused: {0}")]
    Certificate(CertificateProblem),
    /// It took too long. The request may have been acted upon.
    #[error("no answer in time")]
    Timeout,
    /// There was no connection to send it on: the server has seen nothing of it.
    #[error("no connection: {0}")]
    Unsent(String),
    /// The body is larger than anything asked for.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    /// Anything else on the way. The request may have been acted upon.
    #[error("{0}")]
    Transport(String),
}

impl HttpError {
    /// Whether the server has surely seen nothing of the request.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::Unsent(_))
    }
}

/// A request. Methods and headers as HTTP writes them.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpRequest<'a> {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// More headers than HTTP's own.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body of a `POST` or `PUT`.
    pub body: &'a [u8],
    /// Give up after so long, instead of the client's own timeout.
    pub timeout: Option<Duration>,
}

impl HttpClient {
    /// A client that gives up on a request after `timeout`, and on bodies over `body_bytes_max`.
    #[must_use]
    pub fn new(tls: &TlsClient, timeout: Duration, body_bytes_max: u64) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .https_only(true)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(timeout))
            // As long as the server keeps them: whoever wants them warm asks for something now and then.
            .max_idle_age(Duration::from_secs(600))
            .user_agent(concat!("algo-trader/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = ().chain(TcpConnector::default()).chain(TlsConnector { config: tls.config() });
        Self { agent: ureq::Agent::with_parts(config, connector, DefaultResolver::default()), body_bytes_max }
    }

    /// Gets `path` (with its query) from `endpoint`.
    ///
    /// # Errors
    /// [`HttpError`] where there is no whole answer.
    pub fn get(&self, endpoint: &Endpoint, path: &str) -> Result<HttpAnswer, HttpError> {
        self.request(endpoint, &HttpRequest { method: "GET", path, ..HttpRequest::default() })
    }

    /// Makes one request of `endpoint`.
    ///
    /// # Errors
    /// [`HttpError`] where there is no whole answer; [`HttpError::is_unsent`] says whether it can have been acted upon.
    pub fn request(&self, endpoint: &Endpoint, request: &HttpRequest<'_>) -> Result<HttpAnswer, HttpError> {
        self.answer(self.head(endpoint, request)?)
    }

    /// Makes one request of `endpoint`, and takes no more of the answer than its status: how long the rest is, and whether it
    /// comes, makes no difference. A connection on which there is more is not kept.
    ///
    /// # Errors
    /// As of [`Self::request`].
    pub fn status(&self, endpoint: &Endpoint, request: &HttpRequest<'_>) -> Result<u16, HttpError> {
        Ok(self.head(endpoint, request)?.status().as_u16())
    }

    fn head(
        &self,
        endpoint: &Endpoint,
        request: &HttpRequest<'_>,
    ) -> Result<ureq::http::Response<ureq::Body>, HttpError> {
        let unsent = |error: ureq::http::Error| HttpError::Unsent(error.to_string());
        let mut head =
            ureq::http::Request::builder().method(request.method).uri(format!("{endpoint}{}", request.path));
        for (name, value) in request.headers {
            head = head.header(*name, *value);
        }
        let sent = match request.method {
            "POST" | "PUT" => self.run(head.body(request.body).map_err(unsent)?, request.timeout),
            _ => self.run(head.body(()).map_err(unsent)?, request.timeout),
        };
        sent.map_err(|error| told(&error, self.body_bytes_max))
    }

    fn run(
        &self,
        request: ureq::http::Request<impl ureq::AsSendBody>,
        timeout: Option<Duration>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        match timeout {
            None => self.agent.run(request),
            Some(timeout) => {
                let configured = self.agent.configure_request(request);
                self.agent.run(configured.timeout_global(Some(timeout)).build())
            }
        }
    }

    fn answer(&self, mut response: ureq::http::Response<ureq::Body>) -> Result<HttpAnswer, HttpError> {
        let header = |name: &str| response.headers().get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let retry_after_s = header("retry-after");
        let used_weight = header("x-mbx-used-weight-1m");
        let counts = response.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-mbx-"));
        let counts = counts
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(self.body_bytes_max).read_to_vec();
        let body = body.map_err(|error| told(&error, self.body_bytes_max))?;
        Ok(HttpAnswer { status, retry_after_s, used_weight, counts, body })
    }
}

fn told(error: &ureq::Error, body_bytes_max: u64) -> HttpError {
    // What our own TLS said comes as an error of I/O, which names no source of its own.
    let mut cause: Option<&(dyn std::error::Error + 'static)> = match error {
        ureq::Error::Io(io) => Some(io),
        other => Some(other),
    };
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        let tls = inner.downcast_ref::<rustls::Error>();
        let tls = tls.or_else(|| io.and_then(|io| io.downcast_ref::<rustls::Error>()));
        if let Some(problem) = tls.and_then(CertificateProblem::from_error) {
            return HttpError::Certificate(problem);
        }
        cause = inner.source();
    }
    match error {
        ureq::Error::Rustls(error) => match CertificateProblem::from_error(error) {
            Some(problem) => HttpError::Certificate(problem),
            None => HttpError::Transport(error.to_string()),
        },
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            HttpError::Unsent("the server could not be reached in time".into())
        }
        ureq::Error::Timeout(_) => HttpError::Timeout,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::BadUri(_) => {
            HttpError::Unsent(error.to_string())
        }
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            HttpError::Unsent(io.to_string())
        }
        ureq::Error::BodyExceedsLimit(_) => HttpError::TooLarge(body_bytes_max),
        other => HttpError::Transport(other.to_string()),
    }
}

/// Puts our TLS on top of a TCP connection.
#[derive(Debug)]
struct TlsConnector {
    config: Arc<ClientConfig>,
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = TlsTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<TlsTransport>, ureq::Error> {
        let Some(tcp) = chained else { return Ok(None) };
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| ureq::Error::Tls("not a server's name"))?;
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name)?;
        let mut socket = TransportAdapter::new(tcp.boxed(), Arc::clone(&details.current_time));
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        let size = |bytes: usize| bytes.max(1);
        let input = size(details.config.input_buffer_size());
        let output = size(details.config.output_buffer_size());
        Ok(Some(TlsTransport {
            buffers: LazyBuffers::new(input, output),
            stream: StreamOwned::new(connection, socket),
        }))
    }
}

struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl std::fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
