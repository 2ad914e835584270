//! `algo-trader ctl dashboard`: a running process on one screen, and the kill switch under a key.
//!
//! Reads by the control socket what `ctl status --metrics` reads, and stops by it as `ctl kill` does: there is no other way
//! in. Others ask and carry out, so that keys are heard while a process does not answer.

mod prompt;
mod screen;
mod view;

use super::table::width;
use super::{Outcome, ctl};
use crate::run::control::{Answered, Asker, ControlReply, ControlRequest, ScopeNames, ask};
use crate::run::interrupt::Interrupt;
use prompt::{Key, Prompt, Step, What};
use screen::Screen;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use view::{Shown, Size};

/// Between two questions.
const REFRESH: Duration = Duration::from_secs(1);
/// The longest wait for a key: changes of the screen's size, and signals, are seen after that.
const LOOK: Duration = Duration::from_millis(100);
/// How long what became of a command stays in sight.
const TOLD: Duration = Duration::from_secs(15);

const KEYS: &str = "q quit  k kill  r release";

/// Which process, and who watches it.
pub struct Watched {
    pub socket: PathBuf,
    pub names: ScopeNames,
    pub operator: String,
}

/// Shows it until the person has seen enough; once, where there is no terminal or it is wanted so.
pub fn run(watched: &Watched, once: bool) -> Outcome {
    if once || !screen::is_there() {
        return print_once(&watched.socket);
    }
    let interrupt = Interrupt::install().unwrap_or_default();
    let taken = Asker::start(&watched.socket, REFRESH).and_then(|asker| Ok((asker, Screen::take()?)));
    let (asker, mut screen) = match taken {
        Ok(taken) => taken,
        Err(error) => {
            eprintln!("the terminal cannot be used as a screen: {error}; --once prints the view and ends");
            return Outcome::Failed;
        }
    };
    watch(watched, &asker, &interrupt, &mut screen);
    Outcome::Done
}

fn print_once(socket: &Path) -> Outcome {
    match ask(socket, &ControlRequest::Metrics) {
        Ok(reply) => {
            let shown = Shown { reply: Some(reply), ..Shown::default() };
            for line in view::lines(&shown, Size { columns: width(), rows: usize::MAX }) {
                println!("{}", line.text);
            }
            Outcome::Done
        }
        Err(error) => ctl::tell(&error),
    }
}

fn watch(watched: &Watched, asker: &Asker, interrupt: &Interrupt, screen: &mut Screen) {
    let mut state = State::new();
    while !interrupt.is_raised() {
        while let Some(answered) = asker.heard() {
            state.hear(answered);
        }
        let size = screen.size();
        if screen.draw(view::lines(&state.shown(&watched.names), size), size).is_err() {
            return;
        }
        for key in screen.keys(LOOK) {
            match state.key(key, watched) {
                Next::Go => {}
                Next::Quit => return,
                Next::Do(request) => {
                    if let Err(error) = asker.carry_out(request) {
                        state.tell(format!("NOT DONE: {error}"), false);
                    }
                }
            }
        }
    }
}

/// What a key asks of the loop.
enum Next {
    Go,
    Quit,
    Do(ControlRequest),
}

struct State {
    reply: Option<ControlReply>,
    answered: Instant,
    problem: Option<String>,
    told: Option<(String, bool, Instant)>,
    prompt: Option<Prompt>,
}

impl State {
    fn new() -> Self {
        Self { reply: None, answered: Instant::now(), problem: None, told: None, prompt: None }
    }

    fn tell(&mut self, text: String, good: bool) {
        self.told = Some((text, good, Instant::now()));
    }

    fn hear(&mut self, answered: Answered) {
        match answered {
            Answered::Stands(Ok(reply)) => {
                (self.reply, self.problem, self.answered) = (Some(reply), None, Instant::now());
            }
            Answered::Stands(Err(error)) => self.problem = Some(error.to_string()),
            Answered::Done(request, done) => {
                let what = match &request {
                    ControlRequest::Kill { scope, .. } => format!("kill {scope}"),
                    ControlRequest::Release { scope, .. } => format!("release {scope}"),
                    _ => String::new(),
                };
                self.told = Some(match done {
                    Ok(_) => {
                        (format!("{what}: taken; it is in force once it is told above"), true, Instant::now())
                    }
                    Err(error) => (format!("{what}: NOT DONE: {error}"), false, Instant::now()),
                });
            }
        }
    }

    fn key(&mut self, key: Key, watched: &Watched) -> Next {
        let Some(prompt) = self.prompt.take() else {
            match key {
                Key::Char('q') | Key::Interrupt => return Next::Quit,
                Key::Char('k') => self.prompt = Some(Prompt::new(What::Kill)),
                Key::Char('r') => self.prompt = Some(Prompt::new(What::Release)),
                _ => {}
            }
            return Next::Go;
        };
        match prompt.key(key, &watched.names, &watched.operator) {
            Step::Ask(prompt) => self.prompt = Some(prompt),
            Step::Nothing => self.told = Some(("nothing was done".to_owned(), true, Instant::now())),
            Step::Do(request) => return Next::Do(request),
        }
        Next::Go
    }

    fn shown(&self, names: &ScopeNames) -> Shown {
        let told = self.told.as_ref().filter(|(_, _, at)| at.elapsed() < TOLD && self.prompt.is_none());
        Shown {
            reply: self.reply.clone(),
            problem: self.problem.clone().map(|problem| (problem, self.answered.elapsed().as_secs())),
            told: told.map(|(text, good, _)| (text.clone(), *good)),
            foot: self.prompt.as_ref().map_or_else(|| vec![KEYS.to_owned()], |prompt| prompt.ask(names)),
        }
    }
}
