//! Documents whose databases are not their origin's own, and documents that go by another's id.

use super::*;
use protocol::problem::Problem;

fn sender(origin: &'static str, frame: i64, container: &str) -> Sender {
    Sender {
        page: Page {
            origin: origin.into(),
            tab: 7,
            frame,
        },
        incognito: false,
        container: container.to_owned(),
        top: Some(ORIGIN.to_owned()),
        inactive: false,
    }
}

fn introduce(relay: &mut Relay, port: u32, context: &str, place: &str) {
    relay.posted(
        port,
        &format!(r#"{{"open":{{"context":"{context}","place":{place}}}}}"#),
    );
}

/// The problem for which a port was turned away; nothing else was done.
fn refusal(relay: &mut Relay, of: u32) -> Problem {
    let mut actions = relay.take_actions();
    let Some(Action::ShowInTab { tab: 7, problem }) = actions.pop() else {
        panic!("nothing is shown at the tab: {actions:?}")
    };
    assert_eq!(actions, [to_bridge(of, r#"{"refused":{}}"#)]);
    problem
}

#[test]
fn frame_below_another_site_is_refused_by_its_own_word() {
    let mut relay = relay();
    greet(&mut relay);
    relay.bridge_opened(1, sender(ORIGIN, 5, ""));
    assert_eq!(relay.take_actions(), []);
    let between = format!(r#"{{"ancestors":["http://127.0.0.1:8080","{ORIGIN}"],"ephemeral":false}}"#);
    introduce(&mut relay, 1, "c", &between);
    assert!(refusal(&mut relay, 1).message.contains("http://127.0.0.1:8080"));
    deliver(&mut relay, 1, 1);
    assert_eq!(relay.take_actions(), []);
    // A second word does not help.
    let harmless = format!(r#"{{"ancestors":["{ORIGIN}"],"ephemeral":false}}"#);
    introduce(&mut relay, 1, "d", &harmless);
    deliver(&mut relay, 1, 1);
    assert_eq!(relay.take_actions(), []);
}

#[test]
fn frame_with_databases_to_throw_away_is_refused_without_a_host() {
    let mut relay = relay();
    relay.bridge_opened(1, sender(ORIGIN, 5, ""));
    let thrown_away = format!(r#"{{"ancestors":["{ORIGIN}"],"ephemeral":true}}"#);
    introduce(&mut relay, 1, "c", &thrown_away);
    assert!(refusal(&mut relay, 1).message.contains("thrown away"));
    deliver(&mut relay, 1, 1);
    let sent = greet(&mut relay);
    assert!(
        !sent
            .iter()
            .any(|action| matches!(action, Action::ToHost(text) if text.contains("delivery"))),
        "{sent:?}"
    );
}

#[test]
fn document_in_a_container_tab_is_refused_at_once() {
    let mut relay = relay();
    greet(&mut relay);
    relay.bridge_opened(1, sender(ORIGIN, 0, "firefox-container-2"));
    assert!(refusal(&mut relay, 1).message.contains("ontainer"));
    introduce(&mut relay, 1, "c", PLACE);
    deliver(&mut relay, 1, 1);
    assert_eq!(relay.take_actions(), []);
}

#[test]
fn document_that_does_not_say_where_it_is_is_not_captured() {
    let mut relay = relay();
    greet(&mut relay);
    relay.bridge_opened(1, sender(ORIGIN, 0, ""));
    relay.posted(1, r#"{"open":{"context":"c"}}"#);
    deliver(&mut relay, 1, 1);
    assert_eq!(relay.take_actions(), []);
}

#[test]
fn context_belongs_to_the_origin_that_brought_it() {
    const OTHER: &str = "http://localhost:9090";
    let mut relay = relay();
    relay.host_started();
    relay.host_said(&format!(
        r#"{{"hello":{{"protocol":{PROTOCOL_VERSION},"version":"0.1.0","origins":["http://localhost:*"]}}}}"#
    ));
    open(&mut relay, 1, ORIGIN, "c");
    deliver(&mut relay, 1, 1);
    relay.take_actions();
    // While its document is there, and while a delivery of it waits.
    for gone in [false, true] {
        if gone {
            relay.port_closed(1);
        }
        relay.take_actions();
        relay.bridge_opened(2, sender(OTHER, 0, ""));
        introduce(&mut relay, 2, "c", PLACE);
        assert!(refusal(&mut relay, 2).message.contains(OTHER));
        deliver(&mut relay, 2, 2);
        assert_eq!(relay.take_actions(), []);
        relay.port_closed(2);
    }
    // Its own document comes back under it.
    open(&mut relay, 3, ORIGIN, "c");
    relay.take_actions();
    deliver(&mut relay, 3, 2);
    assert_eq!(relay.take_actions(), [delivery("c", 2)]);
}

#[test]
fn document_that_was_cut_off_is_named_at_its_tab() {
    let mut relay = relay();
    greet(&mut relay);
    let page = Page {
        origin: ORIGIN.into(),
        tab: 7,
        frame: 0,
    };
    let sender = Sender {
        page,
        incognito: false,
        container: String::new(),
        top: None,
        inactive: false,
    };
    relay.document_cut_off(&sender);
    let problem = problems::cut_off(ORIGIN);
    assert_eq!(
        relay.take_actions(),
        [Action::ShowInTab {
            tab: 7,
            problem: problem.clone()
        }]
    );
    let documents = relay.bridges.documents(Some(7));
    let refused: Vec<_> = documents
        .iter()
        .filter_map(|document| document.refused.clone())
        .collect();
    assert_eq!(refused, [problem]);
    // The next document there is another one.
    open(&mut relay, 1, ORIGIN, "c");
    let documents = relay.bridges.documents(Some(7));
    assert!(documents.iter().all(|document| document.refused.is_none()));
}
