//! The transport below Memcached's meta protocol: TCP, TLS, or a socket in the file system, with a
//! login if the server wants one.
//!
//! The `memcache` crate encodes commands and reads the headers of answers, but its connections are
//! plain TCP. This is the small extension that carries its protocol over the other transports.
//!
//! **Invariant:** the password is sent only after the server has asked for a login. A server
//! without authentication would store the credentials as an item that every client can read.

use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    net::{TcpStream, ToSocketAddrs as _},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(unix)]
use std::os::unix::net::UnixStream;

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

use super::obstacle::Obstacle;
use crate::config::endpoint::{self, Endpoint, Login, Transport};

/// The longest answer to a login.
const MAX_ANSWER: usize = 512;

/// A connection on which Memcached's commands can be sent.
pub(crate) struct Stream {
    kind: Kind,
    /// When a whole exchange has to be over; `None`: each read and write has its own time.
    deadline: Option<Instant>,
    /// The server wanted a login.
    asked: bool,
}

enum Kind {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    #[cfg(unix)]
    Socket(UnixStream),
}

impl Stream {
    /// Connects, shakes hands and logs in; each step may take this long.
    pub(crate) fn open(endpoint: &Endpoint, timeout: Duration) -> io::Result<Self> {
        let kind = match endpoint.transport() {
            Transport::Plain(address) => Kind::Plain(tcp(address, timeout)?),
            Transport::Tls(address) => {
                let socket = tcp(address, timeout)?;
                let host = endpoint::host(address);
                Kind::Tls(Box::new(shake_hands(socket, host, endpoint.ca_file.as_deref())?))
            }
            Transport::Socket(path) => socket(path)?,
        };
        let mut stream = Self {
            kind,
            deadline: None,
            asked: false,
        };
        stream.set_timeout(timeout)?;
        if let Some(login) = &endpoint.login {
            stream.log_in(login)?;
        }
        Ok(stream)
    }

