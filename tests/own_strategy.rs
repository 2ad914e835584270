//! The strategy of `examples/own-strategy`, with the tests that stand beside it there: what it uses is there and does what it
//! says. That its crate is one is checked by `scripts/test`.

#[path = "../examples/own-strategy/src/breakout.rs"]
mod breakout;

/// One more beside those that are built in, as its `main` adds it.
#[test]
fn it_is_called_by_its_name() {
    assert_eq!(breakout::SPEC.name, "breakout");
}
