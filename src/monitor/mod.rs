//! Watching: what kind of machine this is, and later what the running system says of itself.
//!
//! Owns: observation. Never changes what it observes and never touches trading state.

pub mod host;
