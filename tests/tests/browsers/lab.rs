//! The lab itself, standing alone: browsers and servers, no relay.

use std::{fs, path::Path};

use anyhow::{Result, bail, ensure};
use lab::{
    browser::{Kind, Launch, Profile},
    observe,
    servers::{MemcachedServer, RedisServer},
    site::Site,
};
use serde_json::json;

fn a_browser_runs_pages_and_keeps_its_data_when_killed(kind: Kind) -> Result<()> {
    let site = Site::start()?;
    let profile = Profile::new(kind)?;
    let browser = profile.start(&Launch::default())?;
    let page = browser.open(&site.url("/blank/"))?;
    assert_eq!(page.evaluate("1 + 1")?, json!(2));
    assert_eq!(
        page.evaluate("Promise.resolve({a: [null]})")?,
        json!({"a": [null]})
    );
    assert_eq!(page.evaluate("undefined")?, json!(null));
    match page.evaluate("Promise.reject(new TypeError('no bananas'))") {
        Ok(value) => bail!("it did not throw but gave {value}"),
        Err(error) => ensure!(format!("{error:#}").contains("no bananas"), "{error:#}"),
    }

    page.evaluate("localStorage.setItem('kept', 'yes')")?;
    page.evaluate(
        "new Promise((resolve, reject) => {
            const request = indexedDB.open('fruit', 1);
            request.onupgradeneeded = () => {
                const store = request.result.createObjectStore('bowl');
                store.put({taste: 'sweet', since: new Date(0), tags: new Set(['a'])}, [1, new Date(0)]);
            };
            request.onsuccess = () => { request.result.close(); resolve(); };
            request.onerror = () => reject(request.error);
        })",
    )?;
    page.reload()?;
    ensure!(
        page.screenshot()?.starts_with(b"\x89PNG"),
        "a screenshot is a PNG"
    );
    let other = browser.open(&site.url("/blank/?other"))?;
    assert_eq!(other.evaluate("location.search")?, json!("?other"));
    other.navigate(&site.url("/blank/?elsewhere"))?;
    assert_eq!(other.evaluate("location.search")?, json!("?elsewhere"));
    other.close()?;
    browser.kill()?;

    let browser = profile.start(&Launch::default())?;
    let page = browser.open(&site.url("/blank/"))?;
    let records = observe::contents(&page)?;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, r#"[1,{"$date":"1970-01-01T00:00:00.000Z"}]"#);
    assert_eq!(
        records[0].value,
        r#"{"taste":"sweet","since":"1970-01-01T00:00:00.000Z","tags":["a"]}"#
    );
    browser.quit()
}

#[test]
fn chromium() -> Result<()> {
    a_browser_runs_pages_and_keeps_its_data_when_killed(Kind::Chromium)
}

#[test]
fn firefox() -> Result<()> {
    a_browser_runs_pages_and_keeps_its_data_when_killed(Kind::Firefox)
}

#[test]
fn redis_keeps_its_stream_when_killed() -> Result<()> {
    let mut redis = RedisServer::start()?;
    let subscriber = observe::Subscriber::start(&redis)?;
    let mut connection = redis.connect()?;
    let event = r#"{"op":"c","key":1,"after":2,"source":{"database":"d","store":"s"}}"#;
    redis::cmd("XADD")
        .arg("idb:events")
        .arg("*")
        .arg("event")
        .arg(event)
        .exec(&mut connection)?;
    redis::cmd("PUBLISH")
        .arg("idb:x")
        .arg(event)
        .exec(&mut connection)?;
    let events = subscriber.wait_for(1, |_| true)?;
    assert_eq!(events[0].line(), "c d/s 1 2");
    redis.kill()?;
    assert!(redis.connect().is_err());
    redis.restart()?;
    assert_eq!(observe::stream(&redis, "idb:events")?.len(), 1);
    Ok(())
}

#[test]
fn memcached_comes_back_empty() -> Result<()> {
    use std::io::{BufRead as _, BufReader, Write as _};
    let mut memcached = MemcachedServer::start()?;
    let mut stream = std::net::TcpStream::connect(memcached.address())?;
    stream.write_all(b"set idb:a%20b 0 0 5\r\nhello\r\n")?;
    BufReader::new(stream).read_line(&mut String::new())?;
    let dump = memcached.dump()?;
    assert_eq!(dump["idb:a%20b"].value, b"hello");
    memcached.restart()?;
    assert_eq!(memcached.get("idb:a%20b")?, None);
    assert!(memcached.dump()?.is_empty());
    Ok(())
}

/// Fails if a file below a directory holds this text.
fn must_not_name(directory: &Path, text: &str) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            must_not_name(&path, text)?;
            continue;
        }
        let bytes = fs::read(&path)?;
        let is_named = String::from_utf8_lossy(&bytes).contains(text);
        ensure!(!is_named, "{} names {text}", path.display());
    }
    Ok(())
}

#[test]
fn new_firefox_profile_knows_no_extension() -> Result<()> {
    let profile = Profile::new(Kind::Firefox)?;
    let directory = profile.directory();
    ensure!(
        directory.join("startupCache").is_dir(),
        "it is a copy of no template"
    );
    must_not_name(&directory, "idb-relay@idb-relay.dev")?;
    must_not_name(&directory, "@idb-relay-tests.invalid")
}
