//! The shared vectors in real engines, through the whole pipeline: what the page stores arrives as
//! the typed text of the vector, whether it was captured or read by a snapshot, and the text stands
//! for the very value that the database holds. Rust's side of the same file is tested in
//! `protocol/tests/formats/vectors.rs`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Launch},
    wait::{self, PATIENCE, Seen},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize, Serialize)]
struct Vector {
    name: String,
    js: String,
    typed: String,
}

fn vectors() -> Result<Vec<Vector>> {
    Ok(serde_json::from_str(include_str!("../../vectors/values.json"))?)
}

/// Engines word the stacks of errors differently, the vectors have `*` there; and not all of them
/// know of colour spaces.
fn without_differences(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_differences),
        Value::Object(members) => {
            members.remove("colorSpace");
            for (name, member) in members {
                if name == "stack" {
                    *member = "*".into();
                }
                without_differences(member);
            }
        }
        _ => {}
    }
}

/// Compares typed texts; lone surrogates keep `serde_json` from reading some, which are then
/// compared letter by letter.
fn same(received: &str, expected: &str) -> bool {
    match (
        serde_json::from_str::<Value>(received),
        serde_json::from_str::<Value>(expected),
    ) {
        (Ok(mut received), Ok(mut expected)) => {
            without_differences(&mut received);
            without_differences(&mut expected);
            received == expected
        }
        _ => received == expected,
    }
}

/// The newest `after` of each vector among the events with this operation, as text.
fn received(rig: &Rig, op: &str) -> Result<BTreeMap<String, String>> {
    let mut connection = rig.redis.connect()?;
    let entries: redis::streams::StreamRangeReply =
        redis::Commands::xrange_all(&mut connection, lab::relay::STREAM)?;
    let mut values = BTreeMap::new();
    for entry in entries.ids {
        let text: String = entry.get("event").context("an entry without an event")?;
        let event: protocol::event::Event<'_> = serde_json::from_str(&text)?;
        if let (Some(key), true) = (
            event.key,
            event.op.letter() == op && event.source.database == "vectors",
        ) {
            values.insert(serde_json::from_str(key.get())?, event.after.get().to_owned());
        }
    }
    Ok(values)
}

fn check(rig: &Rig, page: &lab::browser::Page<'_>, op: &str, refused: &[String]) -> Result<()> {
    let vectors = vectors()?;
    let stored = vectors.iter().filter(|vector| {
        !refused
            .iter()
            .any(|line| line.starts_with(&format!("{}: ", vector.name)))
    });
    let expected: BTreeMap<&str, &str> = stored
        .map(|vector| (vector.name.as_str(), vector.typed.as_str()))
        .collect();
    let values = wait::until("every vector to arrive", PATIENCE, || {
        let values = received(rig, op)?;
        Ok(if values.len() >= expected.len() {
            Seen::Ready(values)
        } else {
            Seen::Not(format!("{} values", values.len()))
        })
    })?;
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(name, typed)| !values.get(**name).is_some_and(|value| same(value, typed)))
        .map(|(name, typed)| format!("{name}: {:?} instead of {typed}", values.get(*name)))
        .collect();
    ensure!(wrong.is_empty(), "`{op}` events:\n{}", wrong.join("\n"));
    let differences = page.evaluate(&format!("compare({})", serde_json::to_string(&values)?))?;
    ensure!(differences == serde_json::json!([]), "{differences:#}");
    Ok(())
}

fn vectors_agree(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let vectors = serde_json::to_string(&vectors()?)?;
    let url = rig.site.url("/vectors/");
    // First a browser without the extension: what it leaves can only be known by a snapshot.
    let browser = rig.profile.start(&Launch::default())?;
    let refused: Vec<String> =
        serde_json::from_value(browser.open(&url)?.evaluate(&format!("store({vectors})"))?)?;
    ensure!(refused.len() <= 3, "this engine refuses {refused:#?}");
    browser.quit()?;

    let browser = rig.browser()?;
    let page = browser.open(&url)?;
    check(&rig, &page, "r", &refused)?;
    // Now capture is on.
    page.evaluate(&format!("store({vectors})"))?;
    check(&rig, &page, "u", &refused)
}

#[test]
fn chromium() -> Result<()> {
    vectors_agree(Kind::Chromium)
}

#[test]
fn firefox() -> Result<()> {
    vectors_agree(Kind::Firefox)
}
