//! What stands between a connection and its first command, under names that do not change, with
//! fixes.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
};

/// What a server answers to a command without the login that it wants.
const UNAUTHENTICATED: &str = "CLIENT_ERROR unauthenticated";

/// Why a server cannot be spoken to although it may be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Obstacle {
    /// The server's certificate is not what it should be.
    #[error("it cannot be trusted: {0}")]
    NotTrusted(String),
    /// The file of authorities is of no use.
    #[error("memcached.ca_file {path}: {problem}", path = path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// What the server says is not TLS, or it hangs up.
    #[error("it does not answer in TLS")]
    NoTls,
    /// The server is silent, which one without TLS is that waits for the end of a line.
    #[error("it did not answer the TLS handshake in time")]
    SilentHandshake,
    /// The server ends the handshake.
    #[error("it refused the TLS connection: {0}")]
    RefusedTls(String),
    /// The server wants user and password.
    #[error("it wants user and password")]
    LoginWanted,
    /// The server does not know user and password.
    #[error("it does not accept user and password")]
    WrongLogin,
    /// The server hangs up at the first command.
    #[error("it closed the connection at the first command")]
    Closed,
    /// The server knows the classic commands and no meta commands.
    #[error("it answers no meta commands: a proxy, or Memcached older than 1.6?")]
    NoMeta,
    /// The socket cannot be opened.
    #[error("the socket cannot be opened: {1}")]
    Socket(ErrorKind, String),
}

impl Obstacle {
    /// What an error is about, if it is one of these.
    pub(super) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// What the answer to the first command, a meta no-op, says.
    pub(super) fn in_answer(line: &str) -> Option<Self> {
        match line {
            "MN" => None,
            UNAUTHENTICATED => Some(Self::LoginWanted),
            _ => Some(Self::NoMeta),
        }
    }

    /// What a failed handshake means.
    pub(super) fn in_handshake(error: io::Error) -> io::Error {
        let obstacle = match tls_error(&error) {
            Some(rustls::Error::AlertReceived(alert)) => Self::RefusedTls(format!("{alert:?}")),
            Some(error @ rustls::Error::InvalidCertificate(_)) => Self::NotTrusted(error.to_string()),
            Some(_) => Self::NoTls,
            None => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::SilentHandshake,
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Self::NoTls,
                _ => return error,
            },
        };
        obstacle.into()
    }

    /// What a failure of the first command means: a server that hangs up then has another language
    /// in mind.
    pub(super) fn at_first(error: io::Error) -> io::Error {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset if Self::of(&error).is_none() => {
                Self::Closed.into()
            }
            _ => error,
        }
    }

    /// A failure later on in plain words: sockets tell a time-out as "would block", and TLS tells
    /// only now that the server wants a certificate of ours.
    pub(super) fn named(error: io::Error) -> io::Error {
        if error.kind() == ErrorKind::WouldBlock {
            return io::Error::new(ErrorKind::TimedOut, "it did not answer in time");
        }
        match tls_error(&error) {
            Some(rustls::Error::AlertReceived(alert)) => Self::RefusedTls(format!("{alert:?}")).into(),
            _ => error,
        }
    }

    /// One word that never changes its meaning.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::NotTrusted(_) | Self::CaFile { .. } => "not_trusted",
            Self::NoTls | Self::RefusedTls(_) => "no_tls",
            Self::SilentHandshake => "slow",
            Self::LoginWanted | Self::WrongLogin => "not_authenticated",
            Self::NoMeta => "refused",
            Self::Closed | Self::Socket(..) => "unreachable",
        }
    }

    /// What to do about it.
    pub(super) fn fix(&self) -> &'static str {
        match self {
            Self::NotTrusted(_) => {
                "Name the PEM file with the server's CA in memcached.ca_file, and the server by the name in its certificate; nothing is lost meanwhile."
            }
            Self::CaFile { .. } => {
                "Correct memcached.ca_file: a PEM file with the server's CA; nothing is lost meanwhile."
            }
            Self::NoTls => {
                "Start the server with TLS (-Z), or remove tls:// from its address in memcached.servers; nothing is lost meanwhile."
            }
            Self::SilentHandshake => {
                "See whether the server speaks TLS (-Z); if not, remove tls:// from its address. If it does, see why it is slow; nothing is lost meanwhile."
            }
            Self::RefusedTls(_) => {
                "See the server's TLS options: idb-relay has no client certificate (ssl_verify_mode=0) and speaks TLS 1.2 and 1.3; nothing is lost meanwhile."
            }
            Self::LoginWanted => {
                "Set memcached.user and memcached.password as in the server's file (-Y); nothing is lost meanwhile."
            }
            Self::WrongLogin => {
                "Correct memcached.user and memcached.password; the server's file (-Y) has the right ones; nothing is lost meanwhile."
            }
            Self::Closed => {
                "If the server has TLS (-Z), write tls:// before its address; if it has SASL (-S), use -Y instead: meta commands have no SASL; nothing is lost meanwhile."
            }
            Self::NoMeta => {
                "Name the servers themselves in memcached.servers, not a proxy such as twemproxy, and update Memcached to 1.6 or newer; nothing is lost meanwhile."
            }
            Self::Socket(ErrorKind::PermissionDenied, _) => {
                "Let this user open the socket: start the server as this user, or with -a 0770 and a group of both; nothing is lost meanwhile."
            }
            Self::Socket(..) => {
                "Start the server with this socket (-s), or correct memcached.servers; nothing is lost meanwhile."
            }
        }
    }
}

impl From<Obstacle> for io::Error {
    fn from(obstacle: Obstacle) -> Self {
        let kind = match &obstacle {
            Obstacle::SilentHandshake => ErrorKind::TimedOut,
            Obstacle::Closed => ErrorKind::UnexpectedEof,
            Obstacle::Socket(kind, _) => *kind,
            _ => ErrorKind::PermissionDenied,
        };
        Self::new(kind, obstacle)
    }
}

/// What TLS says of an error.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner
        .downcast_ref()
        .or_else(|| inner.source().and_then(|source| source.downcast_ref()))
}
