//! Every mistake has a name and a fix; nothing that was acknowledged is lost by it.

use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
};

use protocol::wire::host::{ErrorCode, FromHost};

use crate::support::{
    CONTEXT, Host, ORIGIN, Sandbox,
    body::{commit, put},
    hello, host_delivery,
};

/// A session in which one delivery has been acknowledged.
fn session(sandbox: &Sandbox) -> Host {
    let mut host = Host::start(sandbox);
    host.deliver(1, &commit(&[put("1", "\"kept\"")]));
    host.acknowledged(1);
    host
}

fn assert_kept(sandbox: &Sandbox) {
    let arguments = [
        "get",
        "--origin",
        ORIGIN,
        "--database",
        "shop",
        "--store",
        "orders",
        "--key",
        "1",
    ];
    assert_eq!(sandbox.print(&arguments), "\"kept\"\n");
}

#[test]
fn a_frame_longer_than_the_cap() {
    let sandbox = Sandbox::new();
    let mut host = session(&sandbox);
    host.stdin()
        .write_all(&0x0800_0000_u32.to_ne_bytes())
        .expect("sent");
    let error = host.error(ErrorCode::FrameTooLong);
    assert!(error.message.contains("134217728"), "{}", error.message);
    assert!(!host.wait().success());
    assert_kept(&sandbox);
}

#[test]
fn a_truncated_frame() {
    let sandbox = Sandbox::new();
    let mut host = session(&sandbox);
    let whole = host_delivery(CONTEXT, 2, &commit(&[put("2", "2")]));
    host.send(&whole);
    host.stdin().write_all(&100_u32.to_ne_bytes()).expect("sent");
    host.stdin().write_all(b"{\"deliv").expect("sent");
    host.close_stdin();
    let error = host.error(ErrorCode::FrameTruncated);
    assert!(error.message.contains("93 of 100 bytes"), "{}", error.message);
    assert!(!host.wait().success());
    assert_kept(&sandbox);
    // What was whole was kept too.
    sandbox.await_cached("2", Some("2"));
}

#[test]
fn frames_that_are_no_messages() {
    let sandbox = Sandbox::new();
    let mut host = session(&sandbox);
    for message in [
        "{",
        "not JSON",
        "\u{0}\u{1}",
        "[]",
        "[[]]",
        "[{}",
        r#"{"unknown_message":{}}"#,
        r#"{"delivery":{}}"#,
        r#"{"delivery":"#,
        &hello(1),
    ] {
        host.send(message);
        host.error(ErrorCode::MalformedMessage);
    }
    host.deliver(2, &commit(&[put("2", "2")]));
    host.acknowledged(2);
    assert!(host.close().success());
    assert_kept(&sandbox);
}

