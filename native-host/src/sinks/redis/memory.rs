//! How much memory a server has left for a stream.
//!
//! A stream grows with what pages write, and nothing but its readers' pace says when it may be cut.
//! A server without `maxmemory`, which is Redis's default, would take all of its machine's memory.
//! So the stream is not added to past a bound; the journal keeps the events, and past its own bound
//! tells readers by gap events what is missing.

use redis::{Connection, ErrorKind, RedisError};

use super::StepError;
use crate::{config, journal::progress::condition::Problem};

/// The state of a sink whose server has no room for more.
pub(super) const FULL: &str = "server_full";

/// How much of its machine's memory a server may use that has no bound: one part of so many.
const SHARE: u64 = 2;

/// What a server says of its memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    used: u64,
    /// `maxmemory`; 0: no bound.
    max: u64,
    /// Of the machine.
    system: u64,
}

impl Memory {
    /// Asks a server; `None` if it does not say.
    pub fn of(connection: &mut Connection) -> Result<Option<Self>, RedisError> {
        let info = redis::cmd("INFO").arg("memory").query::<String>(connection);
        match info {
            Ok(info) => Ok(Self::read(&info)),
            // It may not be asked, or is none that knows the question.
            Err(error) if matches!(error.kind(), ErrorKind::Server(_)) || error.code().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(info: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = info.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
        };
        Some(Self {
            used: field("used_memory")?,
            max: field("maxmemory").unwrap_or(0),
            system: field("total_system_memory").unwrap_or(0),
        })
    }

    /// How much the server may use before the stream is not added to any more; `None`: as much as
    /// it takes.
    pub fn bound(self, config: &config::Redis) -> Option<u64> {
        let default = Some(self.system / SHARE).filter(|_| self.max == 0);
        config.max_memory.or(default).filter(|bound| *bound > 0)
    }

    /// What is wrong if the server uses as much.
    pub(super) fn problem(self, config: &config::Redis, address: &str) -> Option<StepError> {
        let bound = self.bound(config).filter(|bound| self.used >= *bound)?;
        Some(StepError {
            reached: None,
            state: FULL,
            trouble: Problem {
                message: format!(
                    "redis at {address} uses {} MiB of memory; past {} MiB the stream is not added to",
                    self.used >> 20,
                    bound >> 20
                ),
                fix: "Cut the stream (XTRIM) or set redis.max_stream_length; or give the server more: its maxmemory, or redis.max_memory_mib. \
                       The journal keeps the events meanwhile."
                    .to_owned(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(windows, ignore = "it has paths of Unix")]
    fn the_bound_is_the_servers_own_or_half_of_its_machine() {
        let config = |text: &str| {
            let file = std::path::Path::new("config.toml");
            let text = format!("[journal]\ndirectory = \"/j\"\n[redis]\n{text}");
            config::Config::parse(&text, file)
                .expect("read")
                .redis
                .expect("on")
        };
        let info = |max| {
            format!(
                "# Memory\r\nused_memory:70\r\nused_memory_rss:9\r\ntotal_system_memory:100\r\nmaxmemory:{max}\r\n"
            )
        };
        let bound = |text, max| Memory::read(&info(max)).expect("read").bound(&config(text));
        assert_eq!(bound("", 0), Some(50));
        assert_eq!(bound("", 80), None);
        assert_eq!(bound("max_memory_mib = 0", 0), None);
        assert_eq!(bound("max_memory_mib = 3", 80), Some(3 << 20));
        assert_eq!(Memory::read("nothing"), None);
        let memory = Memory::read(&info(0)).expect("read");
        assert!(
            memory
                .problem(&config(""), "a")
                .is_some_and(|error| error.state == FULL)
        );
        assert!(memory.problem(&config("max_memory_mib = 1"), "a").is_none());
    }
}
