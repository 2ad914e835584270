//! Requests of the WebSocket API: one JSON text each, signed or of a session that is logged on.

use super::super::bytes::FixedBytes;
use super::{Name, Params, Request, RequestError, Timing};
use crate::security::{Algorithm, Credentials, SignatureText};

/// Room for a request: parameters, the key, and an RSA signature of 4096 bits.
const JSON_BYTES_MAX: usize = 2048;

/// Room for the signed text.
const PAYLOAD_BYTES_MAX: usize = 1024;

/// Who vouches for a request.
#[derive(Debug, Clone, Copy)]
pub enum Auth<'a> {
    /// The session, which is logged on: neither key nor signature are sent.
    Session,
    /// The request itself, which is signed.
    Signed(&'a Credentials),
}

/// A request's text and the room that it is made in; one for each thread that sends.
#[derive(Debug, Clone, Default)]
pub struct WsRequest {
    json: FixedBytes<JSON_BYTES_MAX>,
    payload: FixedBytes<PAYLOAD_BYTES_MAX>,
    signature: SignatureText,
}

impl WsRequest {
    /// Room for a request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `request`, whose answer will have the number `id`; the text is to be sent as one text frame.
    ///
    /// # Errors
    /// [`RequestError`]; nothing may be sent then.
    #[inline]
    pub fn write(
        &mut self,
        id: u64,
        request: &Request<'_>,
        timing: Timing,
        auth: Auth<'_>,
    ) -> Result<&[u8], RequestError> {
        if let Request::Logon = request {
            match auth {
                Auth::Session => return Err(RequestError::LogonUnsigned),
                Auth::Signed(Credentials { signer, .. }) => match signer.algorithm() {
                    Algorithm::Ed25519 => {}
                    other => return Err(RequestError::LogonNeedsEd25519(other)),
                },
            }
        }
        self.write_with(id, request.ws_method(), timing, auth, |params| request.write(params))
    }

    /// Writes a request of any `method`, a name without characters that JSON escapes, with the parameters of `fill`,
    /// which gives them in the order of their names; key, window, time and signature are put among them.
    ///
    /// # Errors
    /// Those of `fill`, and [`RequestError`]; nothing may be sent then.
    #[inline]
    pub fn write_with(
        &mut self,
        id: u64,
        method: &str,
        timing: Timing,
        auth: Auth<'_>,
        fill: impl FnOnce(&mut WsParams<'_>) -> Result<(), RequestError>,
    ) -> Result<&[u8], RequestError> {
        self.json.clear();
        self.payload.clear();
        self.json.text(b"{\"id\":");
        self.json.integer(id);
        self.json.text(b",\"method\":\"");
        self.json.text(method.as_bytes());
        self.json.text(b"\",\"params\":{");
        let (json, payload) = (&mut self.json, &mut self.payload);
        let mut params = WsParams { json, payload, timing, auth, common: 0, last: None, unsorted: None };
        fill(&mut params)?;
        params.common_before(None);
        if let Some(name) = params.unsorted {
            return Err(RequestError::Unsorted(name));
        }
        if let Auth::Signed(credentials) = auth {
            let payload = self.payload.as_bytes();
            if payload.is_empty() {
                return Err(RequestError::TooLong { bytes_max: PAYLOAD_BYTES_MAX });
            }
            credentials.signer.sign(payload, &mut self.signature)?;
            self.json.text(b",\"signature\":\"");
            self.json.text(self.signature.as_bytes());
            self.json.text(b"\"");
        }
        self.json.text(b"}}");
        match self.json.as_bytes() {
            [] => Err(RequestError::TooLong { bytes_max: JSON_BYTES_MAX }),
            text => Ok(text),
        }
    }

    /// The text that the last signature was made of; empty if it was not signed.
    #[must_use]
    pub fn signed_text(&self) -> &[u8] {
        self.payload.as_bytes()
    }
}

/// Parameters of a request: into the JSON, and beside it into the text to sign.
///
/// The two differ in escaping alone, since the parameters come sorted: names are compared as they come, and one out of
/// order fails the request.
pub struct WsParams<'a> {
    json: &'a mut FixedBytes<JSON_BYTES_MAX>,
    payload: &'a mut FixedBytes<PAYLOAD_BYTES_MAX>,
    timing: Timing,
    auth: Auth<'a>,
    /// How many of [`COMMON`] are written.
    common: usize,
    last: Option<Name>,
    unsorted: Option<Name>,
}

