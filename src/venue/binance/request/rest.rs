//! Signed queries of the REST API.

use super::super::bytes::FixedBytes;
use super::{Name, Params, RecvWindow, Request, RequestError, Timing};
use crate::security::{Credentials, SignatureText};

/// Room for a query: parameters, and an RSA signature of 4096 bits percent-encoded throughout.
const QUERY_BYTES_MAX: usize = 3072;

/// The longest parameters, signature not counted.
const PARAMS_BYTES_MAX: usize = 1000;

/// A signed query and the room that it is made in; one for each thread that sends.
///
/// All parameters go into the query, of `POST` and `DELETE` too, so the body is empty and the signed text is the query
/// before `&signature=`. The API key goes into the header `X-MBX-APIKEY`.
#[derive(Debug, Clone, Default)]
pub struct RestRequest {
    query: FixedBytes<QUERY_BYTES_MAX>,
    signature: SignatureText,
}

/// A request for an HTTP client to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestCall<'a> {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The path: `/api/v3/order`.
    pub path: &'static str,
    /// The query, signed and to be sent as it is.
    pub query: &'a str,
}

impl RestRequest {
    /// Room for a request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `request` and signs it.
    ///
    /// # Errors
    /// [`RequestError`]; nothing may be sent then.
    pub fn write(
        &mut self,
        request: &Request<'_>,
        timing: Timing,
        credentials: &Credentials,
    ) -> Result<RestCall<'_>, RequestError> {
        let Some((method, path)) = request.rest() else {
            return Err(RequestError::NotRest { method: request.ws_method() });
        };
        let query = self.write_with(timing, credentials, |params| request.write(params))?;
        Ok(RestCall { method, path, query })
    }

    /// Writes the parameters of `fill`, in its order, then window and time, and signs them.
    ///
    /// # Errors
    /// Those of `fill`, and [`RequestError`]; nothing may be sent then.
    pub fn write_with(
        &mut self,
        timing: Timing,
        credentials: &Credentials,
        fill: impl FnOnce(&mut RestParams<'_>) -> Result<(), RequestError>,
    ) -> Result<&str, RequestError> {
        self.query.clear();
        let mut params = RestParams { query: &mut self.query };
        fill(&mut params)?;
        if let Some(window) = timing.recv_window {
            params.window(window);
        }
        params.integer(Name::Timestamp, timing.timestamp);
        self.sign(credentials)
    }

    /// Signs `query`, which is encoded and names its time already: the
    /// [`OrderBytes`](super::super::encode::OrderBytes) of an order or a cancel.
    ///
    /// # Errors
    /// [`RequestError`]; nothing may be sent then.
    pub fn sign_query(
        &mut self,
        query: &[u8],
        recv_window: Option<RecvWindow>,
        credentials: &Credentials,
    ) -> Result<&str, RequestError> {
        if query.is_empty() {
            // What did not fit there: with a window it would look like a request.
            return Err(RequestError::TooLong { bytes_max: PARAMS_BYTES_MAX });
        }
        self.query.clear();
        self.query.text(query);
        if let Some(window) = recv_window {
            RestParams { query: &mut self.query }.window(window);
        }
        self.sign(credentials)
    }

    fn sign(&mut self, credentials: &Credentials) -> Result<&str, RequestError> {
        let params = self.query.as_bytes();
        if params.is_empty() || params.len() > PARAMS_BYTES_MAX {
            return Err(RequestError::TooLong { bytes_max: PARAMS_BYTES_MAX });
        }
        credentials.signer.sign(params, &mut self.signature)?;
        self.query.text(b"&signature=");
        self.query.percent_encoded(self.signature.as_bytes());
        let too_long = RequestError::TooLong { bytes_max: QUERY_BYTES_MAX };
        let query = self.query.as_bytes();
        // Percent-encoded throughout: ASCII unless a caller's query was not.
        std::str::from_utf8(query).ok().filter(|query| !query.is_empty()).ok_or(too_long)
    }
}

/// Parameters of a query.
pub struct RestParams<'a> {
    query: &'a mut FixedBytes<QUERY_BYTES_MAX>,
}

impl RestParams<'_> {
    #[inline]
    fn name(&mut self, name: Name) {
        let text = name.query();
        // The first has no ampersand before it.
        self.query.text(if self.query.as_bytes().is_empty() { &text[1..] } else { text });
    }

    fn window(&mut self, window: RecvWindow) {
        let (value, decimals) = window.scaled();
        self.decimal(Name::RecvWindow, value, decimals);
    }
}

impl Params for RestParams<'_> {
    fn token(&mut self, name: Name, text: &[u8]) {
        self.name(name);
        self.query.percent_encoded(text);
    }

    fn text(&mut self, name: Name, text: &str) {
        self.token(name, text.as_bytes());
    }

    fn integer(&mut self, name: Name, value: u64) {
        self.name(name);
        self.query.integer(value);
    }

    fn decimal(&mut self, name: Name, value: i64, decimals: u8) {
        self.name(name);
        self.query.decimal(value, decimals);
    }

    fn flag(&mut self, name: Name, value: bool) {
        self.name(name);
        self.query.text(if value { b"true" } else { b"false" });
    }
}
