//! What a rule keeps in the browser is nowhere else: not in the journal, in no server, in no log.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Browser, Kind, Page},
    observe,
    relay::STREAM,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json, value::RawValue};

const SITE: &str = "/secrets/";
const SECRET: &str = "hush";

/// Base64 of the secrets in bytes and blobs, for any number of bytes before them.
const ENCODED: [&str; 3] = ["aHVzaC", "h1c2gt", "odXNoL"];

const RULES: &str = r#"
[[redact]]
database = "vault"
fields = ["/mail"]
how = "hash"
[[redact]]
store = "users"
fields = ["/cards/*/number"]
how = "mask"
[[redact]]
store = "sessions"
fields = ["@key"]
how = "hash"
[[redact]]
store = "notes"
fields = ["/text"]
how = "drop"
[[redact]]
database = "vault"
store = "plain"
fields = ["/secret", "/map/pin", "/set/0", "/error/message", "/blob/base64", "/file/name", "/bytes", "/boxed", "/pattern/source", "/sparse/1"]
how = "drop"
"#;

fn rig(kind: Kind, rules: &str) -> Result<Rig> {
    let rig = Rig::new(kind)?;
    let config = fs::read_to_string(rig.relay.config())?;
    fs::write(rig.relay.config(), config + rules)?;
    Ok(rig)
}

#[derive(serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    key: &'a RawValue,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// Typed values by their keys, as texts.
type Records = BTreeMap<String, String>;

/// What the mirror says of the vault's records: of each store, its keys with the values.
fn records(rig: &Rig) -> Result<BTreeMap<String, Records>> {
    let mut records: BTreeMap<String, Records> = BTreeMap::new();
    for store in ["users", "members", "sessions", "notes", "plain"] {
        let origin = rig.site.origin();
        let Ok(listed) = rig.relay.run(&[
            "ls",
            "--json",
            "--origin",
            &origin,
            "--database",
            "vault",
            "--store",
            store,
        ]) else {
            continue;
        };
        let of_store = records.entry(store.to_owned()).or_default();
        for line in listed.lines() {
            let record: Line<'_> = serde_json::from_str(line)?;
            of_store.insert(record.key.to_string(), record.value.to_string());
        }
    }
    Ok(records)
}

/// Waits until each store has so many records, and Memcached holds exactly them.
fn settled(rig: &Rig, counts: &[(&str, usize)]) -> Result<BTreeMap<String, Records>> {
    wait::until("the redacted records", PATIENCE, || {
        let records = records(rig)?;
        let seen: Vec<(&str, usize)> = counts
            .iter()
            .map(|(store, _)| (*store, records.get(*store).map_or(0, BTreeMap::len)))
            .collect();
        let mut expected = Vec::new();
        for (store, key, value) in records
            .iter()
            .flat_map(|(store, records)| records.iter().map(move |(key, value)| (store, key, value)))
        {
            expected.push(observe::Record {
                bucket: String::new(),
                database: "vault".to_owned(),
                store: store.clone(),
                key: key.clone(),
                value: protocol::value::plain(value, usize::MAX)?.into_owned(),
            });
        }
        let differences = observe::compare(&expected, &rig.site.origin(), &rig.memcached)?;
        Ok(if seen == counts && differences.is_empty() {
            Seen::Ready(records)
        } else {
            Seen::Not(format!("{seen:?}, {differences:?}"))
        })
    })
}

/// Every place that something could have got to, with what is there.
fn places(rig: &Rig) -> Result<Vec<(String, Vec<u8>)>> {
    let mut places = Vec::new();
    files(&rig.relay.journal_directory(), &mut places)?;
    let log = rig.profile.home().join(".local/state/idb-relay/idb-relay.log");
    places.push((
        log.display().to_string(),
        fs::read(&log).with_context(|| format!("no log at {}", log.display()))?,
    ));
    for text in observe::texts(&rig.redis, STREAM)? {
        places.push(("the stream".to_owned(), text.into_bytes()));
    }
    let mut connection = rig.redis.connect()?;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection)?;
    places.push(("Redis's keys".to_owned(), keys.join("\n").into_bytes()));
    for (key, item) in rig.memcached.dump()? {
        places.push((
            format!("Memcached, {key}"),
            [key.as_bytes(), &item.value].concat(),
        ));
    }
    Ok(places)
}

fn files(directory: &Path, places: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, places)?;
        } else {
            places.push((path.display().to_string(), fs::read(&path)?));
        }
    }
    Ok(())
}

