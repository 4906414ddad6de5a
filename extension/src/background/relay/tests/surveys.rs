//! Which document reads an origin's databases.

use super::*;

const SNAPSHOT: &str = r#"{"snapshot":{}}"#;
const SURVEYED: &str = r#"{"surveyed":{}}"#;

/// A document that loads, and asks for everything to be read.
fn load(relay: &mut Relay, port: u32, context: &str) {
    let page = Page {
        origin: ORIGIN.into(),
        tab: i64::from(port),
        frame: 0,
    };
    relay.bridge_opened(
        port,
        Sender {
            page,
            incognito: false,
            container: String::new(),
            top: None,
            inactive: false,
        },
    );
    relay.posted(
        port,
        &format!(r#"{{"open":{{"context":"{context}","survey":true,"place":{PLACE}}}}}"#),
    );
}

/// The ports that get this message.
fn ports_sent(relay: &mut Relay, wanted: &str) -> Vec<u32> {
    let ports = relay
        .take_actions()
        .into_iter()
        .filter_map(|action| match action {
            Action::ToPort { port, text } if text == wanted => Some(port),
            _ => None,
        });
    ports.collect()
}

fn greeted() -> Relay {
    let mut relay = relay();
    greet(&mut relay);
    relay
}

#[test]
fn one_of_several_tabs_reads_and_once_more_for_those_that_came_later() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    load(&mut relay, 2, "b");
    load(&mut relay, 3, "c");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    // What it has read may have been read before the others loaded.
    relay.posted(1, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [3]);
    relay.posted(3, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SURVEYED), [1, 2, 3]);
    // Nothing is asked for any more.
    relay.posted(3, SURVEYED);
    assert_eq!(relay.take_actions(), []);
}

#[test]
fn documents_before_the_host_ask_once_it_is_there() {
    let mut relay = relay();
    load(&mut relay, 1, "a");
    load(&mut relay, 2, "b");
    relay.posted(2, r#"{"survey":{}}"#);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
    relay.host_started();
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":["{ORIGIN}"]}}}}"#
    ));
    assert_eq!(ports_sent(&mut relay, SNAPSHOT).len(), 1);
}

#[test]
fn reader_that_closes_is_replaced() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    load(&mut relay, 2, "b");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    relay.port_closed(1);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [2]);
    // With the last document goes the question: the next one asks by itself.
    relay.port_closed(2);
    load(&mut relay, 3, "c");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [3]);
}

#[test]
fn reader_that_says_nothing_is_replaced_unless_it_waits_for_the_host() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    load(&mut relay, 2, "b");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    deliver(&mut relay, 1, 1);
    relay.woken(Alarm::Surveys);
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
    relay.host_said(r#"{"acknowledged":{"context":"a","sequence":1}}"#);
    // It does nothing with it.
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [2]);
    // There is no other document left.
    relay.woken(Alarm::Surveys);
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
    relay.posted(1, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SURVEYED), [0; 0]);
    relay.posted(2, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SURVEYED), [1, 2]);
    // Nothing to look after.
    relay.woken(Alarm::Surveys);
    assert_eq!(relay.take_actions(), []);
}

/// The first of these documents is asked to read; the others have asked for nothing.
fn with_documents(count: u32) -> Relay {
    let mut relay = greeted();
    load(&mut relay, 1, "1");
    for port in 2..=count {
        open(&mut relay, port, ORIGIN, &port.to_string());
    }
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    relay
}

#[test]
fn silent_document_reads_when_no_other_is_left() {
    let mut relay = with_documents(2);
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [2]);
    leave(&mut relay, 2);
    // It has the message, and reads once its thread continues.
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
    relay.posted(1, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SURVEYED), [1]);
    relay.posted(1, SURVEYED);
    assert_eq!(relay.take_actions(), []);
}

