//! Frames that come when they come: the side of a live feed, beside [`FrameSource`] for what is there already.

use super::frame::{Frame, FrameSource, SourceError, SourceInfo};

/// What a poll gave.
#[derive(Debug)]
pub enum Polled<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// Nothing at the moment.
    Nothing,
    /// Nothing any more.
    End,
}

/// Frames in the order of their arrival; asking never waits.
pub trait PollSource: Send {
    /// Every source frames may come from.
    fn sources(&self) -> &[SourceInfo];

    /// The next frame, if there is one now.
    ///
    /// # Errors
    /// [`SourceError`] when the source cannot go on; frames returned before are good.
    fn poll_frame(&mut self) -> Result<Polled<'_>, SourceError>;
}

/// What is there already, as a source that is polled.
impl<S: FrameSource + ?Sized> PollSource for S {
    fn sources(&self) -> &[SourceInfo] {
        FrameSource::sources(self)
    }

    fn poll_frame(&mut self) -> Result<Polled<'_>, SourceError> {
        Ok(self.next_frame()?.map_or(Polled::End, Polled::Frame))
    }
}
