//! What a person is asked before something is stopped or released: what, why, and whether they mean it. A state machine
//! without a terminal: keys in, a question or a request out.

use crate::run::control::{ControlRequest, ScopeNames, Via};

/// The longest text that is taken; the process takes no longer one.
const TEXT_CHARS_MAX: usize = 200;
/// Names that are listed beside a question.
const NAMES_SHOWN: usize = 12;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Enter,
    Back,
    Tab,
    /// Escape, or the end of what was asked for.
    Escape,
    /// Ctrl-C.
    Interrupt,
}

/// What came of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// There is more to be asked.
    Ask(Prompt),
    /// Nothing is to be done.
    Nothing,
    /// This is to be done.
    Do(ControlRequest),
}

/// Whether it is to stop or to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Kill,
    Release,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    what: What,
    at: At,
    /// What is typed.
    typed: String,
    /// What was wrong with the last answer.
    wrong: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    /// Of what kind it is.
    Kind,
    /// Which of them: `venue`, `strategy` or `instrument`.
    Name(&'static str),
    /// Why it, a scope, is stopped or released.
    Reason(String),
    /// Whether it is meant: a scope and the reason.
    Sure(String, String),
}

impl What {
    fn verb(self) -> &'static str {
        match self {
            What::Kill => "kill",
            What::Release => "release",
        }
    }
}

impl Prompt {
    pub fn new(what: What) -> Self {
        Self { what, at: At::Kind, typed: String::new(), wrong: None }
    }

    /// The question, and what is typed so far.
    pub fn ask(&self, names: &ScopeNames) -> Vec<String> {
        let verb = self.what.verb();
        let mut lines: Vec<String> = self.wrong.iter().cloned().collect();
        match &self.at {
            At::Kind => lines.push(format!(
                "{verb} what?  a all  v a venue  s a strategy  i an instrument  (Esc: nothing)"
            )),
            At::Name(kind) => {
                let fitting = fitting(names, kind, &self.typed);
                let mut known = fitting.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join("  ");
                if fitting.len() > NAMES_SHOWN {
                    known += &format!("  and {} more", fitting.len() - NAMES_SHOWN);
                }
                lines
                    .push(format!("there are: {}", if known.is_empty() { "none so called" } else { &known }));
                lines.push(format!("{verb} {kind} (Tab completes): {}_", self.typed));
            }
            At::Reason(scope) => lines.push(format!("{verb} {scope}. Why? {}_", self.typed)),
            At::Sure(scope, reason) => {
                let more = match self.what {
                    What::Kill => "y kills it  f kills it and closes its positions at the market",
                    What::Release => "y lets it trade again",
                };
                lines.push(format!("{verb} {scope} ({reason})? {more}  any other key: nothing"));
            }
        }
        lines
    }

    /// Takes a key.
    pub fn key(mut self, key: Key, names: &ScopeNames, operator: &str) -> Step {
        if matches!(key, Key::Escape | Key::Interrupt) {
            return Step::Nothing;
        }
        self.wrong = None;
        match self.at.clone() {
            At::Kind => self.kind(key),
            At::Sure(scope, reason) => self.sure(key, scope, reason, operator),
            at => {
                match key {
                    Key::Char(c) if self.typed.chars().count() < TEXT_CHARS_MAX => self.typed.push(c),
                    Key::Back => {
                        self.typed.pop();
                    }
                    Key::Tab => self.complete(&at, names),
                    Key::Enter => self.entered(&at, names),
                    _ => {}
                }
                Step::Ask(self)
            }
        }
    }

    fn kind(mut self, key: Key) -> Step {
        self.at = match key {
            Key::Char('a') => At::Reason("all".to_owned()),
            Key::Char('v') => At::Name("venue"),
            Key::Char('s') => At::Name("strategy"),
            Key::Char('i') => At::Name("instrument"),
            Key::Char('q') => return Step::Nothing,
            _ => At::Kind,
        };
        Step::Ask(self)
    }

    fn entered(&mut self, at: &At, names: &ScopeNames) {
        match at {
            At::Name(kind) => {
                let scope = format!("{kind} {}", self.typed.trim());
                match names.read(&scope) {
                    Ok(_) => {
                        self.at = At::Reason(scope);
                        self.typed.clear();
                    }
                    Err(_) => self.wrong = Some(format!("there is no {scope}")),
                }
            }
            At::Reason(scope) if !self.typed.trim().is_empty() => {
                self.at = At::Sure(scope.clone(), self.typed.trim().to_owned());
            }
            _ => self.wrong = Some("it is not done without a reason".to_owned()),
        }
    }

    fn sure(self, key: Key, scope: String, reason: String, operator: &str) -> Step {
        let (operator, via) = (operator.to_owned(), Some(Via::Dashboard));
        match (self.what, key) {
            (What::Kill, Key::Char(c @ ('y' | 'f'))) => {
                Step::Do(ControlRequest::Kill { scope, flatten: c == 'f', operator, reason, via })
            }
            (What::Release, Key::Char('y')) => {
                Step::Do(ControlRequest::Release { scope, operator, reason, via })
            }
            _ => Step::Nothing,
        }
    }