fn holds(place: &[u8], text: &str) -> bool {
    place.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Looks for secrets everywhere, and makes sure that it would have found them.
fn ensure_nothing_leaks(rig: &Rig, published: &[(String, String)]) -> Result<()> {
    let mut places = places(rig)?;
    places.extend(
        published
            .iter()
            .map(|(channel, text)| (format!("published to {channel}"), text.clone().into_bytes())),
    );
    for (place, content) in &places {
        for secret in ENCODED.iter().chain([&SECRET]) {
            if let Some(at) = content
                .windows(secret.len())
                .position(|window| window == secret.as_bytes())
            {
                let around = &content[at.saturating_sub(100)..(at + 100).min(content.len())];
                anyhow::bail!("{secret} is in {place}: {}", String::from_utf8_lossy(around));
            }
        }
    }
    for kind in ["sqlite", "the stream", "published", "Memcached"] {
        ensure!(
            places
                .iter()
                .any(|(place, content)| place.contains(kind) && holds(content, "open-")),
            "nothing at all is in {kind}"
        );
    }
    Ok(())
}

fn open<'b>(rig: &Rig, browser: &'b Browser) -> Result<Page<'b>> {
    let page = browser.open(&rig.site.url(SITE))?;
    page.evaluate("opened.then(() => true)")?;
    Ok(page)
}

