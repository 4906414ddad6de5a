//! The relay's behaviour, from both ends.

use std::collections::BTreeMap;

use protocol::{
    PROTOCOL_VERSION,
    wire::{
        bridge::{BRIDGES_WINDOW, MAX_PART_UNITS, Part, SMALLEST_WINDOW},
        host::Page,
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::*;

mod bounds;
mod identity;
mod inspection;
mod look;
mod meters;
mod overtaking;
mod policy;
mod rules;
mod sudden_ends;
mod surveys;
mod trace;
mod workers;

const ORIGIN: &str = "http://localhost:8080";
/// That of a top document.
const PLACE: &str = r#"{"ancestors":[],"ephemeral":false}"#;

/// What is no JSON for itself, in the notation of these tests.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Posted<'a> {
    #[serde(borrow)]
    Deliveries(Vec<PostedDelivery<'a>>),
    #[serde(borrow)]
    Part(Part<'a>),
}

#[derive(Deserialize)]
struct PostedDelivery<'a> {
    sequence: u64,
    #[serde(borrow)]
    body: &'a RawValue,
}

impl Relay {
    /// Something came over a port.
    fn posted(&mut self, port: u32, message: &str) {
        match serde_json::from_str(message) {
            Ok(Posted::Part(slice)) => self.receive_part(port, slice),
            Ok(Posted::Deliveries(deliveries)) => {
                let first = deliveries[0].sequence;
                assert!(
                    (first..)
                        .zip(&deliveries)
                        .all(|(number, delivery)| number == delivery.sequence)
                );
                let bodies = deliveries.iter().map(|delivery| delivery.body.get().to_owned());
                self.receive_bodies(port, first, bodies.collect());
            }
            Err(_) => self.port_said(port, message),
        }
    }
}

fn relay() -> Relay {
    let identity = Identity {
        protocol: PROTOCOL_VERSION,
        version: "0.1.0".into(),
        browser: "chromium/156".into(),
        profile: "p".into(),
    };
    let mut relay = Relay::new(identity, Decisions::default(), [7; 32]);
    assert_eq!(
        relay.take_actions(),
        [
            Action::StartHost {
                after: Duration::ZERO
            },
            Action::Wake {
                alarm: Alarm::Policy,
                after: timing::POLICY_PATIENCE
            }
        ]
    );
    // Most browsers have no policy, and say so.
    relay.policy(Policy::default());
    relay.take_actions();
    relay
}

fn greet(relay: &mut Relay) -> Vec<Action> {
    relay.host_started();
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":["{ORIGIN}"]}}}}"#
    ));
    // What is kept for the next start is a matter of the inspection's tests, the rules are one of
    // their own.
    let mut actions = relay.take_actions();
    actions.retain(|action| !matches!(action, Action::Save(_)));
    let rules = Action::ToHost(r#"{"rules":{"fingerprint":""}}"#.into());
    actions.retain(|action| *action != rules);
    actions
}

/// A page in a tab.
fn sender(origin: &'static str) -> Sender {
    Sender {
        page: Page {
            origin: origin.into(),
            tab: 7,
            frame: 0,
        },
        incognito: false,
        container: String::new(),
        top: None,
        inactive: false,
    }
}

fn open(relay: &mut Relay, port: u32, origin: &'static str, context: &str) {
    relay.bridge_opened(port, sender(origin));
    relay.posted(
        port,
        &format!(r#"{{"open":{{"context":"{context}","late":false,"place":{PLACE}}}}}"#),
    );
}

/// A document goes away, and says so.
fn leave(relay: &mut Relay, port: u32) {
    relay.posted(port, r#"{"leaving":{}}"#);
    relay.port_closed(port);
}

fn deliver(relay: &mut Relay, port: u32, sequence: u64) {
    relay.posted(
        port,
        &format!(r#"{{"deliveries":[{{"sequence":{sequence},"body":{{"x":-0}}}}]}}"#),
    );
}

fn delivery(context: &str, sequence: u64) -> Action {
    Action::ToHost(format!(
        r#"{{"delivery":{{"context":"{context}","sequence":{sequence},"page":{{"origin":"{ORIGIN}","tab":7,"frame":0}},"body":{{"x":-0}}}}}}"#
    ))
}

fn to_bridge(port: u32, text: &str) -> Action {
    Action::ToPort {
        port,
        text: text.into(),
    }
}

fn is_welcome(action: &Action) -> bool {
    matches!(action, Action::ToPort { text, .. } if text.contains("welcome"))
}

#[test]
fn a_delivery_goes_to_the_host_at_once_and_its_acknowledgement_back() {
    let mut relay = relay();
    let actions = greet(&mut relay);
    assert!(matches!(&actions[0], Action::ToHost(text) if text.starts_with(r#"{"hello":{"protocol""#)));
    assert_eq!(
        actions[1..],
        [Action::Register(vec!["http://localhost/*".into()])]
    );
    open(&mut relay, 1, ORIGIN, "c");
    let actions = relay.take_actions();
    assert_eq!(actions.len(), 1);
    assert!(is_welcome(&actions[0]));
    deliver(&mut relay, 1, 1);
    assert_eq!(relay.take_actions(), [delivery("c", 1)]);
    relay.host_said(r#"{"acknowledged":{"context":"c","sequence":1}}"#);
    assert_eq!(
        relay.take_actions(),
        [to_bridge(1, r#"{"acknowledged":{"sequence":1}}"#)]
    );
}

#[test]
fn deliveries_that_come_together_leave_together() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    relay.posted(
        1,
        r#"{"deliveries":[{"sequence":1,"body":{"x":-0}},{"sequence":2,"body":{"x":-0}}]}"#,
    );
    let (Action::ToHost(first), Action::ToHost(second)) = (delivery("c", 1), delivery("c", 2)) else {
        panic!()
    };
    assert_eq!(
        relay.take_actions(),
        [Action::ToHost(format!("[{first},{second}]"))]
    );
}

#[test]
fn what_comes_before_the_hello_waits_and_is_judged_then() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "c");
    open(&mut relay, 2, "http://localhost:9999", "other");
    deliver(&mut relay, 1, 1);
    deliver(&mut relay, 2, 1);
    assert_eq!(relay.take_actions(), []);
    let actions = greet(&mut relay);
    assert!(is_welcome(&actions[2]));
    assert_eq!(
        actions[3..],
        [
            to_bridge(2, r#"{"refused":{}}"#),
            Action::ShowInTab {
                tab: 7,
                problem: problems::not_captured("http://localhost:9999"),
            },
            delivery("c", 1)
        ]
    );
    deliver(&mut relay, 2, 2);
    assert_eq!(relay.take_actions(), []);
}

#[test]
fn what_a_closed_page_left_is_judged_too() {
    let mut relay = relay();
    open(&mut relay, 1, ORIGIN, "c");
    open(&mut relay, 2, "http://localhost:9999", "other");
    deliver(&mut relay, 1, 1);
    deliver(&mut relay, 2, 1);
    leave(&mut relay, 1);
    leave(&mut relay, 2);
    let actions = greet(&mut relay);
    assert_eq!(actions[2..], [delivery("c", 1)]);
}

#[test]
fn the_hosts_own_words_stay_until_it_is_back() {
    let mut relay = relay();
    greet(&mut relay);
    relay.host_said(r#"{"error":{"code":"journal_locked","message":"The journal is in use.","fix":"Close the other browser."}}"#);
    let actions = relay.take_actions();
    assert!(
        matches!(&actions[0], Action::Show { problem: Some(problem), .. } if problem.message.contains("in use"))
    );
    relay.host_gone("Native host has exited.");
    assert_eq!(
        relay.take_actions(),
        [Action::StartHost {
            after: timing::FIRST_BACKOFF
        }]
    );
    let actions = greet(&mut relay);
    assert_eq!(
        actions[1],
        Action::Show {
            problem: None,
            paused: false
        }
    );
}

#[test]
fn what_was_wrong_with_one_delivery_ends_with_the_next_acknowledgement() {
    let mut relay = relay();
    greet(&mut relay);
    relay.host_said(r#"{"error":{"code":"deliveries_missing","message":"m","fix":"c"}}"#);
    assert!(matches!(
        relay.take_actions()[..],
        [Action::Show { problem: Some(_), .. }]
    ));
    relay.host_said(r#"{"acknowledged":{"context":"c","sequence":1}}"#);
    assert_eq!(
        relay.take_actions(),
        [Action::Show {
            problem: None,
            paused: false
        }]
    );
}

#[test]
fn a_new_host_gets_what_the_old_one_left_even_of_closed_pages() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    deliver(&mut relay, 1, 1);
    deliver(&mut relay, 1, 2);
    relay.host_said(r#"{"acknowledged":{"context":"c","sequence":1}}"#);
    leave(&mut relay, 1);
    relay.take_actions();
    relay.host_gone("Native host has exited.");
    let actions = relay.take_actions();
    assert!(matches!(&actions[0], Action::Show { problem: Some(_), .. }));
    assert_eq!(
        actions[1],
        Action::StartHost {
            after: timing::FIRST_BACKOFF
        }
    );
    let actions = greet(&mut relay);
    assert_eq!(
        actions[1],
        Action::Show {
            problem: None,
            paused: false
        }
    );
    assert_eq!(actions.last(), Some(&delivery("c", 2)));
}

#[test]
fn another_protocol_ends_the_connection_with_a_fix_and_without_haste() {
    let mut relay = relay();
    relay.host_started();
    relay.take_actions();
    relay.host_said(r#"{"hello":{"protocol":99,"version":"9.0.0","origins":[]}}"#);
    let actions = relay.take_actions();
    assert_eq!(actions[0], Action::StopHost);
    assert!(
        matches!(&actions[1], Action::Show { problem: Some(problem), .. } if problem.fix.starts_with("Update the extension"))
    );
    assert_eq!(
        actions[2],
        Action::StartHost {
            after: timing::SLOW_BACKOFF
        }
    );

    // One that ends at once, as it would when it turns us away, too, is still another version's.
    relay.host_gone("Native host has exited.");
    let actions = relay.take_actions();
    assert_eq!(
        actions,
        [Action::StartHost {
            after: timing::SLOW_BACKOFF
        }]
    );

    // What comes in its place speaks for itself.
    relay.host_started();
    relay.host_gone("Specified native messaging host not found.");
    let actions = relay.take_actions();
    assert!(
        actions.iter().any(|action| matches!(action, Action::Show { problem: Some(problem), .. } if problem.fix.contains("idb-relay install")))
    );
}

#[test]
fn the_hosts_own_words_outlive_the_end_of_its_connection() {
    let mut relay = relay();
    relay.host_started();
    relay.take_actions();
    relay.host_said(r#"{"error":{"code":"config","message":"line 3: unknown key","fix":"did you mean…"}}"#);
    relay.host_gone("Native host has exited.");
    let actions = relay.take_actions();
    assert!(
        matches!(&actions[0], Action::Show { problem: Some(problem), .. } if problem.message.starts_with("line 3"))
    );
    assert_eq!(
        actions[1..],
        [Action::StartHost {
            after: timing::SLOW_BACKOFF
        }]
    );
}

#[test]
fn reads_and_snapshots_go_to_one_page_of_the_origin() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    open(&mut relay, 2, ORIGIN, "d");
    relay.take_actions();
    relay.host_said(&format!(r#"{{"snapshot":{{"origin":"{ORIGIN}"}}}}"#));
    relay.host_said(r#"{"snapshot":{"origin":"http://localhost:1"}}"#);
    relay.host_said(&format!(
        r#"{{"read":{{"origin":"{ORIGIN}","bucket":"","database":"d","store":"s","keys":["1"]}}}}"#
    ));
    let mut actions = relay.take_actions();
    actions.retain(|action| !matches!(action, Action::Wake { .. }));
    assert_eq!(
        actions,
        [
            to_bridge(2, r#"{"snapshot":{}}"#),
            to_bridge(
                2,
                r#"{"read":{"bucket":"","database":"d","store":"s","keys":["1"]}}"#
            ),
        ]
    );
}

#[test]
fn private_windows_and_what_the_host_does_not_want_are_refused() {
    let mut relay = relay();
    greet(&mut relay);
    let page = Page {
        origin: ORIGIN.into(),
        tab: 1,
        frame: 0,
    };
    relay.bridge_opened(
        1,
        Sender {
            page,
            incognito: true,
            container: String::new(),
            top: None,
            inactive: false,
        },
    );
    let actions = relay.take_actions();
    assert_eq!(actions[0], to_bridge(1, r#"{"refused":{}}"#));
    assert!(matches!(&actions[1], Action::ShowInTab { .. }));
    relay.posted(1, &format!(r#"{{"open":{{"context":"c","place":{PLACE}}}}}"#));
    deliver(&mut relay, 1, 1);
    assert_eq!(relay.take_actions(), []);
    open(&mut relay, 2, ORIGIN, "d");
    deliver(&mut relay, 2, 1);
    relay.take_actions();
    relay.host_said(r#"{"error":{"code":"origin_not_captured","message":"m","fix":"c","context":"d"}}"#);
    assert_eq!(relay.take_actions()[0], to_bridge(2, r#"{"refused":{}}"#));
}

#[test]
fn body_that_is_no_json_travels_as_a_gap() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    let forged = [
        r#"1}},"open":{"context":"forged"#,
        "",
        r#"{"x":-0},{"x":1}"#,
        r#"{"x":"\u00"}"#,
    ];
    let mut bodies: Vec<String> = forged.map(String::from).to_vec();
    bodies.push(r#"{"x":-0}"#.to_owned());
    relay.receive_bodies(1, 1, bodies);
    let [Action::ToHost(bundle)] = &relay.take_actions()[..] else {
        panic!("one bundle")
    };
    let gap = r#""body":{"gap":{"reason":"a delivery was left out: it is no JSON","stores":[]}}"#;
    assert_eq!(bundle.matches(gap).count(), forged.len(), "{bundle}");
    assert!(
        bundle.contains(
            r#""sequence":5,"page":{"origin":"http://localhost:8080","tab":7,"frame":0},"body":{"x":-0}"#
        ),
        "{bundle}"
    );
    assert!(!bundle.contains("forged"), "{bundle}");
}

#[test]
fn parts_are_stamped_too_and_nonsense_is_left_out() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    relay.take_actions();
    let part =
        |index: u32| format!(r#"{{"part":{{"sequence":1,"index":{index},"count":2,"text":"{{\"a"}}}}"#);
    // Broken off and begun again: the first part counts once.
    for index in [0, 0, 1] {
        let actions = relay.take_actions();
        let is_wake = |action: &Action| matches!(action, Action::Wake { .. });
        assert!(actions.iter().all(is_wake), "{actions:?}");
        relay.posted(1, &part(index));
    }
    relay.posted(1, "nonsense");
    relay.posted(9, &format!(r#"{{"open":{{"context":"x","place":{PLACE}}}}}"#));
    relay.host_said("nonsense");
    let actions = relay.take_actions();
    let [Action::ToHost(bundle), Action::Show { problem: Some(_), .. }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(
        bundle.starts_with(&format!(
            r#"[{{"part":{{"context":"c","page":{{"origin":"{ORIGIN}","tab":7,"frame":0}},"part":{{"sequence":1,"index":0,"count":2,"text":"{{\"a"}}}}}},{{"part""#
        )),
        "{bundle}"
    );
}

#[test]
fn many_documents_share_what_may_be_on_its_way() {
    let mut relay = relay();
    greet(&mut relay);
    let windows = |relay: &mut Relay| -> BTreeMap<u32, u64> {
        let sent = relay
            .take_actions()
            .into_iter()
            .filter_map(|action| match action {
                Action::ToPort { port, text } => {
                    let said: serde_json::Value = serde_json::from_str(&text).ok()?;
                    Some((port, said["welcome"]["window"].as_u64()?))
                }
                _ => None,
            });
        sent.collect()
    };
    let mut known = BTreeMap::new();
    for port in 1..=100 {
        open(&mut relay, port, ORIGIN, &format!("c{port}"));
        known.extend(windows(&mut relay));
        let together: u64 = known.values().sum();
        assert!(known.contains_key(&port));
        assert!(together <= BRIDGES_WINDOW.max(known.len() * SMALLEST_WINDOW) as u64);
        assert_eq!(known[&1] == BRIDGE_WINDOW as u64, port <= 16);
    }
    for port in 5..=100 {
        relay.port_closed(port);
        known.remove(&port);
        known.extend(windows(&mut relay));
    }
    assert_eq!(known.into_values().collect::<Vec<_>>(), [BRIDGE_WINDOW as u64; 4]);
}

#[test]
fn the_button_shows_what_is_nearest_to_the_page() {
    let mut relay = relay();
    greet(&mut relay);
    let shown = |relay: &mut Relay| {
        let mut shown = relay
            .take_actions()
            .into_iter()
            .filter_map(|action| match action {
                Action::Show { problem, .. } => Some(problem.map(|problem| problem.message)),
                _ => None,
            });
        (shown.next(), shown.next())
    };
    let servers = |message: &str| {
        format!(r#"{{"servers":{{"problems":[{{"message":"{message}","fix":"Start it."}}]}}}}"#)
    };
    relay.host_said(&servers("Redis is away"));
    assert_eq!(shown(&mut relay), (Some(Some("Redis is away".into())), None));
    relay.host_said(&servers("Redis is away"));
    assert_eq!(shown(&mut relay), (None, None));
    relay.granted(Vec::new());
    let missing = format!("{ORIGIN} is enabled, but the browser's permission for it is missing.");
    assert_eq!(shown(&mut relay), (Some(Some(missing)), None));
    relay.granted(vec!["http://localhost/*".into()]);
    assert_eq!(shown(&mut relay), (Some(Some("Redis is away".into())), None));
    relay.host_gone("Specified native messaging host not found.");
    let (Some(Some(gone)), None) = shown(&mut relay) else {
        panic!("the host's end is not shown")
    };
    assert!(gone.contains("is not installed"));
    // The next host has its own word about its servers.
    greet(&mut relay);
    relay.host_said(r#"{"servers":{"problems":[]}}"#);
    assert_eq!(shown(&mut relay), (None, None));
}
