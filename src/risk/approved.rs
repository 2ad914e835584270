//! The seal of approval: only this module's parent can make one.

/// Something that risk approved. There is no other way to get one, and gateways take nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    pub(in crate::risk) const fn new(inner: T) -> Self {
        Self(inner)
    }

    /// What was approved.
    #[inline]
    pub const fn get(&self) -> &T {
        &self.0
    }
}
