//! What somebody else's server wrote, as it goes into logs and onto screens.
//!
//! Invariant: in what is shown no line begins and no cursor moves. A proxy's page of an error would else be many lines of a
//! log, and whoever answers could write lines of his own there.

/// Marks that turn the direction of writing round, or that nobody sees.
#[must_use]
pub const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The character; a space for one that ends a line or is a tabulator, and a question mark for one that would move a cursor
/// otherwise, or that nobody would see.
#[must_use]
pub fn shown_char(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || is_unseen(c) => '?',
        c => c,
    }
}

/// The first `chars` characters, without white space around them.
#[must_use]
pub fn said(bytes: &[u8], chars: usize) -> String {
    // No character has more than four bytes.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(chars.saturating_mul(4))]);
    text.trim().chars().take(chars).map(shown_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_line_that_moves_no_cursor() {
        let told = said(b"\r\n\x1b]0;mine\x07\x1b[2Jgone\r\nERROR all is lost\n", 200);
        assert_eq!(told, "?]0;mine??[2Jgone  ERROR all is lost");
        assert_eq!(said("a\u{202e}b\u{85}c\u{9b}2J漢".as_bytes(), 200), "a?b?c?2J漢");
        assert_eq!(said("漢字漢字".as_bytes(), 3), "漢字漢");
        assert_eq!(said(&[0xff; 3], 2), "\u{fffd}\u{fffd}");
        assert_eq!((said(b"", 5), said(b"abc", 0)), (String::new(), String::new()));
    }
}
