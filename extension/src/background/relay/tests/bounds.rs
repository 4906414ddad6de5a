//! What one page may cost the background: memory has a bound, and what fails twice is left out.

use std::cell::RefCell;

use protocol::{body::MAX_BODY_DEPTH, wire::host::ToHost};
use serde_json::value::RawValue;

use super::{parts::MAX_HELD, *};
use crate::background::outbox::Content;

fn part(relay: &mut Relay, port: u32, index: u32, count: u32, text: &str) {
    relay.posted(
        port,
        &format!(r#"{{"part":{{"sequence":1,"index":{index},"count":{count},"text":"{text}"}}}}"#),
    );
}

fn turned_away(actions: &[Action]) -> Vec<u32> {
    let ports = actions.iter().filter_map(|action| match action {
        Action::ToPort { port, text } if text == r#"{"too_much":{"sequence":1}}"# => Some(*port),
        _ => None,
    });
    ports.collect()
}

fn held(relay: &Relay) -> usize {
    relay.outbox.bytes() + relay.bridges.part_bytes()
}

#[test]
fn gap_in_the_place_of_no_json_has_to_find_room() {
    assert!(matches!(Content::of("x".to_owned()), Content::Whole(_)));
}

#[test]
fn large_deliveries_of_many_frames_share_one_bound() {
    let mut relay = relay();
    greet(&mut relay);
    let text = "x".repeat(MAX_HELD / 16);
    for port in 1..=60 {
        open(&mut relay, port, ORIGIN, &format!("c{port}"));
    }
    relay.take_actions();
    let mut refused = Vec::new();
    for index in 0..8 {
        for port in 1..=60 {
            part(&mut relay, port, index, 9, &text);
            assert!(held(&relay) <= MAX_HELD, "{} bytes", held(&relay));
            refused.extend(turned_away(&relay.take_actions()));
        }
    }
    // Each was notified once, although more of its delivery followed.
    refused.sort_unstable();
    assert_eq!(
        refused,
        (1..=60).filter(|port| refused.contains(port)).collect::<Vec<_>>()
    );
    assert!(refused.len() >= 44, "{refused:?}");
    // A gap in the place of the delivery always fits, and so does what others write.
    let port = refused[0];
    relay.posted(
        port,
        r#"{"deliveries":[{"sequence":1,"body":{"gap":{"reason":"r","stores":[]}}}]}"#,
    );
    let sent = relay.take_actions();
    assert!(
        matches!(&sent[..], [Action::ToHost(text)] if text.contains("gap")),
        "{sent:?}"
    );
    // Documents that go give back what they took.
    for port in 1..=60 {
        leave(&mut relay, port);
    }
    assert_eq!(relay.bridges.part_bytes(), 0);
}

#[test]
fn whole_deliveries_wait_within_the_bound_while_there_is_no_host() {
    let mut relay = relay();
    let text = "x".repeat(900_000);
    let mut refused = Vec::new();
    for port in 1..=60 {
        open(&mut relay, port, ORIGIN, &format!("c{port}"));
        relay.posted(
            port,
            &format!(r#"{{"deliveries":[{{"sequence":1,"body":"{text}"}},{{"sequence":2,"body":1}}]}}"#),
        );
        assert!(held(&relay) <= MAX_HELD, "{} bytes", held(&relay));
        refused.extend(turned_away(&relay.take_actions()));
    }
    assert_eq!(relay.outbox.len(), 2 * (60 - refused.len() as u64));
    assert!(!refused.is_empty());
}

/// Taken before the one that was turned away, it would make the host miss that one.
#[test]
fn delivery_behind_one_that_was_turned_away_waits_for_it() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    let say = |relay: &mut Relay, text: &str| {
        relay.posted(1, text);
        format!("{:?}", relay.take_actions()).replace('\\', "")
    };
    let part = |sequence: u64, index: u32| {
        format!(r#"{{"part":{{"sequence":{sequence},"index":{index},"count":2,"text":"1"}}}}"#)
    };
    let whole = |sequence: u64| {
        format!(
            r#"{{"deliveries":[{{"sequence":{sequence},"body":{{"gap":{{"reason":"","stores":[]}}}}}}]}}"#
        )
    };
    assert!(say(&mut relay, &part(2, 1)).contains(r#"{"too_much":{"sequence":2}}"#));
    assert_eq!(say(&mut relay, &whole(3)), "[]");
    assert_eq!(say(&mut relay, &part(4, 0)), "[]");
    assert_eq!(say(&mut relay, &part(4, 1)), "[]");
    assert!(say(&mut relay, &whole(2)).contains(r#""sequence":2"#));
    assert!(say(&mut relay, &whole(3)).contains(r#""sequence":3"#));
}

#[test]
fn parts_of_two_deliveries_make_no_third() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    let say = |relay: &mut Relay, sequence: u64, index: u32| {
        let part = format!(r#"{{"sequence":{sequence},"index":{index},"count":2,"text":"1"}}"#);
        relay.posted(1, &format!(r#"{{"part":{part}}}"#));
        let mut actions = relay.take_actions();
        actions.retain(|action| {
            !matches!(
                action,
                Action::Wake {
                    alarm: Alarm::Parts,
                    ..
                }
            )
        });
        format!("{actions:?}").replace('\\', "")
    };
    // What the first one has left is not what the second one begins with.
    assert_eq!(say(&mut relay, 1, 0), "[]");
    let refused = say(&mut relay, 2, 1);
    assert!(refused.contains(r#"{"too_much":{"sequence":2}}"#), "{refused}");
    assert_eq!(relay.outbox.len(), 0);
    // Nor does one go on behind a part that is missing.
    assert!(say(&mut relay, 1, 1).contains("too_much"));
    assert_eq!(say(&mut relay, 1, 0), "[]");
    let sent = say(&mut relay, 1, 1);
    assert!(sent.contains(r#""sequence":1"#), "{sent}");
}

thread_local! {
    static HANDS: RefCell<Vec<Option<(String, u64)>>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn deliveries_that_failed_are_left_out_unseen() {
    let watch: InHand = |delivery| {
        let delivery = delivery.map(|(context, sequence)| (context.to_owned(), sequence));
        HANDS.with_borrow_mut(|hands| hands.push(delivery));
    };
    let left_out = [("c".to_owned(), 2), ("c".to_owned(), 3)];
    let mut relay = relay().after_traps(left_out, watch);
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    relay.posted(
        1,
        r#"{"deliveries":[{"sequence":1,"body":{"x":-0}},{"sequence":2,"body":{"commit":{"s":1}}},{"sequence":3,"body":{"snapshot":1}}]}"#,
    );
    let sent = format!("{:?}", relay.take_actions()).replace('\\', "");
    assert!(sent.contains(r#""body":{"x":-0}"#), "{sent}");
    assert!(sent.contains("the extension failed on it, twice"), "{sent}");
    assert!(sent.contains("skipped") && !sent.contains("snapshot"), "{sent}");
    let hands = HANDS.take();
    let expected = [Some(1), None, None, None];
    assert_eq!(
        hands
            .iter()
            .map(|hand| hand.as_ref().map(|(_, sequence)| *sequence))
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn body_nested_too_deep_takes_no_other_along() {
    let deep = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    relay.posted(
        1,
        &format!(
            r#"{{"deliveries":[{{"sequence":1,"body":{{"x":-0}}}},{{"sequence":2,"body":{}}},{{"sequence":3,"body":{}}},{{"sequence":4,"body":{{"snapshot":{}}}}}]}}"#,
            deep(MAX_BODY_DEPTH),
            deep(MAX_BODY_DEPTH - 1),
            deep(200_000),
        ),
    );
    let [Action::ToHost(frame)] = &relay.take_actions()[..] else {
        panic!("one frame")
    };
    let messages: Vec<ToHost<'_, &RawValue>> = serde_json::from_str(frame).expect("messages");
    let bodies: Vec<&str> = messages
        .iter()
        .map(|message| match message {
            ToHost::Delivery(delivery) => delivery.body.get(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        bodies,
        [
            r#"{"x":-0}"#,
            r#"{"gap":{"reason":"a delivery was left out: it nests too deep","stores":[]}}"#,
            &deep(MAX_BODY_DEPTH - 1),
            r#"{"skipped":{"reason":"it nests too deep"}}"#,
        ]
    );
}

#[test]
fn body_in_parts_nested_too_deep_travels_as_a_gap_once_it_is_redacted() {
    let mut relay = relay();
    relay.host_started();
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":["{ORIGIN}"],"redact":[{{"database":"e","fields":["/a"],"how":"mask"}}]}}}}"#
    ));
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    let before = r#"{\"commit\":{\"database\":\"d\",\"version\":1,\"began_at\":1,\"committed_at\":2,\"operations\":[{\"put\":{\"store\":\"s\",\"key\":1,\"value\":"#;
    part(&mut relay, 1, 0, 2, &format!("{before}{}", "[".repeat(100_000)));
    part(&mut relay, 1, 1, 2, &format!("{}}}}}]}}}}", "]".repeat(100_000)));
    let sent = format!("{:?}", relay.take_actions());
    assert!(
        sent.len() < 1000 && sent.contains("it nests too deep"),
        "{}",
        &sent[..1000.min(sent.len())]
    );
}

/// Sends the body of a first delivery in slices of 1 MiB.
fn send_in_parts(relay: &mut Relay, port: u32, mebibytes: u32) {
    send_parts_of(relay, port, 1, mebibytes);
}

fn send_parts_of(relay: &mut Relay, port: u32, sequence: u64, mebibytes: u32) {
    let text = "x".repeat(1024 * 1024);
    for index in 0..mebibytes {
        relay.posted(
            port,
            &format!(
                r#"{{"part":{{"sequence":{sequence},"index":{index},"count":{mebibytes},"text":"{text}"}}}}"#
            ),
        );
    }
}

/// What the host is sent, without the slashes of JSON in JSON.
fn sent(relay: &mut Relay) -> String {
    let messages = relay
        .take_actions()
        .into_iter()
        .filter_map(|action| match action {
            Action::ToHost(text) => Some(text.replace('\\', "")),
            _ => None,
        });
    messages.collect()
}

#[test]
fn delivery_past_what_the_host_takes_is_turned_away() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    send_in_parts(&mut relay, 1, 25);
    let actions = relay.take_actions();
    assert_eq!(turned_away(&actions), [1]);
    assert!(!actions.iter().any(|action| matches!(action, Action::ToHost(_))));
    assert_eq!(held(&relay), 0);
}

#[test]
fn origin_that_stands_still_holds_up_no_other() {
    let mut relay = relay();
    greet(&mut relay);
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":["http://localhost:*"]}}}}"#
    ));
    open(&mut relay, 1, ORIGIN, "large");
    open(&mut relay, 2, "http://localhost:1", "small");
    sent(&mut relay);
    send_in_parts(&mut relay, 1, 17);
    assert!(sent(&mut relay).contains(r#""context":"large""#));
    // The host says nothing of it.
    deliver(&mut relay, 1, 2);
    assert_eq!(sent(&mut relay), "");
    deliver(&mut relay, 2, 1);
    assert!(sent(&mut relay).contains(r#""context":"small""#));
}

#[test]
fn delivery_that_the_host_names_twice_gives_way_to_a_gap() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.posted(
        1,
        r#"{"deliveries":[{"sequence":1,"body":{"commit":{"x":1}}},{"sequence":2,"body":{"commit":{"x":2}}}]}"#,
    );
    sent(&mut relay);
    let error =
        r#"{"error":{"code":"malformed_message","message":"m","fix":"c","context":"c","sequence":1}}"#;
    relay.host_said(error);
    assert_eq!(sent(&mut relay), "");
    relay.host_gone("Native host has exited.");
    greet(&mut relay);
    relay.host_said(error);
    let again = sent(&mut relay);
    assert!(
        again.contains(r#""sequence":1"#) && again.contains(r#"{"gap""#),
        "{again}"
    );
    assert!(!again.contains("commit\":"), "{again}");
    // Once acknowledged, both are forgotten.
    relay.host_said(r#"{"acknowledged":{"context":"c","sequence":2}}"#);
    assert_eq!(held(&relay), 0);
}

#[test]
fn number_past_all_counting_is_dropped() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    deliver(&mut relay, 1, 1 << 53);
    assert_eq!(relay.take_actions(), []);
    assert_eq!(relay.outbox.len(), 0);
}

#[test]
fn small_deliveries_of_closed_documents_are_bounded() {
    let mut relay = relay();
    let text = "x".repeat(60_000);
    for port in 1..=1200 {
        open(&mut relay, port, ORIGIN, &format!("c{port}"));
        relay.posted(
            port,
            &format!(
                r#"{{"deliveries":[{{"sequence":1,"body":{{"commit":{{"database":"d","operations":[{{"put":{{"store":"s{port}","key":1,"value":"{text}"}}}}]}}}}}}]}}"#
            ),
        );
        leave(&mut relay, port);
        assert!(held(&relay) <= MAX_HELD + text.len(), "{} bytes", held(&relay));
    }
    let gaps = format!("{:?}", greet(&mut relay)).replace('\\', "");
    assert_eq!(gaps.matches(r#"{"gap":"#).count(), 1);
    assert!(gaps.contains(r#""store":"s1""#) && !gaps.contains(r#""store":"s1200""#));
    // What is open may have as much.
    open(&mut relay, 5000, ORIGIN, "open");
    deliver(&mut relay, 5000, 1);
    assert!(relay.outbox.holds_of("open"));
}

#[test]
fn delivery_of_which_no_part_comes_gives_way() {
    let mut relay = relay();
    greet(&mut relay);
    for (port, context) in [(1, "blocked"), (2, "busy"), (3, "late")] {
        open(&mut relay, port, ORIGIN, context);
    }
    relay.take_actions();
    let text = "x".repeat(1024 * 1024);
    for index in 0..15 {
        part(&mut relay, 1, index, 20, &text);
        part(&mut relay, 2, index, 20, &text);
    }
    let alarm = |relay: &mut Relay| {
        relay.woken(Alarm::Parts);
        let set = Action::Wake {
            alarm: Alarm::Parts,
            after: Duration::from_secs(60),
        };
        assert_eq!(relay.take_actions(), [set]);
    };
    relay.take_actions();
    alarm(&mut relay);
    alarm(&mut relay);
    part(&mut relay, 2, 15, 20, "x");
    // While there is room it may stay.
    assert_eq!(turned_away(&relay.take_actions()), [0; 0]);
    for index in 0..2 {
        part(&mut relay, 3, index, 3, &text);
    }
    assert_eq!(turned_away(&relay.take_actions()), [1]);
    part(&mut relay, 3, 2, 3, &text);
    assert!(relay.outbox.holds_of("late"));
    // What the first one still had on its way is dropped, and a gap takes its place.
    part(&mut relay, 1, 15, 20, &text);
    relay.take_actions();
    assert_eq!(relay.bridges.still(0), [(2, 1)]);
    leave(&mut relay, 2);
    relay.woken(Alarm::Parts);
    assert!(!relay.take_actions().iter().any(|action| matches!(
        action,
        Action::Wake {
            alarm: Alarm::Parts,
            ..
        }
    )));
}

const OTHER: &str = "http://localhost:1";

/// A whole delivery of so many KiB.
fn whole(sequence: u64, kibibytes: usize) -> String {
    let text = "x".repeat(kibibytes * 1024);
    format!(r#"{{"deliveries":[{{"sequence":{sequence},"body":{{"commit":"{text}"}}}}]}}"#)
}

/// A relay with a host that takes all origins of `localhost`.
fn relay_of_many_origins() -> Relay {
    let mut relay = relay();
    greet(&mut relay);
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":["http://localhost:*"]}}}}"#
    ));
    relay
}

#[test]
fn origin_that_holds_most_gives_way_to_others() {
    let mut relay = relay_of_many_origins();
    let text = "x".repeat(1024 * 1024);
    for port in 1..=4 {
        open(&mut relay, port, ORIGIN, &format!("busy {port}"));
    }
    open(&mut relay, 9, OTHER, "other");
    relay.take_actions();
    // Four deliveries that are never whole; the second is the longest.
    for (port, parts) in [(1, 7), (2, 9), (3, 7), (4, 7)] {
        for index in 0..parts {
            part(&mut relay, port, index, 20, &text);
        }
    }
    assert_eq!(turned_away(&relay.take_actions()), [0; 0]);
    // It would take from the others what it does not have itself: it is turned away.
    part(&mut relay, 1, 7, 20, &text);
    part(&mut relay, 1, 8, 20, &text);
    assert_eq!(turned_away(&relay.take_actions()), [1]);
    for index in 0..7 {
        part(&mut relay, 1, index, 20, &text);
    }
    relay.take_actions();
    relay.posted(9, &whole(1, 3000));
    let actions = relay.take_actions();
    assert_eq!(turned_away(&actions), [2]);
    assert!(relay.outbox.holds_of("other"));
    assert!(held(&relay) <= MAX_HELD, "{} bytes", held(&relay));
}

#[test]
fn open_documents_of_the_largest_origin_give_way_while_there_is_no_host() {
    let mut relay = relay();
    for (port, mebibytes) in [(1, 14), (2, 12)] {
        open(&mut relay, port, ORIGIN, &format!("busy {port}"));
        relay.take_actions();
        send_in_parts(&mut relay, port, mebibytes);
        relay.posted(port, &whole(2, 1024));
    }
    open(&mut relay, 3, OTHER, "other");
    relay.take_actions();
    send_in_parts(&mut relay, 3, 8);
    assert_eq!(turned_away(&relay.take_actions()), [1]);
    assert!(relay.outbox.holds_of("other") && relay.outbox.holds_of("busy 2"));
    assert!(!relay.outbox.holds_of("busy 1"));
    // What came behind it comes again, too, and finds room behind the gap.
    relay.posted(1, &whole(2, 1024));
    assert!(!relay.outbox.holds_of("busy 1"));
    relay.posted(
        1,
        r#"{"deliveries":[{"sequence":1,"body":{"gap":{"reason":"r","stores":[]}}}]}"#,
    );
    relay.posted(1, &whole(2, 1024));
    assert_eq!(relay.outbox.len(), 5);
    // It holds more than the other one, which gives it no room.
    send_parts_of(&mut relay, 2, 3, 10);
    assert!(sent_to(&relay.take_actions(), 2).contains(r#"{"too_much":{"sequence":3}}"#));
    assert!(relay.outbox.holds_of("other"));
    relay.outbox.forget("busy 1");
    relay.outbox.forget("busy 2");
    relay.outbox.forget("other");
    assert_eq!(held(&relay), 0);
}

/// What was sent to a port.
fn sent_to(actions: &[Action], of: u32) -> String {
    let texts = actions.iter().filter_map(|action| match action {
        Action::ToPort { port, text } if *port == of => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn closed_documents_of_the_largest_origin_give_way_first() {
    let mut relay = relay();
    // The oldest is that of another origin.
    for (port, origin, count) in [(1, OTHER, 2), (2, ORIGIN, 15), (3, ORIGIN, 14)] {
        open(&mut relay, port, origin, &format!("c{port}"));
        for sequence in 1..=count {
            relay.posted(port, &whole(sequence, 1000));
        }
        leave(&mut relay, port);
    }
    relay.take_actions();
    open(&mut relay, 4, "http://localhost:2", "new");
    relay.posted(4, &whole(1, 2900));
    assert_eq!(turned_away(&relay.take_actions()), [0; 0]);
    assert!(relay.outbox.holds_of("new"));
    // A gap stands for those of the second document.
    assert_eq!(relay.outbox.len(), 2 + 1 + 14 + 1);
}

#[test]
fn empty_parts_keep_no_delivery_alive() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    let text = "x".repeat(1024 * 1024);
    part(&mut relay, 1, 0, 20, &text);
    for index in 1..=2 {
        relay.woken(Alarm::Parts);
        part(&mut relay, 1, index, 20, "");
    }
    assert_eq!(relay.bridges.still(2), [(1, 1)]);
}

#[test]
fn empty_stacks_are_bounded() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    if let Some(bridge) = relay.bridges.get_mut(1) {
        bridge.traced = true;
    }
    let empty = serde_json::to_string(&vec![""; 200_000]).unwrap();
    for sequence in 1..=10 {
        relay.posted(
            1,
            &format!(r#"{{"trace":{{"sequence":{sequence},"stacks":{empty}}}}}"#),
        );
    }
    let bridge = relay.bridges.get_mut(1).unwrap();
    assert_eq!(bridge.stacks.len(), 0, "{} bytes", bridge.stack_bytes);
}
