//! One record, in the mirror and in Memcached.

use protocol::{
    key::Key,
    wire::{
        host::HostError,
        inspector::{Address, Problem, Record},
    },
};

use super::{cut, failed};
use crate::{
    config::{self, Config},
    failure::Failure as _,
    journal::read::{Place, Reader},
    memcached,
    sinks::memcached::{owner, value_of},
};

pub(super) fn record(config: &Config, reader: &Reader, address: &Address) -> Result<Record, HostError> {
    let key = Key::parse(&address.key)
        .map_err(|error| failed(error.to_string(), "Ask with the key of an event."))?;
    let place = Place {
        origin: address.origin.clone(),
        bucket: address.bucket.clone(),
        database: address.database.clone(),
        store: address.store.clone(),
    };
    let mirror = match reader.store_of(&place).map_err(|error| error.to_message())? {
        Some(store) => reader.record(store, &key).map_err(|error| error.to_message())?,
        None => None,
    };
    let mut record = Record {
        mirror: None,
        memcached_key: String::new(),
        wanted: None,
        found: None,
        same: None,
        trouble: None,
    };
    if let Some(config) = config.fed_memcached() {
        let (profile, _) = reader.author().map_err(|error| error.to_message())?;
        ask_memcached(
            &config.of_profile(&profile),
            &profile,
            &place,
            &key,
            mirror.as_deref(),
            &mut record,
        );
    }
    record.mirror = mirror.and_then(cut::value);
    Ok(record)
}

fn ask_memcached(
    config: &config::Memcached,
    profile: &str,
    place: &Place,
    key: &Key,
    mirror: Option<&str>,
    record: &mut Record,
) {
    record.memcached_key = config.key.record_name(place.names(), &key.to_string());
    // A value that has no form for the cache is to have no item there.
    let most = memcached::most_bytes(&record.memcached_key, None);
    let wanted = mirror.and_then(|typed| value_of(config.value, typed, most).ok());
    record.wanted = wanted.as_deref().map(cut::text);
    let owner = owner::owners(config, &[&place.origin]).map(|mut owners| owners.pop().flatten());
    if let Ok(Some(owner)) = owner
        && owner.profile != profile
    {
        record.trouble = Some(Problem {
            message: format!("the keys of {} are owned by {owner}", place.origin),
            fix: owner::fix(&place.origin, profile),
        });
        return;
    }
    match memcached::lookup(config, &record.memcached_key) {
        Ok(found) => {
            record.same = Some(found.as_deref() == wanted.as_deref().map(str::as_bytes));
            record.found = found.map(|bytes| cut::text(&String::from_utf8_lossy(&bytes)));
        }
        Err(trouble) => {
            record.trouble = Some(Problem {
                message: trouble.message,
                fix: trouble.fix,
            });
        }
    }
}
