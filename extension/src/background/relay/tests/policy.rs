//! The first seconds of a browser, in which it has not reported the managed policy yet.

use protocol::redact::How;

use super::*;

/// A relay as a background starts it.
fn started(decisions: Decisions) -> Relay {
    Relay::new(relay().identity.clone(), decisions, [7; 32])
}

fn masks(field: &str) -> Policy {
    Policy {
        redact: Ok(vec![Rule {
            database: String::new(),
            store: String::new(),
            fields: vec![field.into()],
            how: How::Mask,
        }]),
        ..Policy::default()
    }
}

/// What goes to the host, but for the hello.
fn to_host(actions: Vec<Action>) -> Vec<String> {
    let texts = actions.into_iter().filter_map(|action| match action {
        Action::ToHost(text) => Some(text),
        _ => None,
    });
    texts.filter(|text| !text.starts_with(r#"{"hello""#)).collect()
}

const BODY: &str = r#"{"commit":{"database":"d","version":1,"began_at":1,"committed_at":2,"operations":[{"put":{"store":"s","key":1,"value":{"a":"hunter2"}}}]}}"#;

fn deliver_secret(relay: &mut Relay, port: u32) {
    relay.posted(
        port,
        &format!(r#"{{"deliveries":[{{"sequence":1,"body":{BODY}}}]}}"#),
    );
}

#[test]
fn documents_are_welcome_and_nothing_leaves_before_the_policy() {
    let mut relay = started(Decisions::default());
    assert!(greet(&mut relay).contains(&Action::Register(vec!["http://localhost/*".into()])));
    open(&mut relay, 1, ORIGIN, "c");
    assert!(relay.take_actions().iter().any(is_welcome));
    deliver_secret(&mut relay, 1);
    assert_eq!(relay.take_actions(), []);

    relay.policy(masks("/a"));
    let sent = to_host(relay.take_actions());
    assert!(
        sent[0].starts_with(r#"{"rules":"#) && sent[0].len() > 40,
        "{sent:?}"
    );
    assert!(
        sent[1].contains(r#""a":"***""#) && !sent[1].contains("hunter2"),
        "{sent:?}"
    );
    assert_eq!(sent.len(), 2);
}

#[test]
fn a_host_that_comes_after_the_policy_changes_nothing_about_it() {
    let mut relay = started(Decisions::default());
    open(&mut relay, 1, ORIGIN, "c");
    deliver_secret(&mut relay, 1);
    relay.policy(masks("/a"));
    assert_eq!(to_host(relay.take_actions()), [""; 0]);
    let sent = to_host(greet(&mut relay));
    assert!(
        sent.len() == 2 && !sent.iter().any(|text| text.contains("hunter2")),
        "{sent:?}"
    );
}

#[test]
fn an_origin_that_the_policy_enables_is_not_turned_away_before() {
    let other = "https://shop.example";
    let mut relay = started(Decisions::default());
    greet(&mut relay);
    open(&mut relay, 1, other, "c");
    open(&mut relay, 2, "https://none.example", "d");
    deliver(&mut relay, 1, 1);
    deliver(&mut relay, 2, 1);
    assert_eq!(relay.take_actions(), []);

    relay.policy(Policy {
        origins: vec![other.into()],
        ..Policy::default()
    });
    let actions = relay.take_actions();
    assert!(actions.iter().any(is_welcome));
    assert!(actions.contains(&to_bridge(2, r#"{"refused":{}}"#)));
    let sent = to_host(actions);
    assert!(sent[1].contains(r#""context":"c""#), "{sent:?}");
    assert_eq!(sent.len(), 2, "nothing of the other document: {sent:?}");
}

#[test]
fn scripts_are_registered_first_by_what_was_known_last() {
    let mut relay = started(Decisions::default());
    relay.policy(Policy {
        origins: vec!["https://shop.example".into()],
        ..Policy::default()
    });
    let decisions = relay.take_actions().into_iter().find_map(|action| match action {
        Action::Save(decisions) => Some(decisions),
        _ => None,
    });
    let mut next = started(decisions.expect("kept"));
    let patterns = vec!["https://shop.example/*".to_owned()];
    assert_eq!(next.take_actions()[0], Action::Register(patterns.clone()));
    // The host's list comes first, and takes nothing away.
    assert!(greet(&mut next).contains(&Action::Register(
        [vec!["http://localhost/*".to_owned()], patterns].concat()
    )));
    // The administrator has taken it away.
    next.policy(Policy::default());
    assert!(
        next.take_actions()
            .contains(&Action::Register(vec!["http://localhost/*".into()]))
    );
}

#[test]
fn the_end_of_the_wait_hides_no_problem() {
    let mut relay = started(Decisions::default());
    relay.host_gone("Specified native messaging host not found.");
    relay.take_actions();
    relay.policy(Policy::default());
    assert!(
        !relay
            .take_actions()
            .iter()
            .any(|action| matches!(action, Action::Show { problem: None, .. }))
    );
    assert!(relay.problem.is_some());
}

#[test]
fn policy_that_does_not_come_is_named_until_it_comes() {
    let mut relay = started(Decisions::default());
    let wake = Action::Wake {
        alarm: Alarm::Policy,
        after: timing::POLICY_PATIENCE,
    };
    assert!(relay.take_actions().contains(&wake));
    greet(&mut relay);
    open(&mut relay, 1, ORIGIN, "c");
    deliver_secret(&mut relay, 1);
    relay.take_actions();
    relay.woken(Alarm::Policy);
    let actions = relay.take_actions();
    let [
        Action::Show {
            problem: Some(problem),
            ..
        },
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert!(problem.message.contains("policy"), "{problem:?}");
    // A host that starts again changes nothing about it.
    relay.host_gone("");
    greet(&mut relay);
    assert_eq!(relay.problem, Some(problems::policy_late()));

    relay.policy(Policy::default());
    let actions = relay.take_actions();
    let shown = Action::Show {
        problem: None,
        paused: false,
    };
    assert!(actions.contains(&shown), "{actions:?}");
    assert_eq!(to_host(actions).len(), 2);
}

#[test]
fn policy_that_has_come_is_not_named_as_late() {
    let mut relay = started(Decisions::default());
    relay.policy(Policy::default());
    relay.take_actions();
    relay.woken(Alarm::Policy);
    assert_eq!(relay.take_actions(), []);
}
