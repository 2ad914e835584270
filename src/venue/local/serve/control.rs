//! The handle on a running server: faults, questions, the end.

use super::book::BookView;
use super::fault::Fault;
use super::stats::Stats;
use crate::domain::Market;
use mio::Waker;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Longer than any turn of the server's loop.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub(super) enum Command {
    Inject(Fault, Sender<()>),
    Release,
    Book { market: Market, symbol: String, levels: usize, reply: Sender<Option<BookView>> },
    Stats(Sender<Stats>),
    Stop,
}

/// Talks to a running server, from any thread.
#[derive(Debug, Clone)]
pub struct Control {
    commands: Sender<Command>,
    waker: Arc<Waker>,
}

impl Control {
    pub(super) fn new(waker: Waker) -> (Self, Receiver<Command>) {
        let (commands, inbox) = channel();
        (Self { commands, waker: Arc::new(waker) }, inbox)
    }

    /// False where the server is gone.
    pub(super) fn send(&self, command: Command) -> bool {
        self.commands.send(command).is_ok() && self.waker.wake().is_ok()
    }

    fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = channel();
        if self.send(question(reply)) { answer.recv_timeout(ANSWER_WITHIN).ok() } else { None }
    }

    /// Makes something go wrong. Returns once the server has taken it in; false where the server is gone.
    pub fn inject(&self, fault: Fault) -> bool {
        self.ask(|reply| Command::Inject(fault, reply)).is_some()
    }

    /// Lets a feed go that waits for clients.
    pub fn release(&self) -> bool {
        self.send(Command::Release)
    }

    /// The best `levels` of each side as they are now, with their update id; `None` without such a book.
    #[must_use]
    pub fn book(&self, market: Market, symbol: &str, levels: usize) -> Option<BookView> {
        self.ask(|reply| Command::Book { market, symbol: symbol.to_owned(), levels, reply }).flatten()
    }

    /// What was done so far; `None` where the server is gone.
    #[must_use]
    pub fn stats(&self) -> Option<Stats> {
        self.ask(Command::Stats)
    }
}
