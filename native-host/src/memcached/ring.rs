//! Consistent hashing as libmemcached's weighted ketama does it, so that this host and an
//! application's clients look for a key on the same server.
//!
//! Each server has 160 points on a ring of 32-bit numbers: four from each of the 40 MD5 digests of
//! `host-N` (on the default port), `host:port-N`, or `path:0-N` (a local socket). TLS changes no
//! name. A key belongs to the server of the first point at or after the first four bytes of its own
//! MD5 digest.

use std::borrow::Cow;

use md5::{Digest as _, Md5};

use crate::config::endpoint::Transport;

const DIGESTS: u32 = 40;
const DEFAULT_PORT: &str = ":11211";

/// The ring of a list of servers, all of weight 1.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Sorted by point; equal points by server.
    points: Vec<(u32, usize)>,
}

impl Ring {
    /// The ring of these servers, as the configuration names them.
    pub fn new(servers: &[String]) -> Self {
        let mut points = Vec::with_capacity(servers.len() * DIGESTS as usize * 4);
        for (index, server) in servers.iter().enumerate() {
            let name = name(server);
            for number in 0..DIGESTS {
                let digest = Md5::digest(format!("{name}-{number}"));
                let (quarters, _) = digest.as_chunks::<4>();
                points.extend(
                    quarters
                        .iter()
                        .map(|quarter| (u32::from_le_bytes(*quarter), index)),
                );
            }
        }
        points.sort_unstable();
        Self { points }
    }

    /// The index of the server that a key belongs to.
    pub fn server(&self, key: &[u8]) -> usize {
        let digest = Md5::digest(key);
        let (quarters, _) = digest.as_chunks::<4>();
        let point = quarters.first().map_or(0, |quarter| u32::from_le_bytes(*quarter));
        let next = self.points.partition_point(|(other, _)| *other < point);
        // Past the last point the ring starts again.
        self.points
            .get(next)
            .or_else(|| self.points.first())
            .map_or(0, |(_, server)| *server)
    }
}

/// What libmemcached calls a server on the ring.
fn name(server: &str) -> Cow<'_, str> {
    match Transport::of(server) {
        Transport::Plain(address) | Transport::Tls(address) => {
            address.strip_suffix(DEFAULT_PORT).unwrap_or(address).into()
        }
        Transport::Socket(path) => format!("{}:0", path.display()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hashlib from libmemcached's definition (`ketama_server_hash`,
    /// `update_continuum` and `dispatch_host`), for the three servers below.
    #[test]
    fn keys_go_where_libmemcached_sends_them() {
        let ketama = Ring::new(&["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11212"].map(str::to_owned));
        assert_eq!(ketama.points.len(), 480);
        assert_eq!(ketama.points.first(), Some(&(3_706_987, 2)));
        assert_eq!(ketama.points.last(), Some(&(4_279_332_826, 1)));
        for (key, server) in [
            ("alice", 0),
            ("bob", 2),
            ("carol", 2),
            ("dave", 0),
            ("erin", 0),
            ("frank", 2),
            ("idb:http%3A//localhost%3A8080:shop:orders:42", 0),
        ] {
            assert_eq!(ketama.server(key.as_bytes()), server, "{key}");
        }
        let secret =
            Ring::new(&["tls://10.0.0.1:11211", "10.0.0.2:11211", "tls://10.0.0.3:11212"].map(str::to_owned));
        assert_eq!(secret.points, ketama.points);
        let mut counts = [0; 3];
        for number in 0..10_000 {
            counts[ketama.server(format!("key{number}").as_bytes())] += 1;
        }
        assert_eq!(counts, [3341, 3183, 3476]);
    }
}
