//! Browser profiles, or copies of one, that write in each other's place: what the sinks of the
//! hosts that run say of it.

use super::Check;
use crate::{
    config::Config,
    journal::{
        JournalError,
        read::{Reader, journals},
        side_files::file_lock,
    },
    sinks::{self, runner},
};

pub(super) fn examine(config: &Config) -> Vec<Check> {
    // The checks of the journals and their directory report this problem.
    let paths = journals(&config.journal.directory).unwrap_or_default();
    let running = paths.iter().filter(|path| file_lock::is_held(path));
    running
        .filter_map(|path| Reader::open(path).and_then(|reader| of_profile(&reader)).ok())
        .flatten()
        .collect()
}

fn of_profile(reader: &Reader) -> Result<Vec<Check>, JournalError> {
    let (profile, browser) = reader.author()?;
    let mut checks = Vec::new();
    for sink in reader.sinks()? {
        let area = if sink.name == sinks::REDIS {
            sinks::REDIS
        } else {
            sinks::MEMCACHED
        };
        if let (true, true, Some(error)) = (sink.enabled, runner::is_about_others(&sink.state), sink.error) {
            let message = format!("{browser}, profile {profile}: {error}");
            let fix = sink.fix.unwrap_or_default();
            checks.push(if sink.state == runner::NOT_OWNER {
                Check::note(area, message, fix)
            } else {
                Check::problem(area, message, fix)
            });
        }
    }
    Ok(checks)
}
