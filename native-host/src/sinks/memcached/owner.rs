//! Who may write the keys of an origin: two items on the servers themselves, so that all hosts that
//! share them see the same.
//!
//! - The *owner* of an origin, `idb-relay-owner:<key template with the origin in it>`: the one
//!   profile that writes the origin's keys.
//! - A host that *runs*, `idb-relay-run:<profile>`: the token ([`tokens`](crate::journal::tokens))
//!   of the host that writes for a profile. It ends by itself soon after the host has.
//!
//! Each is on the server of its own name, as every item.

use std::collections::{BTreeMap, btree_map::Entry};

use memcache::exp::{
    Error, GetOptions, MetaCommandResult, ReturnCode, SetMode, SetOptions, build_get, build_set,
};
use protocol::{
    name::Template,
    shown::{shell_word, shown},
};
use serde::{Deserialize, Serialize};

use crate::{
    config,
    journal::progress::condition::Problem,
    memcached::{Client, problem_of},
    time::now_ms,
    timing::memcached::SIGN_LASTS_SECONDS,
};

/// The longest id of a profile.
const MAX_PROFILE: usize = 64;

/// The longest name of a browser. An item with a longer one is none of a host, and may not fit into
/// the server once it is changed.
pub(crate) const MAX_BROWSER: usize = 256;

/// The profile that writes the keys of an origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// The browser profile's id.
    pub profile: String,
    /// Its browser, such as `chromium/156`.
    pub browser: String,
    /// Since when, in milliseconds.
    pub since: i64,
    /// Others may have written these keys: the owner has yet to write all of its records, and to
    /// delete what is not its own.
    #[serde(default)]
    pub unsettled: bool,
}

impl Owner {
    /// Reads an item. Every client of the server may have written it, and names of keys are made of
    /// the profile.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text)
            .ok()
            .filter(|owner: &Self| is_profile(&owner.profile) && owner.browser.len() <= MAX_BROWSER)
    }

    /// The text that it is stored as.
    pub(crate) fn text(&self) -> String {
        // Texts and numbers: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// For a person.
impl std::fmt::Display for Owner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { profile, browser, .. } = self;
        write!(formatter, "profile {profile} ({})", shown(browser))
    }
}

/// Whether this is a profile's id.
pub(crate) fn is_profile(profile: &str) -> bool {
    (1..=MAX_PROFILE).contains(&profile.len())
        && profile
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The name of an origin's owner; the template is that of a profile.
pub(crate) fn owner_name(key: &Template, origin: &str) -> String {
    key.origin_name("idb-relay-owner:", origin)
}

/// The name of a profile's host that runs.
pub(crate) fn run_name(profile: &str) -> String {
    format!("idb-relay-run:{profile}")
}

/// Whether an item under that name can be the sign of a host, by how many seconds it has left (-1:
/// it does not expire). A host's sign ends soon after the host; what stays longer, another client
/// has put there, and it would never stop counting.
pub(crate) fn is_sign_of_host(ttl: Option<i64>) -> bool {
    // By a second more, for servers count whole ones. One that does not tell is believed.
    ttl.is_none_or(|ttl| (0..=i64::from(SIGN_LASTS_SECONDS) + 1).contains(&ttl))
}

/// What to do where another profile owns an origin.
pub(crate) fn fix(origin: &str, profile: &str) -> String {
    // Both may come from a stream that others write to, and the command is made to be copied.
    let (origin, profile) = (shell_word(origin), shell_word(profile));
    format!(
        "Nothing to do if that profile is to own them. To let this one own them: `idb-relay own --origin {origin} --profile {profile}`. To let each profile \
         have keys of its own: put {{profile}} into memcached.key."
    )
}

/// The owners of these origins, on one connection to each server.
pub(crate) fn owners(config: &config::Memcached, origins: &[&str]) -> Result<Vec<Option<Owner>>, Problem> {
    let mut clients: BTreeMap<usize, Client> = BTreeMap::new();
    let owner_of = |origin: &&str| -> Result<Option<Owner>, Error> {
        let name = owner_name(&config.key, origin);
        let client = match clients.entry(Client::home(config, &name)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Client::of_name(config, &name)?),
        };
        let found = find(client, &name)?;
        Ok(found.value.as_deref().and_then(Owner::parse))
    };
    let owners: Result<Vec<Option<Owner>>, Error> = origins.iter().map(owner_of).collect();
    owners.map_err(|error| problem_of(&error, &config.servers))
}

/// Makes a profile the owner of an origin. Its host notices within seconds and brings everything up
/// to date. Returns the former owner.
pub(crate) fn hand_over(
    config: &config::Memcached,
    origin: &str,
    profile: &str,
    browser: &str,
) -> Result<Option<Owner>, Problem> {
    let name = owner_name(&config.key, origin);
    let owner = Owner {
        profile: profile.to_owned(),
        browser: browser.to_owned(),
        since: now_ms(),
        unsettled: true,
    };
    let change = || -> Result<Option<Owner>, Error> {
        let mut client = Client::of_name(config, &name)?;
        loop {
            let found = find(&mut client, &name)?;
            let former = found.value.as_deref().and_then(Owner::parse);
            if former.as_ref().is_some_and(|former| former.profile == profile) {
                return Ok(former);
            }
            let mut options = SetOptions::default();
            match found.cas.filter(|_| found.rc != ReturnCode::En) {
                Some(cas) => options.compare_cas = Some(cas),
                None => options.mode = SetMode::Add,
            }
            let set = build_set(&name, owner.text(), &options)?;
            if client.run_one(set)?.rc == ReturnCode::Hd {
                return Ok(former);
            }
        }
    };
    change().map_err(|error| problem_of(&error, &config.servers))
}

/// The item of a name with its CAS number.
fn find(client: &mut Client, name: &str) -> Result<MetaCommandResult, Error> {
    let mut options = GetOptions::default();
    options.return_cas = true;
    client.run_one(build_get(name, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_is_read_only_if_its_profile_can_be_one() {
        let item = |profile: &str| {
            let owner = Owner {
                profile: profile.to_owned(),
                browser: "chromium/156\u{1b}[2J".to_owned(),
                since: 1,
                unsettled: false,
            };
            Owner::parse(owner.text().as_bytes())
        };
        for profile in ["", "a b", "a\r\nmn", "a\0", "ä", &"p".repeat(65)] {
            assert_eq!(item(profile), None, "{profile:?}");
        }
        let owner = item("profile-1").expect("an owner");
        assert_eq!(owner.to_string(), "profile profile-1 (chromium/156\\u{1b}[2J)");
    }

    #[test]
    fn fix_quotes_foreign_words_in_its_command() {
        let fix = fix("http://a.example; id #\n", "$(id)");
        assert!(
            fix.contains(r"--origin $'http://a.example; id #\012' --profile '$(id)'`"),
            "{fix}"
        );
    }
}
