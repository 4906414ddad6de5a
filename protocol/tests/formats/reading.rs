//! `protocol::json::read`, by which the extension reads messages, and `serde_json`, by which the
//! host does, read the same.

#![allow(clippy::expect_used, reason = "a test's helpers")]

use std::fmt::Debug;

use idb_relay_protocol::{
    body::Body,
    event::Event,
    json::read,
    wire::{
        bridge::{FromBridge, ToBridge},
        host::{FromHost, ToHost},
        inspector::{FromInspector, Reply, ToInspector},
    },
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One of each form that members, variants and texts take.
const SAMPLES: [&str; 29] = [
    r#"{"open":{"context":"c1","late":true,"place":{"ancestors":["http://a","null"],"ephemeral":true}}}"#,
    r#" { "open" : { "context" : "\u00e9\ud83d\ude00\n\"\/" , "place" : { "ancestors" : [ ] , "ephemeral" : false } , "unknown" : [ { } , [ ] , -1.5e3 , null ] } } "#,
    r#"{"delivery":{"context":"c","sequence":7,"page":{"origin":"o","tab":-1,"frame":0},"body":{"a":"\ud800 and sixteen more bytes","b":[1,{"c":[[]]}]}}}"#,
    r#"{"part":{"context":"c","page":{"origin":"o","tab":1,"frame":0},"part":{"sequence":18446744073709551615,"index":0,"count":4294967295,"text":"{\"a\":\\\"\\u0000é日本語\\\"}"}}}"#,
    r#"{"trace":{"sequence":1,"stacks":["Error\n    at f (http://localhost/a.js:1:2)",""]}}"#,
    r#"{"hello":{"protocol":1,"version":"0.1.0","origins":["http://localhost:*"],"redact":[{"fields":["/a"],"how":"mask"}]}}"#,
    r#"{"hello":{"protocol":1,"version":"0.1.0","browser":"chromium/156","profile":"p"}}"#,
    r#"{"acknowledged":{"context":"c","sequence":3}}"#,
    r#"{"acknowledged":{"sequence":3}}"#,
    r#"{"read":{"origin":"http://localhost:1","bucket":"","database":"d","store":"s","keys":["[1]"]}}"#,
    r#"{"matched":{"context":"c","sequence":3,"stretches":2}}"#,
    r#"{"matched":{"sequence":3,"stretches":0}}"#,
    r#"{"digests":{"database":"d","version":1,"store":"s","after":null,"stretches":[]}}"#,
    r#"{"digests":{"database":"d","version":1,"store":"s","after":[1],"stretches":[{"until":"\ud800","began_at":-1,"read_at":2,"records":3,"digest":"00ff"},{"began_at":3,"read_at":4,"records":0,"digest":""}]}}"#,
    r#"{"answer":{"id":7,"reply":{"failed":{"code":"host_away","message":"m","fix":"c"}}}}"#,
    r#"{"answer":{"id":7,"reply":{"health":{"version":"1","protocol":1,"journal":"j","journal_bytes":1,"events_max_bytes":null,"head":1,"tail":0,"sinks":[{"name":"redis","enabled":true,"state":"running","since":-5,"number":1,"behind":0,"notices":0,"lag":{"p50":1,"p95":0.5,"p99":1e2}}],"channel":"","stream":"","memcached_key":"","memcached_value":"plain","configuration":"","program":""}}}}"#,
    r#"{"answer":{"id":7,"reply":{"compared":{"total":1,"compared":1,"done":true,"missing":1,"stale":0,"orphaned":0,"repaired":0,"differences":[{"origin":"o","database":"d","store":"s","key":"1","memcached_key":"k","kind":"missing"}]}}}}"#,
    r#"{"answer":{"id":7,"reply":{"feed":{"tail":0,"head":1,"events":[{"after":{"$number":"-0"}}],"passages":[{"stage":"redis","last":1,"at":-1}],"notices":[],"next":{"event":1,"passed":{"redis":1}}}}}}"#,
    r#"{"answer":{"id":7,"reply":{"record":{"mirror":null,"memcached_key":"k","wanted":null,"found":"x","same":false}}}}"#,
    r#"{"background":{"version":"1","browser":"b","profile":"p","connected":true,"paused":false,"waiting":0,"origins":{"http://localhost":"user"},"documents":[{"context":"c","origin":"o","tab":-1,"frame":0,"late":false}]}}"#,
    r#"{"seen":{"id":1,"sight":{"record":null}}}"#,
    r#"{"trace":"off"}"#,
    r#"{"trace":{"tab":3}}"#,
    r#"{"ask":{"id":7,"question":{"compare":{"repair":false}}}}"#,
    r#"{"commit":{"database":"d","version":1,"began_at":-1,"committed_at":2,"key_paths":{"s":["a","b"]},"operations":[{"put":{"store":"s","key":"\ud800","value":-0}},{"schema":{"store":"s","change":{"delete_store":{}}}}]}}"#,
    r#"{"records":{"database":"d","version":1,"store":"s","began_at":1,"read_at":2,"present":[{"key":1,"value":{}}],"absent":[[1,2]]}}"#,
    r#"{"store_list":{"began_at":1,"read_at":2,"databases":[{"name":"d","version":1,"stores":null}]}}"#,
    r#"{"op":"c","key":1,"before":null,"after":{"a":1},"ts_ms":1,"source":{"version":"0","browser":"b","profile":"p","origin":"o","bucket":"","database":"d","database_version":1,"store":"s","context":"c","sequence":1,"snapshot":false},"transaction":{"id":"c:1","total_order":1,"event_count":1}}"#,
    r#"{"snapshot":{}}"#,
];

/// Both read it to the same value, or neither does.
fn agree<'t, T: Deserialize<'t> + Serialize + Debug>(text: &'t str) -> Result<bool, TestCaseError> {
    let written = |value: Option<T>| value.map(|value| serde_json::to_string(&value).expect("JSON"));
    let ours = written(read(text).ok());
    prop_assert_eq!(&ours, &written(serde_json::from_str(text).ok()), "{}", text);
    Ok(ours.is_some())
}

/// How many of the types a text is read as.
fn all_agree(text: &str) -> Result<usize, TestCaseError> {
    let read_as = [
        agree::<FromBridge<'_>>(text)?,
        agree::<ToBridge<'_>>(text)?,
        agree::<ToHost<'_, &RawValue>>(text)?,
        agree::<FromHost>(text)?,
        agree::<FromHost<Box<RawValue>>>(text)?,
        agree::<FromInspector>(text)?,
        agree::<ToInspector>(text)?,
        agree::<Reply>(text)?,
        agree::<Body<'_>>(text)?,
        agree::<Event<'_>>(text)?,
        agree::<&RawValue>(text.trim_start())?,
    ];
    Ok(read_as.into_iter().filter(|read| *read).count())
}

#[test]
fn messages_are_read_alike() {
    for sample in SAMPLES {
        // As what it is, and as a value.
        assert!(all_agree(sample).expect("agreement") > 1, "{sample}");
    }
}

#[test]
fn error_names_the_place_of_what_is_wrong() {
    for (text, message) in [
        (r#"{"open":{"late":true}}"#, "missing field `context` at byte 20"),
        (r#"{"open":{"context":1}}"#, "expected a string at byte 19"),
        (
            r#"{"closed":{}}"#,
            "unknown variant `closed`, expected one of open, leaving, writing, rested, trace, survey, surveying, surveyed, shown, hidden, metered, worker at byte 9",
        ),
        (r#"{"trace":[}"#, "expected '{' at byte 9"),
        (
            r#"{"trace":{"sequence":-1}}"#,
            "expected a whole number at byte 23",
        ),
        (
            r#"{"open":{"context":"\ud800"}}"#,
            "a string with half a surrogate pair at byte 27",
        ),
        (
            r#"{"open":{"context":"c","place":{"ancestors":[],"ephemeral":false}}} x"#,
            "not JSON: unexpected 'x' at byte 68",
        ),
    ] {
        let error = read::<FromBridge<'_>>(text).expect_err("wrong");
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn a_value_that_is_passed_on_may_be_of_any_depth() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(read::<&RawValue>(&deep).expect("a value").get(), deep);
    assert!(read::<&RawValue>(&deep[1..]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Arrays in the place of objects are left out: those only `serde_json` takes.
    #[test]
    fn broken_messages_are_read_alike(
        sample in prop::sample::select(&SAMPLES[..]),
        from: prop::sample::Index,
        length in 0..12_usize,
        with in r#"([{}:,"\\a0-9 .tnu\x00é]{0,6}|null|true|1e3|\\u00e9|\\ud800|"a":)"#,
    ) {
        let chars: Vec<char> = sample.chars().collect();
        let from = from.index(chars.len());
        let until = (from + length).min(chars.len());
        let text: String = chars[..from].iter().copied().chain(with.chars()).chain(chars[until..].iter().copied()).collect();
        all_agree(&text)?;
    }
}
