//! The kernel's own receive times: when bytes came, not when we got round to reading them.

use mio::net::TcpStream;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;

/// Reads a socket whose kernel says when the bytes came.
pub(super) struct Stamps {
    ancillary: Vec<u8>,
}

impl Stamps {
    /// Asks for stamps; `None`, with a word in the log, where the kernel has none.
    pub fn of(socket: &TcpStream) -> Option<Self> {
        match setsockopt(socket, sockopt::ReceiveTimestampns, &true) {
            Ok(()) => Some(Self { ancillary: nix::cmsg_space!(TimeSpec) }),
            Err(error) => {
                log::warn!(
                    "the kernel gives no receive times ({error}); frames are stamped when they are read"
                );
                None
            }
        }
    }

    /// Reads as `read` does, and says when the kernel received the last of the bytes, ns since 1970.
    #[inline]
    pub fn read(&mut self, socket: &TcpStream, room: &mut [u8]) -> io::Result<(usize, Option<u64>)> {
        let mut parts = [IoSliceMut::new(room)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut self.ancillary), flags)?;
        let stamp = message.cmsgs().ok().and_then(|mut messages| {
            messages.find_map(|m| match m {
                ControlMessageOwned::ScmTimestampns(time) => nanos(time),
                _ => None,
            })
        });
        Ok((message.bytes, stamp))
    }
}

fn nanos(time: TimeSpec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    #[test]
    fn the_kernel_says_when_bytes_came_not_when_they_were_read() {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut peer =
            std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let socket = listener.accept().expect("a connection").0;
        socket.set_nonblocking(true).expect("a socket");
        let socket = TcpStream::from_std(socket);
        let mut stamps = Stamps::of(&socket).expect("Linux has them");
        let mut room = [0; 16];
        let empty = stamps.read(&socket, &mut room).expect_err("nothing came");
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        // The kernel begins to stamp a moment after it was asked to, later on a busy machine.
        let stamping = (0..500).any(|_| {
            peer.write_all(b"first").expect("sent");
            std::thread::sleep(Duration::from_millis(10));
            matches!(stamps.read(&socket, &mut room), Ok((_, Some(_))))
        });
        assert!(stamping, "no stamp in five seconds");
        while stamps.read(&socket, &mut room).is_ok() {}
        let before = now();
        peer.write_all(b"frame").expect("sent");
        std::thread::sleep(Duration::from_millis(60));
        let begun = Instant::now();
        let (n, stamp) = loop {
            match stamps.read(&socket, &mut room) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "nothing came");
        };
        let stamp = stamp.expect("a stamp");
        assert_eq!(&room[..n], b"frame");
        assert!(stamp >= before && stamp + 30_000_000 < now(), "{before} {stamp} {}", now());
    }
}
