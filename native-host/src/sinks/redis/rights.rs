//! What a Redis user must be allowed, and whether this one is.

use redis::{Cmd, Connection, IntoConnectionInfo as _, RedisError, Value};

use super::{cursor_key, problem::NOT_PERMITTED, sign};
use crate::config;

/// What the host needs, and the commands beside it; `+multi` and `+discard` are for the doctor,
/// which asks without doing anything.
const COMMANDS: &str = "+eval +evalsha +script +get +set +xadd +xdel +xrevrange +publish +ping +info +type +mget +scan +xinfo +multi +discard";

/// The one line that allows the user of the configuration what the host needs, and the commands
/// beside it.
pub fn grant(config: &config::Redis) -> String {
    let info = config.url.as_str().into_connection_info().ok();
    let settings = info.as_ref().map(redis::ConnectionInfo::redis_settings);
    let user = settings
        .and_then(|settings| settings.username())
        .unwrap_or("default");
    let stream = config.stream.as_deref();
    // All keys beside the stream begin with this.
    let prefix = cursor_key(stream, "");
    let prefix = prefix.strip_suffix("cursor:").unwrap_or(&prefix);
    let mut words = vec!["ACL SETUSER".to_owned(), user.to_owned(), "resetkeys".to_owned()];
    words.extend(stream.map(|stream| format!("~{}", protocol::name::literally(stream))));
    words.push(format!("~{}*", protocol::name::literally(prefix)));
    words.push("resetchannels".to_owned());
    words.push(format!("&{}", config.channel.pattern()));
    words.push(COMMANDS.to_owned());
    if settings.is_some_and(|settings| settings.db() != 0) {
        words.push("+select".to_owned());
    }
    words.join(" ")
}

/// How the fix of a refusal ends.
pub(super) fn fix(config: &config::Redis) -> String {
    format!(
        "In one line, for the host and the commands beside it: `{}`. It takes away what the user was allowed of other keys and channels.",
        grant(config)
    )
}

/// The first refusal of something that the sink needs, if there is one. Commands in a transaction
/// are checked when they are queued, and this one is discarded.
pub fn refusal(connection: &mut Connection, config: &config::Redis) -> Result<Option<String>, RedisError> {
    let cursor = cursor_key(config.stream.as_deref(), "doctor");
    let mut commands: Vec<Cmd> = Vec::new();
    let mut need = |words: &[&str]| {
        let mut command = redis::cmd(words.first().copied().unwrap_or_default());
        for word in words.iter().skip(1) {
            command.arg(*word);
        }
        commands.push(command);
    };
    need(&["SCRIPT", "LOAD", "return 1"]);
    need(&["EVAL", "return 1", "1", &cursor]);
    need(&[
        "EVALSHA",
        "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
        "1",
        &cursor,
    ]);
    for key in [&cursor, &format!("{cursor}:host"), &sign::key(&cursor)] {
        need(&["GET", key]);
        need(&["SET", key, "", "PX", "1"]);
    }
    if let Some(stream) = &config.stream {
        need(&["XADD", stream, "*", "event", ""]);
        need(&["XDEL", stream, "0-1"]);
        need(&["XREVRANGE", stream, "+", "-", "COUNT", "1"]);
    }
    let names = protocol::name::Names {
        origin: "http://localhost",
        bucket: "",
        database: "doctor",
        store: "doctor",
    };
    need(&["PUBLISH", &config.channel.store_name(names), ""]);
    match redis::cmd("MULTI").exec(connection) {
        Ok(()) => {}
        Err(error) if error.code() == Some(NOT_PERMITTED) => {
            // Without a transaction only what changes nothing can be asked for.
            commands.retain(is_harmless);
            return Ok(first_refusal(connection, &commands));
        }
        Err(error) => return Err(error),
    }
    let refused = first_refusal(connection, &commands);
    // After a refusal the server has given it up already if it says so here.
    let _given_up = redis::cmd("DISCARD").exec(connection);
    Ok(refused)
}

/// Whether a command of the doctor changes nothing that lasts.
fn is_harmless(command: &Cmd) -> bool {
    let first = match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => name.to_vec(),
        _ => return false,
    };
    ["EVAL", "GET", "SET", "XREVRANGE"]
        .iter()
        .any(|name| first == name.as_bytes())
}

fn first_refusal(connection: &mut Connection, commands: &[Cmd]) -> Option<String> {
    commands.iter().find_map(|command| {
        let answer: Result<Value, RedisError> = command.query(connection);
        let error = answer.err().filter(|error| error.code() == Some(NOT_PERMITTED))?;
        Some(error.detail().unwrap_or_default().to_owned())
    })
}
