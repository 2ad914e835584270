//! A network that fails: a proxy for TCP between a client and a venue, whose connections are cut, held up or slowed on
//! command. What passes is TLS, so it sees no message, as a network does not.

#![allow(dead_code, reason = "each user takes a part")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[derive(Default)]
struct State {
    over: AtomicBool,
    pairs: Mutex<Vec<(TcpStream, TcpStream)>>,
    /// What the client sends next passes, and then everything is cut before an answer can.
    cut_after_request: AtomicBool,
    /// Nothing passes until then.
    held_until: Mutex<Option<Instant>>,
    /// Bytes pass a few at a time, so long a pause between them.
    trickle_us: AtomicU64,
    /// New connections are refused.
    refusing: AtomicBool,
    cuts: AtomicU64,
}

/// See the module.
pub struct FaultProxy {
    pub address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    pub fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State::default());
        let own = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            while !own.over.load(SeqCst) {
                let Ok((client, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                if own.refusing.load(SeqCst) {
                    continue;
                }
                let Ok(venue) = TcpStream::connect(to) else { continue };
                begin(client, venue, &own);
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    /// Cuts every connection at once.
    pub fn cut(&self) {
        cut(&self.state);
    }

    /// Lets the next request pass, and cuts before its answer does.
    pub fn cut_after_request(&self) {
        self.state.cut_after_request.store(true, SeqCst);
    }

    /// Holds everything up.
    pub fn hold(&self, time: Duration) {
        *self.state.held_until.lock().expect("no panic") = Some(Instant::now() + time);
    }

    /// Slows everything down; zero ends it.
    pub fn trickle(&self, pause: Duration) {
        self.state.trickle_us.store(pause.as_micros() as u64, SeqCst);
    }

    /// Takes no new connections, or takes them again.
    pub fn refuse(&self, refusing: bool) {
        self.state.refusing.store(refusing, SeqCst);
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.state.cut_after_request.store(false, SeqCst);
        *self.state.held_until.lock().expect("no panic") = None;
        self.trickle(Duration::ZERO);
        self.refuse(false);
    }

    pub fn cuts(&self) -> u64 {
        self.state.cuts.load(SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.state.pairs.lock().expect("no panic").len()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.state.over.store(true, SeqCst);
        cut(&self.state);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn cut(state: &State) {
    let pairs = std::mem::take(&mut *state.pairs.lock().expect("no panic"));
    if !pairs.is_empty() {
        state.cuts.fetch_add(1, SeqCst);
    }
    for (client, venue) in pairs {
        let _ = client.shutdown(Shutdown::Both);
        let _ = venue.shutdown(Shutdown::Both);
    }
}

fn begin(client: TcpStream, venue: TcpStream, state: &Arc<State>) {
    let both = [&client, &venue];
    for socket in both {
        let _ = socket.set_nodelay(true);
        let _ = socket.set_nonblocking(false);
    }
    let clones = || Some((client.try_clone().ok()?, venue.try_clone().ok()?));
    let (Some(kept), Some(up), Some(down)) = (clones(), clones(), clones()) else { return };
    state.pairs.lock().expect("no panic").push(kept);
    let (own, other) = (Arc::clone(state), Arc::clone(state));
    std::thread::spawn(move || pass(up.0, up.1, &own, true));
    std::thread::spawn(move || pass(down.1, down.0, &other, false));
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &State, requests: bool) {
    let mut room = [0; 16 << 10];
    loop {
        let n = match from.read(&mut room) {
            Ok(n) if n > 0 => n,
            _ => break,
        };
        while state.held_until.lock().expect("no panic").is_some_and(|until| Instant::now() < until) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let pause = Duration::from_micros(state.trickle_us.load(SeqCst));
        let step = if pause.is_zero() { n } else { 64 };
        for chunk in room[..n].chunks(step) {
            if to.write_all(chunk).is_err() {
                return;
            }
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
        if requests && state.cut_after_request.swap(false, SeqCst) {
            // The venue has the request, and a moment to act on it.
            std::thread::sleep(Duration::from_millis(2));
            cut(state);
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