    /// Whether the server asked for the login that it was given.
    pub(crate) fn asked_for_login(&self) -> bool {
        self.asked
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.kind, Kind::Tls(_))
    }

    /// How long each read and write may take from now on.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.deadline = None;
        self.arm(timeout)
    }

    /// How long each read may take from now on.
    pub(super) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match &self.kind {
            Kind::Plain(socket) => socket.set_read_timeout(Some(timeout)),
            Kind::Tls(stream) => stream.sock.set_read_timeout(Some(timeout)),
            #[cfg(unix)]
            Kind::Socket(socket) => socket.set_read_timeout(Some(timeout)),
        }
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match &self.kind {
            Kind::Plain(socket) => socket.set_write_timeout(Some(timeout)),
            Kind::Tls(stream) => stream.sock.set_write_timeout(Some(timeout)),
            #[cfg(unix)]
            Kind::Socket(socket) => socket.set_write_timeout(Some(timeout)),
        }
    }

    fn arm(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(timeout)?;
        self.set_write_timeout(timeout)
    }

    /// Everything from now on has to be over by then.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Gives the next read or write what is left of the time.
    fn arm_until_deadline(&self) -> io::Result<()> {
        let Some(deadline) = self.deadline else {
            return Ok(());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.arm(left)
    }

    /// Whether the server has not closed it, as far as is known without asking.
    pub(super) fn is_open(&mut self) -> bool {
        self.set_nonblocking(true).is_ok() && self.is_silent() && self.set_nonblocking(false).is_ok()
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match &self.kind {
            Kind::Plain(socket) => socket.set_nonblocking(nonblocking),
            Kind::Tls(stream) => stream.sock.set_nonblocking(nonblocking),
            #[cfg(unix)]
            Kind::Socket(socket) => socket.set_nonblocking(nonblocking),
        }
    }

    /// Whether there is nothing to read, not even an end. Between exchanges a server says nothing.
    fn is_silent(&mut self) -> bool {
        match &mut self.kind {
            Kind::Plain(socket) => would_block(socket.peek(&mut [0])),
            // Records that carry no data, such as new session tickets, may be there.
            Kind::Tls(stream) => loop {
                match stream.conn.read_tls(&mut stream.sock) {
                    Ok(0) => return false,
                    Ok(_) => match stream.conn.process_new_packets() {
                        Ok(state) if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
                        _ => return false,
                    },
                    Err(error) => return error.kind() == ErrorKind::WouldBlock,
                }
            },
            // The standard library cannot peek here. Nothing may be lost by reading: nothing is
            // expected.
            #[cfg(unix)]
            Kind::Socket(socket) => would_block(socket.read(&mut [0])),
        }
    }

    /// Asks whether a login is wanted, and gives it.
    fn log_in(&mut self, login: &Login) -> io::Result<()> {
        self.write_all(b"version\r\n")?;
        self.flush()?;
        if Obstacle::in_answer(&self.answer()?) != Some(Obstacle::LoginWanted) {
            return Ok(());
        }
        self.asked = true;
        let words = format!("{} {}", login.user, login.password);
        self.write_all(format!("set auth 0 0 {}\r\n{words}\r\n", words.len()).as_bytes())?;
        self.flush()?;
        match self.answer()?.as_str() {
            "STORED" => Ok(()),
            _ => Err(Obstacle::WrongLogin.into()),
        }
    }

    /// A line, byte by byte, so that nothing behind it is read.
    fn answer(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < MAX_ANSWER {
            match self.read(&mut byte) {
                Ok(0) => return Err(Obstacle::Closed.into()),
                Ok(_) if byte == *b"\n" => {
                    let line = line.strip_suffix(b"\r").unwrap_or(&line);
                    return Ok(String::from_utf8_lossy(line).into_owned());
                }
                Ok(_) => line.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Obstacle::at_first(Obstacle::named(error))),
            }
        }
        Err(Obstacle::Closed.into())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.arm_until_deadline()?;
        match &mut self.kind {
            Kind::Plain(socket) => socket.read(buffer),
            Kind::Tls(stream) => stream.read(buffer),
            #[cfg(unix)]
            Kind::Socket(socket) => socket.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.arm_until_deadline()?;
        match &mut self.kind {
            Kind::Plain(socket) => socket.write(bytes),
            Kind::Tls(stream) => stream.write(bytes),
            #[cfg(unix)]
            Kind::Socket(socket) => socket.write(bytes),
        }
    }

    /// TLS takes bytes before it has sent them; this sends what it took.
    fn flush(&mut self) -> io::Result<()> {
        self.arm_until_deadline()?;
        match &mut self.kind {
            Kind::Plain(socket) => socket.flush(),
            Kind::Tls(stream) => stream.flush(),
            #[cfg(unix)]
            Kind::Socket(socket) => socket.flush(),
        }
    }
}

fn would_block(result: io::Result<usize>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Connects by TCP; the name is looked up first.
fn tcp(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(unix)]
fn socket(path: &Path) -> io::Result<Kind> {
    match UnixStream::connect(path) {
        Ok(socket) => Ok(Kind::Socket(socket)),
        Err(error) => Err(Obstacle::Socket(error.kind(), error.to_string()).into()),
    }
}

/// The configuration refuses such an address here; this is for the compiler.
#[cfg(not(unix))]
fn socket(_path: &Path) -> io::Result<Kind> {
    Err(Obstacle::Socket(ErrorKind::Unsupported, "this system has none".to_owned()).into())
}

/// Makes a connection secret, and sure of whose it is.
fn shake_hands(
    mut socket: TcpStream,
    host: &str,
    ca_file: Option<&Path>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| Obstacle::NotTrusted(format!("{host:?} is no name for a certificate: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(authorities(ca_file)?)
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection
            .complete_io(&mut socket)
            .map_err(Obstacle::in_handshake)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// The authorities that may vouch for a server: those of a file, else the system's.
fn authorities(ca_file: Option<&Path>) -> io::Result<RootCertStore> {
    let mut authorities = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let unusable = |problem: String| Obstacle::CaFile {
                path: path.to_owned(),
                problem,
            };
            let text = fs::read(path).map_err(|error| unusable(error.to_string()))?;
            for certificate in CertificateDer::pem_slice_iter(&text) {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                authorities
                    .add(certificate)
                    .map_err(|error| unusable(error.to_string()))?;
            }
            if authorities.is_empty() {
                return Err(unusable("it has no certificate in PEM form".to_owned()).into());
            }
        }
        // Certificates of the system that cannot be read vouch for no server.
        None => drop(authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(authorities)
}
