//! Orders for real: what stands between the live gateway's lane and the venue.

pub mod keys;
pub mod rest;