fn secrets_are_nowhere_but_in_the_browser(kind: Kind) -> Result<()> {
    let rig = rig(kind, RULES)?;
    let subscriber = rig.subscribe()?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("found()")?;
    let counts = [
        ("users", 44),
        ("members", 0),
        ("sessions", 1),
        ("notes", 0),
        ("plain", 1),
    ];
    let found = settled(&rig, &counts)?;
    page.evaluate("written()")?;
    let counts = [
        ("users", 43),
        ("members", 1),
        ("sessions", 2),
        ("notes", 1),
        ("plain", 3),
    ];
    let written = settled(&rig, &counts)?;
    ensure_nothing_leaks(&rig, &subscriber.messages())?;

    // The same record has the same key, whichever way it came.
    let user = |name: &str, records: &BTreeMap<String, Records>| {
        let (key, value) = records["users"]
            .iter()
            .find(|(_, value)| value.contains(&format!(r#""open-{name}""#)))
            .with_context(|| format!("no {name} in {records:?}"))?;
        anyhow::Ok((key.clone(), serde_json::from_str::<Value>(value)?))
    };
    let (ann, value) = user("ann-again", &written)?;
    assert_eq!(ann, user("ann", &found)?.0);
    assert_eq!(value["mail"].to_string(), ann, "an equal value has an equal hash");
    assert_eq!(value["cards"], json!([{"number": "***", "bank": "open-bank"}]));
    let (cleo, value) = user("cleo", &written)?;
    assert_eq!(cleo, user("cleo", &found)?.0);
    assert_eq!(value["cards"][0]["bank"], "open-updated");
    assert!(
        written["sessions"]
            .keys()
            .any(|key| found["sessions"].contains_key(key))
    );
    let member = written["members"].keys().next().context("a member")?;
    ensure!(member.starts_with("[7,\"hash-"), "{member}");
    assert_eq!(written["notes"]["1"], r#"{"title":"open-note","id":1}"#);
    let forms: Value = serde_json::from_str(&written["plain"]["\"open-forms\""])?;
    let expected = json!({
        "elsewhere": [null, "open-beside"],
        "map": {"$map": [["open", "open-map"]]},
        "set": {"$set": ["open-set"]},
        "sparse": {"$sparse": {"length": 2, "items": {"open": "open-sparse"}}},
        "$date": "open-dollar",
    });
    assert_eq!(forms, expected);

    // A range of what stands for keys is none: the store is read again.
    page.evaluate("swept()")?;
    let counts = [
        ("users", 41),
        ("members", 1),
        ("sessions", 2),
        ("notes", 1),
        ("plain", 3),
    ];
    let swept = settled(&rig, &counts)?;
    ensure!(swept["users"].contains_key(&ann) && !swept["users"].contains_key(&cleo));

    // A snapshot finds nothing else than what was observed.
    let before = rig.stream()?.len();
    page.reload()?;
    page.evaluate("found()")?;
    let counts = [
        ("users", 44),
        ("members", 1),
        ("sessions", 2),
        ("notes", 1),
        ("plain", 3),
    ];
    let again = settled(&rig, &counts)?;
    assert_eq!(user("ann", &again)?.0, ann);
    let news = &rig.stream()?[before..];
    ensure!(
        news.iter().all(|event| event.op() != "d"),
        "a snapshot lost a record: {news:?}"
    );
    ensure_nothing_leaks(&rig, &subscriber.messages())
}

/// A rule that comes later: later events are redacted, those of existing records, too.
fn a_rule_that_comes_later_reaches_the_caches(kind: Kind) -> Result<()> {
    let rig = rig(kind, "")?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("found()")?;
    let counts = [
        ("users", 44),
        ("members", 0),
        ("sessions", 1),
        ("notes", 0),
        ("plain", 1),
    ];
    let clear = settled(&rig, &counts)?;
    ensure!(clear["users"].contains_key("\"hush-ann@example.org\""));
    let before = rig.stream()?.len();

    let options = browser.open(&browser.extension_url("ui/popup.html"))?;
    let rules = json!([
        {"store": "users", "fields": ["/cards/*/number"], "how": "mask"},
        {"store": "users", "fields": ["/mail"], "how": "hash"},
        {"store": "sessions", "fields": ["@key"], "how": "hash"},
    ]);
    options.evaluate(&format!(
        "void (port = chrome.runtime.connect({{ name: 'inspector' }})).postMessage(JSON.stringify({{ rules: {rules} }}))"
    ))?;
    wait::until("the caches to hold no secret", PATIENCE, || {
        let left = rig
            .memcached
            .dump()?
            .into_iter()
            .filter(|(key, item)| holds(key.as_bytes(), SECRET) || holds(&item.value, SECRET))
            .count();
        Ok(if left == 0 {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{left} items with one"))
        })
    })?;
    let redacted = settled(&rig, &counts)?;
    ensure!(!format!("{redacted:?}").contains(SECRET), "{redacted:?}");
    // The names of the records that go must be said once more; nothing else is.
    for event in &rig.stream()?[before..] {
        let line = event.line();
        ensure!(
            event.op() == "d" || !format!("{event:?}").contains(SECRET),
            "published again: {line}"
        );
        ensure!(
            !format!("{event:?}").contains("hush-card"),
            "published as before: {line}"
        );
    }
    Ok(())
}

/// Upgrades of a database, each a function of the database and its transaction; the connection
/// closes after each.
const UPGRADE: &str = "void (
window.upgrade = (version, change) => new Promise((resolve, reject) => {
  const open = indexedDB.open('accounts', version);
  open.onupgradeneeded = () => change(open.result, open.transaction);
  open.onsuccess = () => { open.result.close(); resolve(true); };
  open.onerror = () => reject(open.error);
}))";

/// Waits until Memcached's items of the accounts are these: the record's key with a part of its
/// value.
fn accounts_are(rig: &Rig, expected: &[(&str, &str)]) -> Result<()> {
    wait::until("the accounts", PATIENCE, || {
        let items: BTreeMap<String, String> = rig
            .memcached
            .dump()?
            .into_iter()
            .filter_map(|(key, item)| {
                let record = key.split_once(":accounts:")?.1.to_owned();
                Some((record, String::from_utf8_lossy(&item.value).into_owned()))
            })
            .collect();
        let fits = items.len() == expected.len()
            && expected
                .iter()
                .all(|(key, part)| items.get(*key).is_some_and(|value| value.contains(part)));
        Ok(if fits {
            Seen::Ready(())
        } else {
            let items: Vec<_> = items
                .iter()
                .map(|(key, value)| (key, value.chars().take(60).collect::<String>()))
                .collect();
            Seen::Not(format!("{items:?}"))
        })
    })
}

/// The usual way to change a store: another one, a copy, a rename. The rule names only what comes
/// out in the end.
fn upgrades_redact_by_every_name_of_a_store(kind: Kind) -> Result<()> {
    let rig = rig(
        kind,
        "[[redact]]\nstore = \"users\"\nfields = [\"/password\"]\nhow = \"mask\"\n",
    )?;
    let subscriber = rig.subscribe()?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate(UPGRADE)?;
    page.evaluate(
        "upgrade(1, (database) => {
          const users = database.createObjectStore('users', { keyPath: 'id' });
          users.put({ id: 1, password: 'hush-1', name: 'open-1' });
          // Longer than one message: its parts come one by one.
          users.put({ id: 2, password: 'hush-long'.repeat(300_000), name: 'open-long'.repeat(30_000) });
        })",
    )?;
    accounts_are(&rig, &[("users:1", "open-1"), ("users:2", "open-long")])?;
    page.evaluate(
        "upgrade(2, (database, transaction) => {
          const copy = database.createObjectStore('users_new', { keyPath: 'id' });
          transaction.objectStore('users').getAll().onsuccess = ({ target: { result } }) => {
            for (const user of result) copy.put({ ...user, version: 2 });
            database.deleteObjectStore('users');
            copy.name = 'users';
          };
        })",
    )?;
    accounts_are(
        &rig,
        &[("users:1", "\"version\":2"), ("users:2", "\"version\":2")],
    )?;
    // And from the name, in one upgrade, to it again.
    page.evaluate(
        "upgrade(3, (database, transaction) => {
          const users = transaction.objectStore('users');
          users.name = 'passing';
          users.put({ id: 3, password: 'hush-3', name: 'open-3' }).onsuccess = () => { users.name = 'users'; };
        })",
    )?;
    accounts_are(
        &rig,
        &[
            ("users:1", "open-1"),
            ("users:2", "open-long"),
            ("users:3", "open-3"),
        ],
    )?;
    ensure_nothing_leaks(&rig, &subscriber.messages())?;

    // A store that has no rule gets the name later: its records were published, but never by that
    // name.
    page.evaluate(
        "upgrade(4, (database) => {
          database.createObjectStore('people', { keyPath: 'id' }).put({ id: 9, password: 'bare-9', name: 'open-9' });
        })",
    )?;
    let three = [
        ("users:1", "open-1"),
        ("users:2", "open-long"),
        ("users:3", "open-3"),
    ];
    accounts_are(&rig, &[&three[..], &[("people:9", "bare-9")]].concat())?;
    page.evaluate(
        "upgrade(5, (database, transaction) => {
          database.deleteObjectStore('users');
          transaction.objectStore('people').name = 'users';
        })",
    )?;
    accounts_are(&rig, &[("users:9", "\"***\"")])?;
    let events = rig.stream()?;
    let published: Vec<_> = events
        .iter()
        .filter(|event| event.json()["source"]["store"] == "users" && event.database() == "accounts")
        .map(|event| event.json().to_string())
        .collect();
    ensure!(
        published.iter().any(|event| event.contains("open-9")),
        "{published:?}"
    );
    ensure!(
        !published.iter().any(|event| event.contains("bare-9")),
        "{published:?}"
    );
    let of_users = |channel: &str| channel.ends_with(":accounts:users");
    ensure!(
        !subscriber
            .messages()
            .iter()
            .any(|(channel, text)| of_users(channel) && text.contains("bare-9"))
    );
    ensure!(
        events
            .iter()
            .any(|event| event.op() == "d" && event.json()["source"]["store"] == "people"),
        "the record went under its old name"
    );
    Ok(())
}

