//! Each library, and none: what its page wrote is what arrived, in order, once.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::Kind,
    observe::{Event, checks},
};
use protocol::name::{Names, Template};
use serde_json::{Value, json};

/// Runs the page of `tests/sites/<name>/` and follows its writes to both ends.
fn follow(kind: Kind, name: &str) -> Result<()> {
    let rig = Rig::new(kind)?;
    let subscriber = rig.subscribe()?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(&format!("/{name}/")))?;
    let expectation = page.evaluate("run()")?;
    let expected: Vec<_> = expectation["events"]
        .as_array()
        .context("run() returns its expectation")?
        .iter()
        .map(line)
        .collect();

    rig.settled(&page)?;
    let streamed = rig.stream_of(expected.len())?;
    let published = subscriber.wait_for(streamed.len(), |_| true)?;
    assert_eq!(published, streamed, "subscribers and the stream see the same");
    if expectation["exact"] == json!(true) {
        checks::exactly(&streamed, &expected)?;
    } else {
        let mut lines = streamed.iter().map(Event::line);
        for expected in &expected {
            ensure!(
                lines.any(|line| line == *expected),
                "not published, or not in this place: {expected}"
            );
        }
    }
    checks::numbered_without_gaps(&streamed)?;
    checks::whole_transactions(&streamed)?;
    each_on_the_channel_of_its_store(&subscriber.messages(), &rig.site.origin())?;
    browser.quit()
}

/// An expected event as [`Event::line`] writes it.
fn line(expected: &Value) -> String {
    let name = |field: &str| expected[field].as_str().unwrap_or_default();
    let value = |field: &str| {
        expected
            .get(field)
            .map(|value| format!(" {value}"))
            .unwrap_or_default()
    };
    format!(
        "{} {}/{}{}{}{}",
        name("op"),
        name("database"),
        name("store"),
        value("key"),
        value("after"),
        value("schema")
    )
}

fn each_on_the_channel_of_its_store(messages: &[(String, String)], origin: &str) -> Result<()> {
    let template = Template::channel("idb:{origin}:{database}:{store}")?;
    for (channel, text) in messages {
        let event = Event::parse(text)?;
        let source = &event.json()["source"];
        ensure!(source["origin"] == origin, "a wrong origin: {text}");
        let names = Names {
            origin,
            bucket: "",
            database: event.database(),
            store: source["store"].as_str().unwrap_or_default(),
        };
        assert_eq!(channel, &template.store_name(names));
    }
    Ok(())
}

fn raw(kind: Kind) -> Result<()> {
    follow(kind, "raw")
}

fn dexie(kind: Kind) -> Result<()> {
    follow(kind, "dexie")
}

fn idb(kind: Kind) -> Result<()> {
    follow(kind, "idb")
}

fn localforage(kind: Kind) -> Result<()> {
    follow(kind, "localforage")
}

fn pouchdb(kind: Kind) -> Result<()> {
    follow(kind, "pouchdb")
}

lab::in_both_browsers!(raw, dexie, idb, localforage, pouchdb);
