//! Commits of one document while another one may have committed what it has not sent.

use super::*;

/// The documents `a` and `b` of one origin, at the ports 1 and 2.
fn two_documents() -> Relay {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "a");
    open(&mut relay, 2, ORIGIN, "b");
    relay.take_actions();
    relay
}

/// Whether what a document commits now may be younger than what another one has not sent yet.
fn may_overtake(relay: &mut Relay, port: u32, sequence: u64) -> bool {
    deliver(relay, port, sequence);
    let sent = relay.take_actions().into_iter().find_map(|action| match action {
        Action::ToHost(text) if text.starts_with(r#"{"delivery""#) => Some(text),
        _ => None,
    });
    sent.expect("a delivery").contains(r#""may_overtake":true"#)
}

const WRITING: &str = r#"{"writing":{}}"#;
const RESTED: &str = r#"{"rested":{}}"#;

#[test]
fn commit_may_overtake_while_another_document_writes() {
    let mut relay = two_documents();
    assert!(!may_overtake(&mut relay, 2, 1));
    relay.posted(1, WRITING);
    assert!(may_overtake(&mut relay, 2, 2));
    // Its own commits come in order.
    assert!(!may_overtake(&mut relay, 1, 1));
    assert!(may_overtake(&mut relay, 2, 3));
    relay.posted(1, RESTED);
    assert!(!may_overtake(&mut relay, 2, 4));
}

#[test]
fn documents_of_other_origins_overtake_nothing() {
    let mut relay = two_documents();
    relay.bridge_opened(3, sender("http://localhost:8081"));
    relay.posted(3, WRITING);
    assert!(!may_overtake(&mut relay, 2, 1));
}

#[test]
fn document_that_leaves_has_sent_gaps() {
    let mut relay = two_documents();
    relay.posted(1, WRITING);
    leave(&mut relay, 1);
    assert!(!may_overtake(&mut relay, 2, 1));
}

#[test]
fn commit_may_overtake_until_the_gap_of_a_sudden_end() {
    let mut relay = two_documents();
    relay.port_closed(1);
    relay.take_actions();
    assert!(may_overtake(&mut relay, 2, 1));
    relay.woken(Alarm::Ends);
    relay.take_actions();
    assert!(!may_overtake(&mut relay, 2, 2));
}

#[test]
fn delivery_without_room_is_still_to_come() {
    let mut relay = two_documents();
    relay.posted(
        1,
        r#"{"part":{"sequence":1,"index":1,"count":2,"text":"behind nothing"}}"#,
    );
    assert!(
        relay
            .take_actions()
            .contains(&to_bridge(1, r#"{"too_much":{"sequence":1}}"#))
    );
    assert!(may_overtake(&mut relay, 2, 1));
    relay.posted(1, RESTED);
    assert!(!may_overtake(&mut relay, 2, 2));
}

#[test]
fn delivery_that_waits_for_the_host_keeps_what_it_came_with() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "a");
    open(&mut relay, 2, ORIGIN, "b");
    relay.posted(1, WRITING);
    deliver(&mut relay, 2, 1);
    deliver(&mut relay, 1, 1);
    relay.posted(1, RESTED);
    let sent = greet(&mut relay).into_iter().find_map(|action| match action {
        Action::ToHost(text) if text.contains("delivery") => Some(text),
        _ => None,
    });
    let sent = sent.expect("deliveries");
    let (first, second) = sent.split_once("},{").expect("two of them");
    assert!(first.contains(r#""may_overtake":true"#), "{first}");
    assert!(!second.contains("may_overtake"), "{second}");
}
