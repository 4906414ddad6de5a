//! Workers that are not observed.

use protocol::wire::bridge::{MAX_WORKER_URL, MAX_WORKERS};

use super::*;

fn worker(relay: &mut Relay, port: u32, url: &str) {
    relay.posted(port, &format!(r#"{{"worker":{{"url":"{url}"}}}}"#));
}

/// The workers that are reported to the host.
fn reported_workers(actions: Vec<Action>) -> Vec<String> {
    let reported = actions.into_iter().filter_map(|action| match action {
        Action::ToHost(text) if text.starts_with(r#"{"worker"#) => Some(text),
        _ => None,
    });
    reported.collect()
}

fn one(url: &str) -> Vec<String> {
    vec![format!(r#"{{"worker":{{"origin":"{ORIGIN}","url":"{url}"}}}}"#)]
}

#[test]
fn host_is_notified_once_per_start() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "a");
    worker(&mut relay, 1, "http://a/w.js");
    assert_eq!(reported_workers(relay.take_actions()), one("http://a/w.js"));
    worker(&mut relay, 1, "http://a/w.js");
    assert_eq!(reported_workers(relay.take_actions()), Vec::<String>::new());
    relay.host_gone("");
    worker(&mut relay, 1, "http://a/sw.js");
    assert_eq!(reported_workers(relay.take_actions()), Vec::<String>::new());
    let mut both = one("http://a/w.js");
    both.extend(one("http://a/sw.js"));
    assert_eq!(reported_workers(greet(&mut relay)), both);
    relay.port_closed(1);
    assert_eq!(reported_workers(greet(&mut relay)), Vec::<String>::new());
}

#[test]
fn documents_that_are_not_captured_tell_nothing_and_no_document_tells_much() {
    let mut relay = relay();
    greet(&mut relay);
    open(&mut relay, 1, "http://elsewhere", "a");
    worker(&mut relay, 1, "http://elsewhere/w.js");
    assert_eq!(reported_workers(relay.take_actions()), Vec::<String>::new());
    open(&mut relay, 2, ORIGIN, "b");
    worker(&mut relay, 2, &"a".repeat(MAX_WORKER_URL + 1));
    assert_eq!(reported_workers(relay.take_actions()), Vec::<String>::new());
    for number in 0..2 * MAX_WORKERS {
        worker(&mut relay, 2, &number.to_string());
    }
    assert_eq!(reported_workers(relay.take_actions()).len(), MAX_WORKERS);
}
