//! The `algo-trader` command.

fn main() {}
