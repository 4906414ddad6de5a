//! What a Redis server refuses, under names that do not change, with fixes.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::{journal::progress::condition::Problem, sinks::runner::StepError};

/// The first word of a refusal for want of a right.
pub(super) const NOT_PERMITTED: &str = "NOPERM";

/// The first word of a server's refusal, our name for it, and the fix.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "LOADING",
        "loading",
        "Nothing to do: the server is reading its data and will answer soon.",
    ),
    (
        "MASTERDOWN",
        "loading",
        "Nothing to do: the server waits for its own master.",
    ),
    // Our script's own.
    (
        "BEHIND",
        "set_back",
        "Nothing to do: what the server has lost is passed on again.",
    ),
    (
        "DISPLACED",
        "displaced",
        "Nothing to do: whether that host still runs is looked up now.",
    ),
    (
        "BUSY",
        "busy",
        "Another script keeps the server busy; end it with SCRIPT KILL if it never ends.",
    ),
    (
        "READONLY",
        "read_only",
        "Name the master in redis.url: this server is a replica.",
    ),
    (
        "OOM",
        "out_of_memory",
        "Raise the server's maxmemory, or set redis.max_stream_length so that the stream stays small.",
    ),
    (
        "MISCONF",
        "not_saving",
        "The server cannot save to its disk and takes no writes; see its log.",
    ),
    (
        "NOAUTH",
        "not_authenticated",
        "Put the password into redis.url: redis://:password@host:port.",
    ),
    (
        "WRONGPASS",
        "not_authenticated",
        "Correct user and password in redis.url.",
    ),
    (
        NOT_PERMITTED,
        "not_permitted",
        "Allow the user, for the host: +eval +evalsha +script +get +set +xadd +xdel +xrevrange +publish on the stream, the keys whose names begin with it in braces, and the channels; for `idb-relay apply`: +eval +evalsha +script +get +mget +set +del +incr +pexpire +scan +xgroup +xreadgroup +xautoclaim +xack +xinfo +xread +xrange +xrevrange +psubscribe on the stream, the keys whose names begin with it in braces, and the channels; beside the host, for `idb-relay doctor`, `status` and `verify`: +ping +info +type +get +mget +scan +xinfo on the stream and these keys; for all of them +select, if redis.url names a database.",
    ),
    (
        "WRONGTYPE",
        "wrong_type",
        "A key of another kind has the stream's or the cursor's name: delete it, or name another stream in redis.stream.",
    ),
    (
        "NOGROUP",
        "no_group",
        "Nothing to do: the consumer group is gone and is made again; what is in Memcached already is not applied again.",
    ),
    (
        "NOSCRIPT",
        "no_script",
        "Nothing to do: the script is loaded again.",
    ),
    (
        "MOVED",
        "cluster",
        "This version speaks to single servers only: name one that is no cluster in redis.url.",
    ),
    (
        "CROSSSLOT",
        "cluster",
        "This version speaks to single servers only: name one that is no cluster in redis.url.",
    ),
    (
        "CLUSTERDOWN",
        "cluster",
        "This version speaks to single servers only: name one that is no cluster in redis.url.",
    ),
];

/// For an error of the client or of a whole call.
pub(super) fn of_error(error: &RedisError, address: &str) -> StepError {
    let code = match error.kind() {
        ErrorKind::Server(kind) => match kind {
            ServerErrorKind::BusyLoading => Some("LOADING"),
            ServerErrorKind::MasterDown => Some("MASTERDOWN"),
            ServerErrorKind::ReadOnly => Some("READONLY"),
            ServerErrorKind::NoPerm => Some("NOPERM"),
            ServerErrorKind::NoScript => Some("NOSCRIPT"),
            ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot => Some("MOVED"),
            ServerErrorKind::ClusterDown => Some("CLUSTERDOWN"),
            _ => error.code(),
        },
        ErrorKind::AuthenticationFailed => Some("WRONGPASS"),
        _ => error.code(),
    };
    if let Some(refusal) = code.and_then(|code| refusal(code, error.detail().unwrap_or(code), address)) {
        return refusal;
    }
    if error.is_timeout() {
        return problem(
            "slow",
            format!("redis at {address} did not answer in time"),
            "See why the server is slow (redis-cli --latency); nothing is lost meanwhile.",
        );
    }
    let text = error.to_string();
    if error.kind() == ErrorKind::InvalidClientConfig || text.contains("certificate") {
        return problem(
            "not_trusted",
            format!("redis at {address} cannot be trusted: {text}"),
            "Name a file (PEM) with the certificate of who vouches for the server in redis.ca_file, and the server by the name \
             that stands in its own certificate in redis.url; nothing is lost meanwhile.",
        );
    }
    if error.is_io_error() {
        return problem(
            "unreachable",
            format!("redis at {address} cannot be reached: {error}"),
            "Start the server, or correct redis.url; nothing is lost meanwhile.",
        );
    }
    problem(
        "refused",
        format!("redis at {address} refused: {error}"),
        "See the server's log; nothing is lost meanwhile.",
    )
}

/// For what a single call within the script was refused with.
pub(super) fn of_text(text: &str, address: &str, reached: Option<u64>) -> StepError {
    let code = match text.split_whitespace().next().unwrap_or_default() {
        // Within a script the server gives this refusal another first word (7.0, 7.2).
        _ if text.contains("The user executing the script can't") => NOT_PERMITTED,
        _ if text.contains("ACL failure in script") => NOT_PERMITTED,
        code => code,
    };
    let error = refusal(code, text, address).unwrap_or_else(|| {
        problem(
            "refused",
            format!("redis at {address} refused: {text}"),
            "See the server's log; nothing is lost meanwhile.",
        )
    });
    StepError {
        // 0: the cursor itself could not be read.
        reached: reached.filter(|reached| *reached > 0),
        ..error
    }
}

/// For an answer that no Redis gives.
pub(super) fn not_redis(what: &str, address: &str) -> StepError {
    problem(
        "refused",
        format!("redis at {address} answers what no Redis does: {what}"),
        "Is it Redis? Correct redis.url; nothing is lost meanwhile.",
    )
}

fn refusal(code: &str, text: &str, address: &str) -> Option<StepError> {
    let (_, state, fix) = REFUSALS.iter().find(|(known, ..)| *known == code)?;
    let text = text.strip_prefix(code).unwrap_or(text).trim_start();
    Some(problem(
        state,
        format!("redis at {address} refused: {code} {text}"),
        fix,
    ))
}

fn problem(state: &'static str, error: String, fix: &str) -> StepError {
    StepError {
        reached: None,
        state,
        trouble: Problem {
            message: error,
            fix: fix.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_names_and_fixes() {
        let error = of_text(
            "OOM command not allowed when used memory > 'maxmemory'.",
            "127.0.0.1:1",
            Some(7),
        );
        assert_eq!((error.state, error.reached), ("out_of_memory", Some(7)));
        assert!(error.trouble.fix.contains("maxmemory"));
        assert_eq!(of_text("WRONGTYPE Operation against", "a", Some(0)).reached, None);
        assert_eq!(of_text("ERR something new", "a", None).state, "refused");
        for text in [
            "ERR ACL failure in script: User relay has no permissions to run the 'xadd' command",
            "ERR The user executing the script can't run this command or subcommand",
        ] {
            assert_eq!(of_text(text, "a", None).state, "not_permitted");
        }
    }
}