#[test]
fn deliveries_that_make_no_sense_are_acknowledged_and_named() {
    let sandbox = Sandbox::new();
    let mut host = session(&sandbox);
    let bodies = [
        (r#"{"commit":{"database":1}}"#.to_owned(), true),
        (commit(&[put("true", "1")]), true),
        (commit(&[put("[[null]]", "1")]), true),
        (r#"{"unknown_message":{}}"#.to_owned(), false),
        ("null".to_owned(), false),
        (r#"{"snapshot":{"database":"d"}}"#.to_owned(), false),
        (r#"{"store_list":{"buckets":[],"began_at":1,"read_at":1,"databases":[{"name":"d","version":10000000000000000000,"stores":["s"]}]}}"#.to_owned(), false),
        (r#"{"commit":{"database":"d","version":18446744073709551615,"began_at":1,"committed_at":2,"operations":[{"clear":{"store":"s"}}]}}"#.to_owned(), true),
        (r#"{"commit":{"database":"d","version":1,"began_at":-9223372036854775808,"committed_at":9223372036854775807,"operations":[{"clear":{"store":"s"}}]}}"#.to_owned(), true),
    ];
    for (sequence, (body, reads)) in (2..).zip(bodies) {
        host.deliver(sequence, &body);
        host.acknowledged_past_requests(sequence);
        if body.contains("-9223372036854775808") {
            continue;
        }
        let error = host.error(ErrorCode::MalformedDelivery);
        assert_eq!(error.context.as_deref(), Some(CONTEXT));
        if reads {
            assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
        }
    }
    host.deliver(20, &commit(&[put("2", "2")]));
    host.acknowledged_past_requests(20);
    assert_kept(&sandbox);
}

/// Several deliveries travel in one frame, of several pages.
#[test]
fn body_that_cannot_be_read_takes_no_other_delivery_of_its_frame_along() {
    let sandbox = Sandbox::new();
    let mut host = session(&sandbox);
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let with = |value: &str| commit(&[put("9", value)]);
    let bodies = [
        format!(r#"{{"gap":{{"reason":"x","stores":[]}},"deep":{deep}}}"#),
        deep.clone(),
        with(r#"1}},{"put":{"store":"\ud800","key":1,"value":1"#),
        with("1").replace(r#""database":"#, r#""database":"twice","database":"#),
        with("1").replace(r#""version":"#, r#""version":1e999,"was":"#),
    ];
    for (index, body) in (1..).zip(&bodies) {
        let sequence = 2 * index;
        let key = |place: u64| (100 * index + place).to_string();
        let good = |place| commit(&[put(&key(place), "1")]);
        let frame = [
            host_delivery("other", sequence - 1, &good(1)),
            host_delivery(CONTEXT, sequence, body),
            host_delivery("other", sequence, &good(2)),
            host_delivery(CONTEXT, sequence + 1, &good(3)),
        ];
        host.send(&format!("[{}]", frame.join(",")));
        let error = host.error(ErrorCode::MalformedDelivery);
        assert_eq!(
            (error.context.as_deref(), error.sequence),
            (Some(CONTEXT), Some(sequence)),
            "{error:?}"
        );
        for place in 1..=3 {
            sandbox.await_cached(&key(place), Some("1"));
        }
    }
    assert_kept(&sandbox);
}

#[test]
fn page_without_an_origin_is_refused_when_it_is_the_first_to_deliver() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let body = commit(&[put("1", "\"from nowhere\"")]);
    host.send(&host_delivery("nowhere", 1, &body).replace(ORIGIN, ""));
    let FromHost::Error(error) = host.receive() else {
        panic!("it was not refused")
    };
    assert_eq!(error.code, ErrorCode::OriginNotCaptured);
    assert_eq!(error.context.as_deref(), Some("nowhere"));
    assert!(error.message.contains("\"\""), "{}", error.message);
    host.deliver(1, &commit(&[put("2", "2")]));
    host.acknowledged(1);
    assert_eq!(sandbox.redis.await_stream(1).len(), 1);
    sandbox.await_cached("2", Some("2"));
}

#[test]
fn context_of_another_origin_is_refused_and_changes_nothing() {
    const OTHER: &str = "http://localhost:9090";
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    // Also after a restart: what a document is called is on disk.
    for restarted in [false, true] {
        if restarted {
            host.kill();
            host = Host::start(&sandbox);
        }
        let forged = commit(&[put("9", "\"forged\"")]);
        host.send(&host_delivery(CONTEXT, 7, &forged).replace(ORIGIN, OTHER));
        let FromHost::Error(error) = host.receive() else {
            panic!("it was not refused")
        };
        assert_eq!(error.code, ErrorCode::OriginNotCaptured);
        assert_eq!(error.context.as_deref(), Some(CONTEXT));
        assert!(error.message.contains(OTHER), "{}", error.message);
    }
    // The document itself goes on where it was.
    host.deliver(2, &commit(&[put("2", "2")]));
    host.acknowledged(2);
    let events = sandbox.redis.await_stream(2);
    assert!(
        events.iter().all(|event| event["source"]["origin"] == ORIGIN),
        "{events:?}"
    );
}

#[test]
fn a_page_without_an_origin_is_refused_and_nothing_of_it_is_kept() {
    let sandbox = Sandbox::new();
    let mut host = session(&sandbox);
    let bodies = [
        commit(&[put("2", "\"from nowhere\"")]),
        "{\"unknown_message\":{}}".to_owned(),
    ];
    for origin in ["null", "", "localhost:8080", "file://"] {
        let named = |message: String| message.replace(ORIGIN, origin);
        let mut messages: Vec<_> = bodies
            .iter()
            .map(|body| named(host_delivery("nowhere", 1, body)))
            .collect();
        let part = serde_json::json!({"part": {
            "context": "nowhere",
            "page": {"origin": ORIGIN, "tab": 1, "frame": 0},
            "part": {"sequence": 1, "index": 0, "count": 1, "text": bodies[0]},
        }});
        messages.push(named(part.to_string()));
        for message in messages {
            host.send(&message);
            // The very next message: had it been acknowledged, that would have come first.
            let FromHost::Error(error) = host.receive() else {
                panic!("no error for {origin:?}")
            };
            assert_eq!(error.code, ErrorCode::OriginNotCaptured);
            assert_eq!(error.context.as_deref(), Some("nowhere"));
            assert!(
                error.message.contains(&format!("{origin:?}")),
                "{}",
                error.message
            );
            assert!(error.fix.contains("http://"), "{}", error.fix);
        }
    }
    // Others in the same breath are not held up.
    let bad = host_delivery("nowhere", 1, &bodies[0]).replace(ORIGIN, "null");
    let good = host_delivery(CONTEXT, 2, &commit(&[put("2", "2")]));
    host.send(&format!("[{bad},{good}]"));
    host.acknowledged(2);
    host.error(ErrorCode::OriginNotCaptured);
    sandbox.await_cached("2", Some("2"));
    assert_eq!(sandbox.redis.await_stream(2).len(), 2);
    assert!(!sandbox.print(&["tail", "--no-follow"]).contains("null"));
    assert_eq!(sandbox.print(&["ls"]).lines().count(), 1);
}

#[test]
fn another_protocol_version() {
    let sandbox = Sandbox::new();
    for (version, fix) in [(0, "Update the extension."), (99, "Update idb-relay")] {
        let mut host = Host::silent(&sandbox);
        host.send(&hello(version));
        let error = host.error(ErrorCode::ProtocolMismatch);
        assert!(
            error.message.contains(&format!("protocol {version}")),
            "{}",
            error.message
        );
        assert!(error.fix.starts_with(fix), "{}", error.fix);
        assert!(!host.wait().success());
    }
    // Also when nothing else of the hello can be read.
    let mut host = Host::silent(&sandbox);
    host.send(r#"{"hello":{"protocol":7,"who":{}}}"#);
    host.error(ErrorCode::ProtocolMismatch);
}

#[test]
fn no_hello() {
    let sandbox = Sandbox::new();
    for message in ["{}", "null", &host_delivery(CONTEXT, 1, &commit(&[]))] {
        let mut host = Host::silent(&sandbox);
        host.send(message);
        host.error(ErrorCode::HelloExpected);
        assert!(!host.wait().success());
    }
}

#[test]
fn an_input_that_ends_at_once_is_no_mistake() {
    let sandbox = Sandbox::new();
    assert!(Host::silent(&sandbox).close().success());
}

#[test]
fn a_profile_id_that_is_a_path() {
    let sandbox = Sandbox::new();
    let mut host = Host::silent(&sandbox);
    host.send(&hello(1).replace("profile-1", "../../etc/passwd"));
    host.error(ErrorCode::MalformedMessage);
    assert!(!host.wait().success());
}

#[test]
fn a_configuration_with_a_typo() {
    let sandbox = Sandbox::new();
    sandbox.write_config("[redis]\n\nurll = \"redis://127.0.0.1\"\n");
    let mut host = Host::silent(&sandbox);
    host.send(&hello(1));
    let error = host.error(ErrorCode::Config);
    assert!(
        error
            .message
            .ends_with("line 3: there is no key \"urll\" in [redis]"),
        "{}",
        error.message
    );
    assert_eq!(error.fix, "Did you mean \"url\"?");
    assert!(!host.wait().success());

    let output = sandbox.run(&["status"]);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Did you mean \"url\"?"));
}

#[test]
fn journal_of_another_version_is_left_as_it_is() {
    for format in [1, 1000] {
        let sandbox = Sandbox::new();
        assert!(session(&sandbox).close().success());
        let path = sandbox.journal_directory().join("profile-1.sqlite");
        let connection = rusqlite::Connection::open(&path).expect("a journal");
        connection
            .pragma_update(None, "user_version", format)
            .expect("set");
        drop(connection);
        let mut host = Host::silent(&sandbox);
        host.send(&hello(1));
        let error = host.error(ErrorCode::JournalFormat);
        let words = format!("has format {format};");
        assert!(error.message.contains(&words), "{}", error.message);
        assert!(error.fix.contains("move the file away"), "{}", error.fix);
        assert!(!host.wait().success());
        let output = sandbox.run(&["ls"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains(&words));
    }
}

#[test]
fn two_hosts_on_one_journal() {
    let sandbox = Sandbox::new();
    let mut first = session(&sandbox);
    let mut second = Host::silent(&sandbox);
    second.send(&hello(1));
    second.error(ErrorCode::JournalLocked);
    assert!(!second.wait().success());
    first.deliver(2, &commit(&[put("2", "2")]));
    first.acknowledged(2);
    // One that comes while the first is ending waits for it.
    let mut third = Host::silent(&sandbox);
    third.send(&hello(1));
    assert!(first.close().success());
    assert!(matches!(third.receive(), FromHost::Hello(_)));
    assert_kept(&sandbox);
}

#[test]
fn a_file_that_is_no_journal() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.journal_directory()).expect("made");
    fs::write(
        sandbox.journal_directory().join("profile-1.sqlite"),
        "no database at all, but long enough to be read ".repeat(100),
    )
    .expect("written");
    let mut host = Host::silent(&sandbox);
    host.send(&hello(1));
    let error = host.error(ErrorCode::JournalFailed);
    assert!(error.fix.contains("Move the file away"), "{}", error.fix);
    assert!(!host.wait().success());
}

/// Overwrites the pages that hold a table's rows.
fn damage(journal: &Path, table: &str) {
    let connection = rusqlite::Connection::open(journal).expect("a journal");
    let size: u64 = connection
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .expect("a size");
    let pages: Vec<u64> = connection
        .prepare("SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf'")
        .expect("a statement")
        .query_map([table], |row| row.get(0))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("numbers");
    drop(connection);
    assert!(pages.len() > 2, "{pages:?}");
    let mut file = fs::OpenOptions::new().write(true).open(journal).expect("a file");
    for page in pages {
        file.seek(SeekFrom::Start((page - 1) * size)).expect("there");
        file.write_all(&[0xa5; 512]).expect("written");
    }
}

#[test]
fn a_journal_that_is_damaged_in_the_middle() {
    let sandbox = Sandbox::new();
    let mut host = session(&sandbox);
    let puts: Vec<_> = (1..1000).map(|key| put(&key.to_string(), "\"value\"")).collect();
    host.deliver(2, &commit(&puts));
    host.acknowledged(2);
    assert!(host.close().success());
    let path = sandbox.journal_directory().join("profile-1.sqlite");
    damage(&path, "record");

    // It opens all the same: the damage shows when a record is looked up. Trying that again would
    // never end.
    let mut host = Host::start(&sandbox);
    host.deliver(3, &commit(&[put("500", "1")]));
    let error = host.error(ErrorCode::JournalFailed);
    assert!(error.message.contains("profile-1.sqlite"), "{}", error.message);
    assert!(error.fix.contains("Move the file away"), "{}", error.fix);
    assert!(!host.wait().success());

    fs::rename(&path, path.with_extension("away")).expect("moved");
    let mut host = Host::start(&sandbox);
    host.deliver(3, &commit(&[put("500", "1")]));
    host.acknowledged(3);
}
