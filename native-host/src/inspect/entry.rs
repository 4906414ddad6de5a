//! An event's entry in the Redis stream.

use protocol::wire::host::{ErrorCode, HostError};

use crate::{
    config::Config,
    failure::Failure as _,
    journal::read::Reader,
    sinks::{self, redis},
};

/// The id of the entry of this event, if it has passed and the stream still has it.
pub(super) fn entry(config: &Config, reader: &Reader, number: u64) -> Result<Option<String>, HostError> {
    let Some((redis, stream)) = config
        .redis
        .as_ref()
        .and_then(|redis| Some((redis, redis.stream.as_deref()?)))
    else {
        return Ok(None);
    };
    // No event has a number that SQLite's integers do not hold.
    if i64::try_from(number).is_err() {
        return Ok(None);
    }
    let before = number.saturating_sub(1);
    let passages = reader
        .passages(sinks::REDIS, before, number)
        .map_err(|error| error.to_message())?;
    // The passage that covers it, which ends at it or behind it.
    let Some((_, passed_at)) = passages.last().filter(|(last, _)| *last >= number) else {
        return Ok(None);
    };
    let (profile, _) = reader.author().map_err(|error| error.to_message())?;
    redis::entry(redis, stream, &profile, number, *passed_at).map_err(|trouble| HostError {
        code: ErrorCode::QuestionFailed,
        message: trouble.message,
        fix: trouble.fix,
        context: None,
        sequence: None,
    })
}
