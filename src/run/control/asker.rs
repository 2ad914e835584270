//! Asks a running process again and again, and carries out commands, on threads of its own: whoever shows the answers waits
//! for none of them, and a command waits behind no question.

use super::{ControlError, ControlReply, ControlRequest, ask};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::Builder;
use std::time::Duration;

/// After a command, before it is asked what became of it.
const AFTER: Duration = Duration::from_millis(100);

/// What was answered.
#[derive(Debug)]
pub enum Answered {
    /// How it stands.
    Stands(Result<ControlReply, ControlError>),
    /// What became of a command.
    Done(ControlRequest, Result<ControlReply, ControlError>),
}

/// See the module. Dropped, it ends after its next question.
#[derive(Debug)]
pub struct Asker {
    socket: PathBuf,
    answers: Sender<Answered>,
    heard: Receiver<Answered>,
}

impl Asker {
    /// Asks for the metrics, now and after each pause.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(socket: &Path, pause: Duration) -> io::Result<Self> {
        let (answers, heard) = unbounded();
        let asker = Self { socket: socket.to_owned(), answers, heard };
        let (socket, answers) = (asker.socket.clone(), asker.answers.clone());
        Builder::new().name("at-asks".into()).spawn(move || {
            // Until nobody hears it any more.
            while answers.send(Answered::Stands(ask(&socket, &ControlRequest::Metrics))).is_ok() {
                std::thread::sleep(pause);
            }
        })?;
        Ok(asker)
    }

    /// The next answer, if one has come.
    #[must_use]
    pub fn heard(&self) -> Option<Answered> {
        self.heard.try_recv().ok()
    }

    /// Has it carried out; what became of it is heard as an answer, and then how it stands.
    ///
    /// # Errors
    /// What the operating system says: it was not asked for.
    pub fn carry_out(&self, request: ControlRequest) -> io::Result<()> {
        let (socket, answers) = (self.socket.clone(), self.answers.clone());
        Builder::new().name("at-commands".into()).spawn(move || {
            let done = ask(&socket, &request);
            // Nobody hears it where the person has gone.
            let _ = answers.send(Answered::Done(request, done));
            std::thread::sleep(AFTER);
            let _ = answers.send(Answered::Stands(ask(&socket, &ControlRequest::Metrics)));
        })?;
        Ok(())
    }
}