/// A page that stores guesses learns nothing of another origin's records by the hashes.
fn hashes_are_each_origins_own(kind: Kind) -> Result<()> {
    let rig = rig(
        kind,
        "[[redact]]\nstore = \"sessions\"\nfields = [\"\", \"@key\"]\nhow = \"hash\"\n",
    )?;
    let other = lab::site::Site::start()?;
    let config = fs::read_to_string(rig.relay.config())?;
    let origin = format!("\"{}\"", rig.site.origin());
    fs::write(
        rig.relay.config(),
        config.replacen(&origin, &format!("{origin}, \"{}\"", other.origin()), 1),
    )?;
    let browser = rig.browser()?;
    for site in [&rig.site, &other] {
        let page = browser.open(&site.url(SITE))?;
        page.evaluate("opened.then(() => true)")?;
        page.evaluate("transact((store) => { store('sessions').put('hush', 'hush'); store('sessions').put('hush', 'too'); })")?;
    }
    let values = wait::until("both origins' records", PATIENCE, || {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, item) in rig.memcached.dump()? {
            if let Some((origin, key)) = key.split_once(":vault:sessions:") {
                let of_origin = values.entry(origin.to_owned()).or_default();
                of_origin.extend([key.to_owned(), String::from_utf8_lossy(&item.value).into_owned()]);
            }
        }
        Ok(if values.values().map(Vec::len).eq([4, 4]) {
            Seen::Ready(values)
        } else {
            Seen::Not(format!("{values:?}"))
        })
    })?;
    let [ours, theirs] = values.values().collect::<Vec<_>>()[..] else {
        anyhow::bail!("not two origins: {values:?}")
    };
    ensure!(!ours.iter().any(|hash| theirs.contains(hash)), "{values:?}");
    // In one origin, by one rule, equal values have equal hashes: the key and the value of one
    // record, and both values.
    let distinct: std::collections::BTreeSet<_> = ours.iter().collect();
    ensure!(distinct.len() == 2, "{values:?}");
    Ok(())
}

lab::in_both_browsers!(
    upgrades_redact_by_every_name_of_a_store,
    hashes_are_each_origins_own,
    secrets_are_nowhere_but_in_the_browser,
    a_rule_that_comes_later_reaches_the_caches,
);