/// The parameters that every request has, in their order.
const COMMON: [Name; 3] = [Name::ApiKey, Name::RecvWindow, Name::Timestamp];

impl WsParams<'_> {
    #[inline]
    fn name(&mut self, name: Name) {
        self.common_before(Some(name));
        self.bare_name(name);
    }

    #[inline]
    fn bare_name(&mut self, name: Name) {
        // The first has no separator before it.
        let skip = usize::from(self.last.is_none());
        if self.last.is_some_and(|last| last >= name) {
            self.unsorted.get_or_insert(name);
        }
        self.last = Some(name);
        self.json.text(&name.json()[skip..]);
        if self.signed() {
            self.payload.text(&name.query()[skip..]);
        }
    }

    #[inline]
    const fn signed(&self) -> bool {
        matches!(self.auth, Auth::Signed(_))
    }

    /// Writes those of [`COMMON`] whose turn it is before `name`; all that are left where there is none.
    #[inline]
    fn common_before(&mut self, name: Option<Name>) {
        while let Some(&common) = COMMON.get(self.common)
            && name.is_none_or(|name| common < name)
        {
            self.common += 1;
            self.write_common(common);
        }
    }

    fn write_common(&mut self, name: Name) {
        match (name, self.auth, self.timing.recv_window) {
            (Name::ApiKey, Auth::Signed(credentials), _) => {
                self.bare_name(name);
                self.quoted(|out| out.text(credentials.api_key.as_bytes()));
            }
            (Name::RecvWindow, _, Some(window)) => {
                self.bare_name(name);
                let (value, decimals) = window.scaled();
                self.both(|out| out.decimal(value, decimals));
            }
            (Name::Timestamp, ..) => {
                self.bare_name(name);
                let timestamp = self.timing.timestamp;
                self.both(|out| out.integer(timestamp));
            }
            _ => {}
        }
    }

    /// Writes a value that both texts have alike: into the JSON, and from there into the text to sign.
    #[inline]
    fn both(&mut self, write: impl FnOnce(&mut FixedBytes<JSON_BYTES_MAX>)) {
        let start = self.json.len();
        write(self.json);
        if self.signed() {
            self.payload.text(self.json.from(start));
        }
    }

    #[inline]
    fn quoted(&mut self, write: impl FnOnce(&mut FixedBytes<JSON_BYTES_MAX>)) {
        self.json.text(b"\"");
        self.both(write);
        self.json.text(b"\"");
    }
}

impl Params for WsParams<'_> {
    #[inline]
    fn token(&mut self, name: Name, text: &[u8]) {
        self.name(name);
        self.quoted(|out| out.text(text));
    }

    #[inline]
    fn text(&mut self, name: Name, text: &str) {
        self.name(name);
        self.json.text(b"\"");
        self.json.json_escaped(text);
        self.json.text(b"\"");
        if self.signed() {
            self.payload.text(text.as_bytes());
        }
    }

    #[inline]
    fn integer(&mut self, name: Name, value: u64) {
        self.name(name);
        self.both(|out| out.integer(value));
    }

    #[inline]
    fn decimal(&mut self, name: Name, value: i64, decimals: u8) {
        self.name(name);
        self.quoted(|out| out.decimal(value, decimals));
    }

    #[inline]
    fn flag(&mut self, name: Name, value: bool) {
        self.name(name);
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.both(|out| out.text(text));
    }
}
