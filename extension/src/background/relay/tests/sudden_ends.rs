//! Documents that end without a word.

use super::*;

fn gap(port: u32, context: &str) -> Action {
    Action::ToHost(format!(
        r#"{{"part":{{"context":"end.{port}.{context}","page":{{"origin":"{ORIGIN}","tab":7,"frame":0}},"part":{{"sequence":1,"index":0,"count":1,"text":"{{\"gap\":{{\"reason\":\"a document ended without a word\",\"stores\":[]}}}}"}}}}}}"#
    ))
}

/// The time has come to name ends.
fn name_ends(relay: &mut Relay) -> Vec<Action> {
    relay.take_actions();
    relay.woken(Alarm::Ends);
    relay.take_actions()
}

fn greeted() -> Relay {
    let mut relay = relay();
    greet(&mut relay);
    relay
}

#[test]
fn document_that_ends_without_a_word_is_a_gap_behind_what_it_sent() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "a");
    deliver(&mut relay, 1, 1);
    relay.port_closed(1);
    let wake = Action::Wake {
        alarm: Alarm::Ends,
        after: timing::END_DOUBT,
    };
    assert_eq!(relay.take_actions(), [wake]);
    assert_eq!(name_ends(&mut relay), []);
    let Some(Action::ToHost(sent)) = greet(&mut relay).pop() else {
        panic!("nothing is sent")
    };
    let (Action::ToHost(delivery), Action::ToHost(gap)) = (delivery("a", 1), gap(1, "a")) else {
        panic!()
    };
    assert_eq!(sent, format!("[{delivery},{gap}]"));
}

#[test]
fn document_that_says_that_it_leaves_is_no_gap() {
    let mut relay = greeted();
    open(&mut relay, 1, ORIGIN, "a");
    deliver(&mut relay, 1, 1);
    leave(&mut relay, 1);
    assert_eq!(name_ends(&mut relay), []);
}

#[test]
fn document_that_comes_back_and_then_leaves_is_no_gap() {
    let mut relay = greeted();
    open(&mut relay, 1, ORIGIN, "a");
    deliver(&mut relay, 1, 1);
    relay.port_closed(1);
    open(&mut relay, 2, ORIGIN, "a");
    leave(&mut relay, 2);
    assert_eq!(name_ends(&mut relay), []);
}

#[test]
fn document_that_the_browser_keeps_is_no_gap() {
    let mut relay = greeted();
    open(&mut relay, 1, ORIGIN, "a");
    relay.document_cached(1);
    relay.port_closed(1);
    assert_eq!(name_ends(&mut relay), []);
}

#[test]
fn documents_that_end_together_are_one_gap() {
    let mut relay = greeted();
    for (port, context) in [(1, "a"), (2, "b"), (3, "c")] {
        open(&mut relay, port, ORIGIN, context);
    }
    relay.port_closed(1);
    relay.port_closed(2);
    assert_eq!(name_ends(&mut relay), [gap(1, "a")]);
    relay.port_closed(3);
    assert_eq!(name_ends(&mut relay), [gap(3, "c")]);
    assert_eq!(name_ends(&mut relay), []);
}

#[test]
fn document_that_goes_on_over_another_port_is_no_gap() {
    let mut relay = greeted();
    open(&mut relay, 1, ORIGIN, "a");
    // It is back before the end of its port is known.
    open(&mut relay, 2, ORIGIN, "a");
    relay.port_closed(1);
    assert_eq!(name_ends(&mut relay), []);
    relay.port_closed(2);
    open(&mut relay, 3, ORIGIN, "a");
    assert_eq!(name_ends(&mut relay), []);
    relay.port_closed(3);
    assert_eq!(name_ends(&mut relay), [gap(3, "a")]);
}

#[test]
fn end_without_a_word_while_the_host_is_away_is_judged_when_it_comes() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "a");
    open(&mut relay, 2, "http://localhost:9999", "other");
    // It has not said who it is.
    relay.bridge_opened(3, sender(ORIGIN));
    for port in [3, 2, 1] {
        relay.port_closed(port);
    }
    assert_eq!(name_ends(&mut relay), []);
    assert_eq!(greet(&mut relay).last(), Some(&gap(1, "a")));
    relay.host_gone("Native host has exited.");
    relay.take_actions();
    assert_eq!(greet(&mut relay).last(), Some(&gap(1, "a")));
}

#[test]
fn document_that_was_turned_away_is_no_gap() {
    let mut relay = greeted();
    open(&mut relay, 1, "http://localhost:9999", "other");
    relay.port_closed(1);
    assert_eq!(name_ends(&mut relay), []);
}

#[test]
fn gap_of_a_document_with_a_long_name_has_a_name_that_the_host_takes() {
    let mut relay = greeted();
    let context = "x".repeat(MAX_CONTEXT);
    open(&mut relay, 1, ORIGIN, &context);
    relay.port_closed(1);
    assert_eq!(name_ends(&mut relay), [gap(1, &context[..MAX_CONTEXT - 6])]);
}
