//! Which document looks for unseen writes.

use super::*;

const SHOWN: &str = r#"{"shown":{}}"#;
const HIDDEN: &str = r#"{"hidden":{"meter":{"bytes":7,"committed":false}}}"#;
const METER: &str = r#"{"meter":{"from":null}}"#;

/// What is said about unseen writes, and about reading, to which port.
fn said(relay: &mut Relay) -> Vec<(u32, String)> {
    let said = relay
        .take_actions()
        .into_iter()
        .filter_map(|action| match action {
            Action::ToPort { port, text } if !text.starts_with(r#"{"welcome"#) => Some((port, text)),
            _ => None,
        });
    said.collect()
}

fn one(port: u32, text: &str) -> Vec<(u32, String)> {
    vec![(port, text.to_owned())]
}

fn commit(relay: &mut Relay, port: u32, sequence: u64) {
    relay.posted(
        port,
        &format!(r#"{{"deliveries":[{{"sequence":{sequence},"body":{{"commit":{{}}}}}}]}}"#),
    );
}

/// Two documents, of which the first is shown and looks.
fn two() -> Relay {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "a");
    open(&mut relay, 2, ORIGIN, "b");
    relay.posted(1, SHOWN);
    assert_eq!(said(&mut relay), one(1, METER));
    relay
}

#[test]
fn one_document_of_an_origin_that_is_shown_looks() {
    let mut relay = two();
    relay.posted(2, SHOWN);
    relay.posted(1, SHOWN);
    assert_eq!(said(&mut relay), []);
}

#[test]
fn document_shown_before_the_host_is_there_looks_before_it_reads() {
    let mut relay = relay();
    relay.bridge_opened(1, sender(ORIGIN));
    relay.posted(
        1,
        &format!(r#"{{"open":{{"context":"a","survey":true,"place":{PLACE}}}}}"#),
    );
    relay.posted(1, SHOWN);
    assert_eq!(said(&mut relay), []);
    relay.host_started();
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":["{ORIGIN}"]}}}}"#
    ));
    let texts: Vec<String> = said(&mut relay).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, [METER, r#"{"snapshot":{}}"#]);
}

#[test]
fn document_that_takes_over_goes_on_from_what_the_one_before_has_read() {
    let mut relay = two();
    relay.posted(1, HIDDEN);
    assert_eq!(said(&mut relay), []);
    relay.posted(2, SHOWN);
    assert_eq!(
        said(&mut relay),
        one(2, r#"{"meter":{"from":{"bytes":7,"committed":false}}}"#)
    );
    // Here the hidden one commits before it is shown again.
    relay.posted(2, HIDDEN);
    commit(&mut relay, 1, 1);
    relay.posted(1, SHOWN);
    assert_eq!(
        said(&mut relay),
        one(1, r#"{"meter":{"from":{"bytes":7,"committed":true}}}"#)
    );
    // A document that is hidden and did not look says nothing of it.
    relay.posted(2, HIDDEN);
    assert_eq!(said(&mut relay), []);
}

#[test]
fn metering_document_is_notified_once_of_others_commits() {
    let mut relay = two();
    commit(&mut relay, 1, 1);
    assert_eq!(said(&mut relay), []);
    commit(&mut relay, 2, 1);
    commit(&mut relay, 2, 2);
    assert_eq!(said(&mut relay), one(1, r#"{"committed":{}}"#));
    relay.posted(1, r#"{"metered":{}}"#);
    relay.posted(2, r#"{"deliveries":[{"sequence":3,"body":{"snapshot":{}}}]}"#);
    assert_eq!(said(&mut relay), []);
    commit(&mut relay, 2, 4);
    assert_eq!(said(&mut relay), one(1, r#"{"committed":{}}"#));
}

#[test]
fn document_that_looks_reads_itself() {
    let mut relay = two();
    deliver(&mut relay, 2, 1);
    said(&mut relay);
    for _ in 0..2 {
        relay.posted(1, r#"{"survey":{}}"#);
        assert_eq!(said(&mut relay), one(1, r#"{"snapshot":{}}"#));
        relay.posted(1, r#"{"surveyed":{}}"#);
        said(&mut relay);
    }
}

#[test]
fn another_document_looks_when_one_is_gone_and_more_often() {
    let mut relay = two();
    relay.posted(2, SHOWN);
    relay.port_closed(1);
    assert_eq!(said(&mut relay), one(2, METER));
    open(&mut relay, 3, ORIGIN, "c");
    relay.posted(3, r#"{"leaving":{}}"#);
    relay.port_closed(3);
    assert_eq!(said(&mut relay), one(2, r#"{"watch":{"found":false}}"#));
    relay.host_said(&format!(r#"{{"unseen":{{"origin":"{ORIGIN}"}}}}"#));
    assert_eq!(said(&mut relay), one(2, r#"{"watch":{"found":true}}"#));
}

#[test]
fn another_document_looks_once_the_site_is_on_again() {
    let mut relay = two();
    relay.host_gone("");
    relay.host_started();
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":[]}}}}"#
    ));
    let refused = r#"{"refused":{}}"#.to_owned();
    assert!(said(&mut relay).contains(&(1, refused)));
    // A document of before stays, and its tab has not been loaded again.
    relay.port_closed(1);
    relay.host_gone("");
    greet(&mut relay);
    open(&mut relay, 3, ORIGIN, "c");
    said(&mut relay);
    relay.posted(3, SHOWN);
    assert_eq!(said(&mut relay), one(3, METER));
}
