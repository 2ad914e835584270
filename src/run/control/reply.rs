//! What comes back from a process that was asked: all of it by a time, and no more of it than it can be.

use super::ControlReply;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A reply is some kilobytes, or some hundred where three hundred instruments have something wrong.
const BYTES_MAX: usize = 16 << 20;
const AT_ONCE: usize = 64 << 10;

/// Reads a reply, which is one line.
///
/// # Errors
/// `TimedOut` or `WouldBlock` where not all of it has come within `within`, however it comes; `InvalidData` where it is no run's.
pub(super) fn read(stream: &mut UnixStream, within: Duration) -> io::Result<ControlReply> {
    let until = Instant::now() + within;
    let mut line = Vec::new();
    let mut piece = vec![0; AT_ONCE];
    while line.len() < BYTES_MAX {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let come = match stream.read(&mut piece) {
            Ok(come) => come,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        line.extend_from_slice(&piece[..come]);
        if come == 0 || piece[..come].contains(&b'\n') {
            break;
        }
    }
    let of_no_run = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let reply: ControlReply = serde_json::from_slice(&line).map_err(|error| of_no_run(error.to_string()))?;
    // What names no run may have any shape: nothing wrong in it would be no news of one.
    if reply.error.is_none() && reply.run.is_empty() {
        return Err(of_no_run("it names no run".into()));
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::Duration;

    fn replied(text: &[u8]) -> io::Result<ControlReply> {
        let (mut mine, mut other) = UnixStream::pair().expect("a pair");
        let text = text.to_vec();
        let writer = std::thread::spawn(move || other.write_all(&text));
        let read = read(&mut mine, Duration::from_secs(5));
        drop(mine);
        let _ = writer.join().expect("no panic");
        read
    }

    #[test]
    fn what_names_no_run_is_no_reply_of_one() {
        for text in [&b"{}\n"[..], b"{\"stopped\": []}\n", b"", b"\n", b"hello\n", b"[]\n"] {
            let error = replied(text).expect_err("no reply");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        assert_eq!(replied(b"{\"run\": \"r\"}\n").expect("a reply").run, "r");
        assert_eq!(replied(b"{\"run\": \"r\"}").expect("one without an end of line").run, "r");
        assert_eq!(replied(b"{\"error\": \"no\"}\n").expect("a reply").error.as_deref(), Some("no"));
    }

    #[test]
    fn a_reply_without_end_ends() {
        let error = replied(&vec![b' '; BYTES_MAX + 2 * AT_ONCE]).expect_err("no reply");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn one_that_comes_drop_by_drop_is_waited_for_no_longer_than_another() {
        let (mut mine, mut other) = UnixStream::pair().expect("a pair");
        let writer = std::thread::spawn(move || {
            // Ends once nobody reads.
            while other.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let begun = Instant::now();
        let error = read(&mut mine, Duration::from_millis(200)).expect_err("no reply");
        assert!(matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        drop(mine);
        writer.join().expect("no panic");
    }
}
