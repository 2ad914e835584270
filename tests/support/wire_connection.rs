//! One connection of the small venue: REST or WebSocket, and what goes wrong on it.

use super::{Fault, Shared, ToConnection, Welcome};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Error, Message};

type Tls = StreamOwned<ServerConnection, TcpStream>;

fn head(stream: &mut Tls) -> Option<String> {
    let (mut bytes, mut byte) = (Vec::new(), [0u8; 1]);
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).ok()
}

pub fn serve(mut socket: TcpStream, config: &Arc<ServerConfig>, shared: &Arc<Shared>) {
    let welcome = *shared.welcome.lock().expect("no panic");
    shared.accepted.fetch_add(1, SeqCst);
    let _ = socket.set_nodelay(true);
    match welcome {
        Welcome::Alert => {
            let mut hello = [0; 2_048];
            let _ = socket.read(&mut hello);
            // Fatal, protocol_version: what a server says that knows only older versions.
            let _ = socket.write_all(&[0x15, 3, 1, 0, 2, 2, 70]);
            std::thread::sleep(Duration::from_millis(100));
            return;
        }
        Welcome::Garbage => {
            let _ = socket.write_all(b"220 mail.example ESMTP\r\n");
            std::thread::sleep(Duration::from_millis(100));
            return;
        }
        _ => {}
    }
    let Ok(connection) = ServerConnection::new(Arc::clone(config)) else { return };
    let Ok(copy) = socket.try_clone() else { return };
    let mut stream = StreamOwned::new(connection, socket);
    // Requests of one kept-alive connection, until one upgrades it.
    while let Some(head) = head(&mut stream) {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let key = head.lines().find_map(|l| l.strip_prefix("Sec-WebSocket-Key: "));
        let Some(key) = key else {
            if answer(&mut stream, &path, shared).is_err() {
                return;
            }
            continue;
        };
        if let Welcome::Status(status) = welcome {
            let body = "not today";
            let text = format!(
                "HTTP/1.1 {status} Sorry\r\nRetry-After: 2\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(text.as_bytes());
            let _ = stream.flush();
            std::thread::sleep(Duration::from_millis(50));
            return;
        }
        let accept = tungstenite::handshake::derive_accept_key(key.trim().as_bytes());
        let text = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        if welcome == Welcome::SlowLoris {
            for byte in text.bytes() {
                if stream.write_all(&[byte]).and_then(|()| stream.flush()).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        return follow(stream, copy, &path, text.as_bytes(), shared);
    }
}

fn answer(stream: &mut Tls, path: &str, shared: &Shared) -> std::io::Result<()> {
    let query = path.split('?').nth(1).unwrap_or_default();
    let parameter = |name: &str| {
        query.split('&').find_map(|pair| pair.strip_prefix(name).and_then(|v| v.strip_prefix('=')))
    };
    shared.depth_requests.fetch_add(1, SeqCst);
    let limit = parameter("limit").and_then(|l| l.parse().ok()).unwrap_or(100);
    let refused = shared.refuse_depth.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_ok();
    let (status, body) = match parameter("symbol").and_then(|s| shared.depth(s, limit)) {
        _ if refused => {
            ("429 Too Many Requests\r\nRetry-After: 1", r#"{"code":-1003,"msg":"Too many requests."}"#.into())
        }
        Some(body) => ("200 OK", body),
        None => ("400 Bad Request", r#"{"code":-1121,"msg":"Invalid symbol."}"#.to_owned()),
    };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

fn follow(mut stream: Tls, socket: TcpStream, path: &str, answer: &[u8], shared: &Arc<Shared>) {
    let mut streams: HashSet<String> = HashSet::new();
    if let Some(list) = path.split("streams=").nth(1) {
        streams.extend(list.split('/').map(str::to_owned));
    }
    let (sender, receiver) = channel();
    let id = shared.opened.fetch_add(1, SeqCst);
    let Ok(copy) = socket.try_clone() else { return };
    shared.connections.lock().expect("no panic").push((id, sender, copy));
    // Subscribed first: nothing is missing after the answer.
    if stream.write_all(answer).and_then(|()| stream.flush()).is_err() {
        shared.connections.lock().expect("no panic").retain(|(other, _, _)| *other != id);
        return;
    }
    let _ = socket.set_read_timeout(Some(Duration::from_millis(1)));
    let mut connection = Following {
        ws: WebSocket::from_raw_socket(stream, Role::Server, None),
        socket,
        streams,
        receiver,
        leave_out: 0,
        cripple: 0,
        lie: false,
        twice: false,
        hold: None,
        reorder: false,
        cut_at: None,
        done: 0,
        id,
    };
    connection.run(shared);
    shared.connections.lock().expect("no panic").retain(|(other, _, _)| *other != id);
    // What was meant for a connection that has ended is done.
    let left = connection.receiver.try_iter().filter(|what| matches!(what, ToConnection::Fault(_)));
    connection.done += left.count() as u64;
    connection.tell(shared);
}

struct Following {
    ws: WebSocket<Tls>,
    socket: TcpStream,
    streams: HashSet<String>,
    receiver: Receiver<ToConnection>,
    leave_out: usize,
    cripple: usize,
    lie: bool,
    twice: bool,
    reorder: bool,
    hold: Option<Arc<str>>,
    cut_at: Option<std::time::Instant>,
    /// Faults that were done and not told yet.
    done: u64,
    id: u64,
}

impl Following {
    /// Tells that faults were done.
    fn tell(&mut self, shared: &Shared) {
        shared.faults_done.fetch_add(std::mem::take(&mut self.done), SeqCst);
    }

    fn run(&mut self, shared: &Shared) {
        loop {
            if self.cut_at.is_some_and(|at| std::time::Instant::now() >= at) {
                let _ = self.socket.shutdown(Shutdown::Both);
                return;
            }
            let (mut frames, mut written) = (0, Vec::new());
            loop {
                match self.receiver.recv_timeout(Duration::from_millis(2)) {
                    Ok(ToConnection::Frame(stream, frame)) => {
                        if self.streams.contains(&*stream) && self.frame(frame).is_err() {
                            return;
                        }
                        frames += 1;
                        if frames >= 256 {
                            break;
                        }
                    }
                    Ok(ToConnection::Fault(fault)) => {
                        // Of those that concern frames to come, the frames tell.
                        self.done += u64::from(!matches!(
                            fault,
                            Fault::Drop(_) | Fault::Cripple(_) | Fault::Duplicate | Fault::Reorder
                        ));
                        if matches!(fault, Fault::Stall(_) | Fault::SlowFrame) {
                            self.tell(shared);
                        }
                        if !self.fault(fault) {
                            return;
                        }
                        break;
                    }
                    Ok(ToConnection::Written(said)) => written.push(said),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            if self.ws.flush().is_err() {
                return;
            }
            self.tell(shared);
            // Whoever asked may have gone.
            for said in written {
                let _ = said.send(());
            }
            match self.ws.read() {
                Ok(Message::Text(text)) => {
                    shared.messages.fetch_add(1, SeqCst);
                    let params = text.split('[').nth(1).and_then(|t| t.split(']').next()).unwrap_or_default();
                    self.streams.extend(params.split(',').map(|p| p.trim_matches('"').to_owned()));
                    let id = text.split("\"id\":").nth(1).and_then(|t| t.split('}').next()).unwrap_or("0");
                    let _ = self.ws.send(Message::text(format!(r#"{{"result":null,"id":{id}}}"#)));
                }
                Ok(Message::Pong(_)) => {
                    shared.pongs.fetch_add(1, SeqCst);
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    fn frame(&mut self, frame: Arc<str>) -> Result<(), Error> {
        if self.leave_out > 0 {
            self.leave_out -= 1;
            self.done += u64::from(self.leave_out == 0);
            return Ok(());
        }
        if self.cripple > 0 && frame.contains("depthUpdate") {
            self.cripple -= 1;
            self.done += u64::from(self.cripple == 0);
            return self.ws.write(Message::text(&frame[..frame.len() - 1]));
        }
        if self.lie
            && let Some((head, _)) = frame.split_once(",\"b\":[").filter(|_| frame.contains("depthUpdate"))
        {
            return self.ws.write(Message::text(format!("{head},\"b\":[],\"a\":[]}}}}")));
        }
        if std::mem::take(&mut self.reorder) {
            self.hold = Some(frame);
            return Ok(());
        }
        self.ws.write(Message::text(frame.as_ref()))?;
        if std::mem::take(&mut self.twice) {
            self.ws.write(Message::text(frame.as_ref()))?;
            self.done += 1;
        }
        if let Some(held) = self.hold.take() {
            self.ws.write(Message::text(held.as_ref()))?;
            self.done += 1;
        }
        Ok(())
    }

    /// Says whether the connection lives on.
    fn fault(&mut self, fault: Fault) -> bool {
        let _ = self.ws.flush();
        match fault {
            Fault::Cut => {
                let _ = self.socket.shutdown(Shutdown::Both);
                return false;
            }
            Fault::Stall(time) => std::thread::sleep(time),
            Fault::Drop(n) => self.leave_out = n,
            Fault::Cripple(n) => self.cripple = n,
            Fault::Lie => self.lie = true,
            Fault::Duplicate => self.twice = true,
            Fault::Reorder => self.reorder = true,
            Fault::Truncate => {
                let _ = self.ws.get_mut().write_all(b"\x81\x7e\x01\x00half of a frame");
                let _ = self.ws.get_mut().flush();
                let _ = self.socket.shutdown(Shutdown::Both);
                return false;
            }
            Fault::Huge(bytes) => {
                let _ = self.socket.set_read_timeout(None);
                let sent =
                    self.ws.send(Message::text(format!(r#"{{"e":"huge","x":"{}"}}"#, "x".repeat(bytes))));
                let _ = self.socket.set_read_timeout(Some(Duration::from_millis(1)));
                return sent.is_ok();
            }
            Fault::SlowFrame => {
                let stream = self.ws.get_mut();
                let _ = stream.write_all(b"\x81\x7e\x0f\x00");
                for _ in 0..200 {
                    if stream.write_all(b"x").and_then(|()| stream.flush()).is_err() {
                        return false;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                return false;
            }
            Fault::Shutdown(after) => {
                let text = r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#;
                let _ = self.ws.send(Message::text(text));
                self.cut_at = Some(std::time::Instant::now() + after);
            }
            Fault::Ping => {
                let _ = self.ws.send(Message::Ping(b"1770123456789".as_slice().into()));
            }
            Fault::PingFlood => {
                // More than the sockets between the two hold: who does not end it keeps it all.
                let mut ping = vec![0x89, 125];
                ping.extend([b'x'; 125]);
                let (pings, stream) = (ping.repeat(128), self.ws.get_mut());
                let _ = (0..4_096).try_for_each(|_| stream.write_all(&pings));
                return false;
            }
            Fault::Close => {
                let _ = self.ws.close(None);
                let _ = self.ws.flush();
            }
            Fault::BadFrame => {
                let _ = self.ws.get_mut().write_all(b"\xf3\x01x");
                let _ = self.ws.get_mut().flush();
            }
        }
        true
    }
}
