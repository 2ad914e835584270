//! Where bytes come from: the seam between transports and the pipeline.
//!
//! Owns: the frame and the source of frames, and the transports of a live feed: TLS, WebSocket, HTTP, the pauses
//! between attempts. Decodes nothing, and knows no venue.

pub mod backoff;
pub mod endpoint;
pub mod frame;
pub mod http;
pub mod said;
pub mod tls;
pub mod webhook;
pub mod websocket;

pub use backoff::Backoff;
pub use endpoint::Endpoint;
pub use frame::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
pub use said::said;
pub use tls::{CertificateProblem, TlsClient, TlsSettings};
pub use webhook::Webhook;