    /// As far as everything that fits has the same beginning.
    fn complete(&mut self, at: &At, names: &ScopeNames) {
        let At::Name(kind) = at else { return };
        let fitting = fitting(names, kind, &self.typed);
        let Some((first, rest)) = fitting.split_first() else { return };
        let same = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        let common = rest.iter().map(|name| same(first, name)).min().unwrap_or(first.chars().count());
        let longer: String = first.chars().take(common).collect();
        if longer.len() > self.typed.len() {
            self.typed = longer;
        }
    }
}

/// The names of this kind that begin with what is typed, or, where none does, have it in them.
fn fitting(names: &ScopeNames, kind: &str, typed: &str) -> Vec<String> {
    let all = match kind {
        "venue" => names.venues(),
        "strategy" => names.strategies(),
        _ => names.instruments(),
    };
    let begins: Vec<String> = all.iter().filter(|name| name.starts_with(typed)).cloned().collect();
    if !begins.is_empty() {
        return begins;
    }
    let wanted = typed.to_lowercase();
    all.iter().filter(|name| name.to_lowercase().contains(&wanted)).cloned().collect()
}

/// The keys that these bytes are. What a terminal sends for an arrow and its like begins with Escape, and is none.
pub fn keys(bytes: &[u8]) -> Vec<Key> {
    let text = String::from_utf8_lossy(bytes);
    let mut chars = text.chars().peekable();
    let mut keys = Vec::new();
    while let Some(c) = chars.next() {
        keys.push(match c {
            '\r' | '\n' => Key::Enter,
            '\u{8}' | '\u{7f}' => Key::Back,
            '\t' => Key::Tab,
            '\u{3}' => Key::Interrupt,
            '\u{1b}' => match chars.peek() {
                None => Key::Escape,
                Some('[' | 'O') => {
                    chars.next();
                    // To the letter, or the tilde, that ends it.
                    while chars.next_if(|c| !c.is_ascii_alphabetic() && *c != '~').is_some() {}
                    chars.next();
                    continue;
                }
                // With the Alt key.
                Some(_) => {
                    chars.next();
                    continue;
                }
            },
            c if c.is_control() || c == char::REPLACEMENT_CHARACTER => continue,
            c => Key::Char(c),
        });
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Config;

    fn names() -> ScopeNames {
        ScopeNames::new(&Config::embedded_default())
    }

    fn typed(what: What, bytes: &str) -> Step {
        let names = names();
        let mut step = Step::Ask(Prompt::new(what));
        for key in keys(bytes.as_bytes()) {
            step = match step {
                Step::Ask(prompt) => prompt.key(key, &names, "anna"),
                over => return over,
            };
        }
        step
    }

    fn kill(scope: &str, flatten: bool, reason: &str) -> Step {
        let (scope, operator, reason) = (scope.to_owned(), "anna".to_owned(), reason.to_owned());
        Step::Do(ControlRequest::Kill { scope, flatten, operator, reason, via: Some(Via::Dashboard) })
    }

    #[test]
    fn what_is_said_why_and_confirmed_is_done_and_nothing_less() {
        assert_eq!(typed(What::Kill, "aprices look wrong\ry"), kill("all", false, "prices look wrong"));
        assert_eq!(typed(What::Kill, "sma-cross\r losing \rf"), kill("strategy ma-cross", true, "losing"));
        assert_eq!(typed(What::Kill, "sm\t\rx\u{7f}losing\ry"), kill("strategy ma-cross", false, "losing"));
        let released = typed(What::Release, "achecked\ry");
        assert!(
            matches!(&released, Step::Do(ControlRequest::Release { scope, .. }) if scope == "all"),
            "{released:?}"
        );
        for nothing in [
            "aprices\rn",
            "aprices\r\r",
            "aprices\r\u{1b}",
            "\u{1b}",
            "q",
            "aprices\u{3}",
            "sma-cross\r\u{1b}",
        ] {
            assert_eq!(typed(What::Kill, nothing), Step::Nothing, "{nothing:?}");
        }
        assert_eq!(typed(What::Release, "achecked\rf"), Step::Nothing, "it closes nothing");
        // Not without a reason, nor of what is not there.
        for open in ["a\ry", "a   \r", "snobody\rx", "", "x", "aprices\u{1b}[A\u{1b}OP\r"] {
            assert!(matches!(typed(What::Kill, open), Step::Ask(_)), "{open:?}");
        }
        let Step::Ask(prompt) = typed(What::Kill, "snobody\r") else { panic!("it is asked again") };
        let asked = prompt.ask(&names());
        assert!(asked[0].contains("there is no strategy nobody"), "{asked:?}");
    }

    #[test]
    fn names_that_fit_are_listed_and_completed_as_far_as_they_agree() {
        let asked = |text: &str| match typed(What::Kill, text) {
            Step::Ask(prompt) => prompt.ask(&names()).join("\n"),
            other => panic!("{other:?}"),
        };
        assert!(asked("s").contains("ma-cross  rsi-reversion"), "{}", asked("s"));
        assert!(asked("sr\t").contains(": rsi-reversion_"), "{}", asked("sr\t"));
        assert!(asked("v\t").contains("venue (Tab completes): binance:"), "{}", asked("v\t"));
        assert!(asked("ibtc").contains("BTCUSDT"), "{}", asked("ibtc"));
        assert!(asked("szzz").contains("none so called"));
        assert_eq!(
            typed(What::Kill, &format!("a{}\ry", "x".repeat(500))),
            kill("all", false, &"x".repeat(200))
        );
    }
}
