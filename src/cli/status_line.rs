//! One line on standard error that is written over and over: only on a terminal, never wider than it.

use std::io::{IsTerminal, Write};

/// See the module.
pub struct StatusLine {
    shown: bool,
}

impl StatusLine {
    /// A line, where standard error is a terminal that can go back to the beginning of one.
    pub fn new() -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        (std::io::stderr().is_terminal() && !dumb).then_some(Self { shown: false })
    }

    /// Shows `text`, cut to the terminal's width.
    pub fn show(&mut self, text: &str) {
        let width =
            terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        let text = cut(text, width.saturating_sub(1));
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
        self.shown = true;
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// The first `width` characters; where some are left out, the last one says so.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_never_wider_than_asked() {
        assert_eq!(cut("12 frames", 20), "12 frames");
        assert_eq!(cut("12 frames", 5), "12 f…");
        assert_eq!((cut("12 frames", 1).as_str(), cut("12 frames", 0).as_str()), ("…", ""));
    }
}
