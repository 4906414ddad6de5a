//! Whether the servers are still those that were filled.
//!
//! A server that was restarted is empty, and the client does not tell: it replaces a dead connection without a word. So to each
//! server one connection is held that carries nothing; its end is the end of what the server remembered.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

/// A held connection to each server.
pub(super) struct Presence {
    held: Vec<TcpStream>,
}

impl Presence {
    /// Connects to all servers, and waits for a word of each: the system accepts connections to a server that stands still, too.
    pub(super) fn of(servers: &[String], timeout: Duration) -> io::Result<Self> {
        let held = servers
            .iter()
            .map(|server| {
                let mut stream = connect(server, timeout)?;
                greet(&mut stream, timeout)?;
                stream.set_nonblocking(true)?;
                Ok(stream)
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { held })
    }

    /// Whether all of them have been there without a break.
    pub(super) fn is_unbroken(&mut self) -> bool {
        self.held.iter_mut().all(|stream| {
            // Nobody asks anything on it: all that can come is its end.
            matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
        })
    }
}

/// Asks for nothing (the meta no-op) and has the answer.
fn greet(stream: &mut TcpStream, timeout: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(b"mn\r\n")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    if answer == *b"MN\r\n" {
        Ok(())
    } else {
        let reason = "it does not speak Memcached's meta protocol";
        Err(io::Error::new(ErrorKind::InvalidData, reason))
    }
}

pub(super) fn connect(server: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_end_of_a_connection_breaks_it() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let server = listener.local_addr().expect("an address").to_string();
        let accepting = std::thread::spawn(move || {
            let (mut accepted, _) = listener.accept().expect("it");
            accepted.write_all(b"MN\r\n").expect("an answer");
            accepted
        });
        let mut presence = Presence::of(&[server], Duration::from_secs(2)).expect("a connection");
        let accepted = accepting.join().expect("a connection");
        assert!(presence.is_unbroken());
        drop(accepted);
        let start = std::time::Instant::now();
        while presence.is_unbroken() {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "the end was not noticed"
            );
        }
    }
}