#[test]
fn silent_document_that_speaks_again_reads_for_another_silent_one() {
    let mut relay = with_documents(3);
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [3]);
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [2]);
    leave(&mut relay, 2);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
    // Later requests are read behind the readings already asked for.
    relay.host_said(&format!(r#"{{"snapshot":{{"origin":"{ORIGIN}"}}}}"#));
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
    relay.posted(1, r#"{"shown":{}}"#);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    relay.posted(3, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SURVEYED), [0; 0]);
    relay.posted(1, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SURVEYED), [1, 3]);
    relay.posted(3, SURVEYED);
    assert_eq!(relay.take_actions(), []);
}

#[test]
fn silent_document_reads_what_is_asked_for_behind_its_silence() {
    let mut relay = with_documents(2);
    relay.woken(Alarm::Surveys);
    relay.host_said(&format!(r#"{{"snapshot":{{"origin":"{ORIGIN}"}}}}"#));
    relay.take_actions();
    leave(&mut relay, 2);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    relay.posted(1, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SURVEYED), [1]);
}

#[test]
fn document_that_opens_reads_what_no_document_was_there_for() {
    let mut relay = greeted();
    relay.host_said(&format!(r#"{{"snapshot":{{"origin":"{ORIGIN}"}}}}"#));
    open(&mut relay, 1, ORIGIN, "a");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    leave(&mut relay, 1);
    open(&mut relay, 2, ORIGIN, "a");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [2]);
    relay.posted(2, SURVEYED);
    open(&mut relay, 3, ORIGIN, "b");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
}

#[test]
fn document_that_opens_takes_over_from_a_reader_known_to_be_silent() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    // There is no other document that could read.
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
    open(&mut relay, 2, ORIGIN, "b");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [2]);
}

#[test]
fn reader_that_spoke_since_it_was_silent_keeps_the_reading() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    relay.woken(Alarm::Surveys);
    relay.posted(1, r#"{"surveying":{}}"#);
    relay.take_actions();
    open(&mut relay, 2, ORIGIN, "b");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
}

#[test]
fn reader_that_only_commits_is_replaced() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    load(&mut relay, 2, "b");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    let deliver_body = |relay: &mut Relay, sequence: u64, body: &str| {
        relay.posted(
            1,
            &format!(r#"{{"deliveries":[{{"sequence":{sequence},"body":{body}}}]}}"#),
        );
        relay.host_said(&format!(
            r#"{{"acknowledged":{{"context":"a","sequence":{sequence}}}}}"#
        ));
    };
    deliver_body(&mut relay, 1, r#"{"store_list":{}}"#);
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
    deliver_body(&mut relay, 2, r#"{"commit":{}}"#);
    relay.woken(Alarm::Surveys);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [2]);
}

#[test]
fn reader_that_lists_stores_for_long_is_not_replaced() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    load(&mut relay, 2, "b");
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    for _ in 0..3 {
        relay.posted(1, r#"{"surveying":{}}"#);
        relay.woken(Alarm::Surveys);
    }
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [0; 0]);
}

#[test]
fn another_document_confirms_what_one_has_read() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    relay.posted(1, SURVEYED);
    load(&mut relay, 2, "b");
    relay.posted(2, SURVEYED);
    relay.take_actions();
    // It is the one that sent the last message.
    deliver(&mut relay, 2, 1);
    relay.host_said(&format!(r#"{{"snapshot":{{"origin":"{ORIGIN}"}}}}"#));
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    relay.posted(1, SURVEYED);
    // The only one that is left.
    relay.port_closed(2);
    relay.host_said(&format!(r#"{{"snapshot":{{"origin":"{ORIGIN}"}}}}"#));
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
}

#[test]
fn origins_do_not_wait_for_each_other() {
    let mut relay = greeted();
    load(&mut relay, 1, "a");
    relay.host_said(r#"{"snapshot":{"origin":"http://localhost:1"}}"#);
    relay.host_said(&format!(r#"{{"snapshot":{{"origin":"{ORIGIN}"}}}}"#));
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
    // The host asked after it began.
    relay.posted(1, SURVEYED);
    assert_eq!(ports_sent(&mut relay, SNAPSHOT), [1]);
}

/// The ports that are asked for single records.
fn asked(relay: &mut Relay) -> Vec<u32> {
    let ports = relay
        .take_actions()
        .into_iter()
        .filter_map(|action| match action {
            Action::ToPort { port, text } if text.starts_with(r#"{"read":"#) => Some(port),
            _ => None,
        });
    ports.collect()
}

#[test]
fn records_are_asked_of_another_document_at_each_attempt() {
    let mut relay = greeted();
    for (port, context) in [(1, "a"), (2, "b"), (3, "c")] {
        open(&mut relay, port, ORIGIN, context);
    }
    let read = |key: u32| {
        format!(
            r#"{{"read":{{"origin":"{ORIGIN}","bucket":"","database":"d","store":"s","keys":["{key}"]}}}}"#
        )
    };
    let mut ports = Vec::new();
    for _ in 0..4 {
        relay.host_said(&read(1));
        ports.extend(asked(&mut relay));
        // The one that is asked first speaks all the time, and never answers.
        deliver(&mut relay, ports[0], ports.len() as u64);
        relay.take_actions();
    }
    let mut first: Vec<u32> = ports[..3].to_vec();
    first.sort_unstable();
    assert_eq!(first, [1, 2, 3], "{ports:?}");
    // Other records have nothing to do with that.
    relay.host_said(&read(2));
    assert_eq!(asked(&mut relay), [ports[0]]);
}

#[test]
fn host_asks_again_when_other_documents_can_answer() {
    let mut relay = greeted();
    open(&mut relay, 1, ORIGIN, "a");
    let readers = Action::ToHost(format!(r#"{{"readers":{{"origin":"{ORIGIN}"}}}}"#));
    let is_notified = |relay: &mut Relay| relay.take_actions().contains(&readers);
    open(&mut relay, 2, ORIGIN, "b");
    assert!(!is_notified(&mut relay));
    relay.host_said(&format!(
        r#"{{"read":{{"origin":"{ORIGIN}","bucket":"","database":"d","store":"s","keys":["1"]}}}}"#
    ));
    assert!(!is_notified(&mut relay));
    relay.port_closed(2);
    assert!(is_notified(&mut relay));
    // The host has asked for nothing since.
    open(&mut relay, 3, ORIGIN, "c");
    assert!(!is_notified(&mut relay));
    relay.host_said(&format!(r#"{{"snapshot":{{"origin":"{ORIGIN}"}}}}"#));
    relay.take_actions();
    open(&mut relay, 4, ORIGIN, "d");
    assert!(is_notified(&mut relay));
}

#[test]
fn answer_about_stretches_goes_to_the_document_that_asked() {
    let mut relay = with_documents(2);
    relay.host_said(r#"{"matched":{"context":"1","sequence":7,"stretches":3}}"#);
    let matched = r#"{"matched":{"sequence":7,"stretches":3}}"#;
    assert_eq!(relay.take_actions(), [to_bridge(1, matched)]);
    // Its document is gone.
    relay.host_said(r#"{"matched":{"context":"9","sequence":7,"stretches":3}}"#);
    assert_eq!(relay.take_actions(), []);
}
