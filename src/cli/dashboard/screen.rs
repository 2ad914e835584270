//! The terminal: its own screen, and keys as they are typed, for as long as this lives; then, however that ends, it is as
//! it was.

use super::prompt::{Key, keys};
use super::view::{Line, Size, Tone};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices as Special, Termios};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// As the terminal was; none where it is so now. Held here since a panic has to give it back before it is told.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Another screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

/// See the module.
pub struct Screen {
    colours: bool,
    /// What is on it.
    drawn: Vec<Line>,
    size: Option<Size>,
}

/// Whether there are keys and a screen that can be written anywhere on.
pub fn is_there() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}

/// Whether the person wants colours: <https://no-color.org>.
pub fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// What the system says.
    pub fn take() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = termios::tcgetattr(&stdin)?;
        let mut raw = before.clone();
        // Ctrl-C goes on to be a signal, as everywhere; what would stop the process with its screen taken is off.
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::IEXTEN);
        for (key, value) in
            [(Special::VMIN, 1), (Special::VTIME, 0), (Special::VSUSP, 0), (Special::VQUIT, 0)]
        {
            raw.control_chars[key as usize] = value;
        }
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let screen = Self { colours: colours(), drawn: Vec::new(), size: None };
        termios::tcsetattr(&stdin, SetArg::TCSANOW, &raw)?;
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            told(panic);
        }));
        write(ENTER)?;
        Ok(screen)
    }

    /// How large it is now.
    pub fn size(&self) -> Size {
        let found = terminal_size::terminal_size_of(io::stdout());
        found.map_or(Size { columns: 80, rows: 24 }, |(columns, rows)| Size {
            columns: usize::from(columns.0),
            rows: usize::from(rows.0),
        })
    }

    /// Shows these lines; what is there already is not written again.
    ///
    /// # Errors
    /// What the system says: nobody sees it any more.
    pub fn draw(&mut self, lines: Vec<Line>, size: Size) -> io::Result<()> {
        let mut text = String::new();
        if self.size != Some(size) {
            (self.size, self.drawn) = (Some(size), Vec::new());
            text.push_str("\x1b[0m\x1b[2J");
        }
        for row in 0..lines.len().max(self.drawn.len()) {
            let (old, new) = (self.drawn.get(row), lines.get(row));
            if old == new {
                continue;
            }
            // Writing to a String cannot fail.
            let _ = write!(text, "\x1b[{};1H\x1b[2K", row + 1);
            if let Some(line) = new {
                text.push_str(&painted(line, self.colours));
            }
        }
        self.drawn = lines;
        if text.is_empty() { Ok(()) } else { write(&text) }
    }

    /// The keys typed within this time; an end of the input is told as Ctrl-C.
    pub fn keys(&self, within: Duration) -> Vec<Key> {
        let stdin = io::stdin();
        let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let within = PollTimeout::try_from(within).unwrap_or(PollTimeout::ZERO);
        // A signal interrupts it, and is looked for by the caller.
        if poll(&mut ready, within).unwrap_or(0) == 0 {
            return Vec::new();
        }
        // Past the standard library's buffer, of which a poll knows nothing.
        let mut room = [0; 1_024];
        match nix::unistd::read(&stdin, &mut room) {
            Ok(0) => vec![Key::Interrupt],
            Ok(n) => keys(&room[..n]),
            Err(Errno::EINTR | Errno::EAGAIN) => Vec::new(),
            // The terminal is gone.
            Err(_) => vec![Key::Interrupt],
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// The terminal as it was; once.
fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // Whoever closed the terminal has no use for it.
        let _ = write(LEAVE);
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn painted(line: &Line, colours: bool) -> String {
    let code = match line.tone {
        Tone::Plain => return line.text.clone(),
        Tone::Head => "1",
        Tone::Good => "32",
        Tone::Warn => "33",
        Tone::Bad => "1;31",
    };
    if colours { format!("\x1b[{code}m{}\x1b[0m", line.text) } else { line.text.clone() }
}
