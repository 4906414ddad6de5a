//! One page against all others: what it may have written, and what a reader that waits may hold up.

use std::{fs, io::Read as _, process::Stdio};

use protocol::wire::host::{ErrorCode, FromHost};
use serde_json::json;

use crate::support::{
    CONTEXT, Host, ORIGIN, Sandbox,
    body::{commit, delete, now, put},
    until,
};

/// The journal of the usual profile.
fn log_bytes(sandbox: &Sandbox) -> u64 {
    let log = sandbox.journal_directory().join("profile-1.sqlite-wal");
    fs::metadata(log).map_or(0, |file| file.len())
}

/// Sends a delivery in slices.
fn deliver_in_parts(host: &mut Host, context: &str, sequence: u64, body: &str) {
    let parts: Vec<&[u8]> = body.as_bytes().chunks(1 << 20).collect();
    for (index, text) in parts.iter().enumerate() {
        let text = std::str::from_utf8(text).expect("ASCII");
        let part = json!({"part": {
            "context": context,
            "page": {"origin": ORIGIN, "tab": 1, "frame": 0},
            "part": {"sequence": sequence, "index": index, "count": parts.len(), "text": text},
        }});
        host.send(&part.to_string());
    }
}

/// Waits for an acknowledgement of the usual document; what else the host wants meanwhile is
/// another matter.
fn await_acknowledged(host: &mut Host, last: u64) {
    host.await_message(&format!("the acknowledgement of delivery {last}"), |message| {
        matches!(message, FromHost::Acknowledged { context, sequence } if context == CONTEXT && sequence == last)
            .then_some(())
    });
}

#[test]
fn names_past_the_limit_are_refused_and_others_go_on() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let puts: Vec<String> = (0..3000).map(|key| put(&key.to_string(), "1")).collect();
    let database = "n".repeat(100_000);
    let body = commit(&puts).replace(r#""database":"shop""#, &format!(r#""database":"{database}""#));
    host.deliver_as("greedy", 1, &body);
    let error = host.error(ErrorCode::MalformedDelivery);
    assert!(
        error.message.contains("1024 letters") && error.message.len() < 500,
        "{error:?}"
    );
    host.deliver(1, &commit(&[put("1", "\"other\"")]));
    await_acknowledged(&mut host, 1);
    sandbox.await_cached("1", Some("\"other\""));
    assert_eq!(sandbox.redis.stream_length(), 1);
    assert!(log_bytes(&sandbox) < 8 << 20, "{}", log_bytes(&sandbox));
    // The longest name that is taken, and every other place of a name.
    let longest = "é".repeat(1024);
    host.deliver(2, &commit(&[put("2", "2").replace("orders", &longest)]));
    await_acknowledged(&mut host, 2);
    let at = now();
    let long = "n".repeat(1025);
    for (body, sequence) in [
        commit(&[put("1", "1").replace("orders", &long)]),
        commit(&[format!(r#"{{"schema":{{"store":"orders","change":{{"rename_store":{{"to":"{long}"}}}}}}}}"#)]),
        commit(&[format!(r#"{{"schema":{{"store":"orders","change":{{"delete_index":{{"index":"{long}"}}}}}}}}"#)]),
        format!(r#"{{"deletion":{{"database":"{long}","began_at":{at},"deleted_at":{at}}}}}"#),
        format!(r#"{{"deletion":{{"bucket":"{long}","database":"shop","began_at":{at},"deleted_at":{at}}}}}"#),
        format!(r#"{{"gap":{{"reason":"r","stores":[{{"database":"d","store":"{long}"}}]}}}}"#),
        format!(
            r#"{{"store_list":{{"began_at":{at},"read_at":{at},"databases":[{{"name":"d","version":1,"stores":["{long}"]}}]}}}}"#
        ),
        format!(
            r#"{{"records":{{"database":"{long}","version":1,"store":"s","began_at":{at},"read_at":{at},"present":[],"absent":[]}}}}"#
        ),
    ]
    .iter()
    .zip(2..)
    {
        host.deliver_as("greedy", sequence, body);
        host.error(ErrorCode::MalformedDelivery);
    }
    host.deliver_as(&"c".repeat(65), 1, &commit(&[put("1", "1")]));
    host.error(ErrorCode::MalformedDelivery);
    assert_eq!(sandbox.redis.stream_length(), 2);
}

#[test]
fn a_waiting_reader_does_not_hold_up_the_log() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let filler = "x".repeat(200_000);
    let delivery = |sequence: u64| {
        commit(&[put(
            &(sequence % 10).to_string(),
            &format!("\"{sequence} {filler}\""),
        )])
    };
    for sequence in 1..=10 {
        host.deliver(sequence, &delivery(sequence));
    }
    host.acknowledged(10);
    let arguments = [
        "ls",
        "--origin",
        ORIGIN,
        "--database",
        "shop",
        "--store",
        "orders",
    ];
    let mut reader = sandbox.program();
    let mut reader = reader
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    // It writes: more than a pipe holds, and the reader stops.
    let output = reader.stdout.as_mut().expect("piped");
    output.read_exact(&mut [0]).expect("a letter");
    for sequence in 11..=310 {
        host.deliver(sequence, &delivery(sequence));
    }
    host.acknowledged(310);
    let log = log_bytes(&sandbox);
    let _ended = reader.kill();
    let _reaped = reader.wait();
    assert!(log < 100 << 20, "the log has {log} bytes");
    // And it was a reader that read what there is.
    let listed = sandbox.print(&arguments);
    assert_eq!(listed.lines().count(), 10);
}

/// 30 MB are more than 40 MB hold three times: in the log, as an event and as a record.
#[test]
fn a_delivery_without_room_is_given_up_and_others_go_on() {
    gives_up_without_room(30);
}

/// The disk is full before the first event is written: a delivery's records come first.
#[test]
fn delivery_is_given_up_when_its_records_alone_fill_the_disk() {
    gives_up_without_room(80);
}

/// Another document goes on although one has sent so many megabytes.
fn gives_up_without_room(megabytes: u64) {
    let sandbox = Sandbox::new();
    let Some(disk) = crate::disk::SmallDisk::mount(&sandbox.journal_directory()) else {
        return;
    };
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    let filler = "x".repeat(1 << 20);
    let puts: Vec<String> = (100..100 + megabytes)
        .map(|key| put(&key.to_string(), &format!("\"{filler}\"")))
        .collect();
    deliver_in_parts(&mut host, "greedy", 1, &commit(&puts));
    host.deliver(2, &commit(&[put("1", "2")]));
    let mut given_up = None;
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 2 {
        match host.receive() {
            FromHost::Acknowledged { context, .. } => acknowledged.push(context),
            FromHost::Error(error) if error.code == ErrorCode::DeliveriesMissing => given_up = Some(error),
            _ => {}
        }
    }
    let error = given_up.expect("it is reported");
    assert!(
        error.message.contains("no room") && error.context.as_deref() == Some("greedy"),
        "{error:?}"
    );
    sandbox.await_cached("1", Some("2"));
    // The page is read again instead, piece by piece.
    assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
    drop(disk);
}

/// The most that a process has ever held in memory, in MiB.
fn peak_mib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next());
    kilobytes.expect("a number").parse::<u64>().expect("a number") / 1024
}

#[test]
fn values_that_grow_in_their_plain_form_take_no_memory_together() {
    let sandbox = Sandbox::new();
    // 750 kB each as `null,null,…`, which the server takes, and 30 MB each, which it does not.
    let fits = r#"{"$sparse":{"length":150000,"items":{}}}"#;
    let too_large = r#"{"$sparse":{"length":6000000,"items":{}}}"#;
    let puts: Vec<String> = (0..200)
        .map(|key| put(&key.to_string(), fits))
        .chain((200..300).map(|key| put(&key.to_string(), too_large)))
        .chain([put("300", "\"last\"")])
        .collect();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&puts));
    host.acknowledged(1);
    sandbox.await_cached("300", Some("\"last\""));
    assert_eq!(sandbox.cached("199").map(|value| value.len()), Some(750_001));
    assert_eq!(sandbox.cached("200"), None);
    let peak = peak_mib(host.id());
    assert!(peak < 100, "{peak} MiB");
    assert!(host.close().success());
    // The next host goes through all of them after the server has forgotten them.
    sandbox.memcached.send_command("flush_all");
    let host = Host::start(&sandbox);
    sandbox.await_cached("300", Some("\"last\""));
    let peak = peak_mib(host.id());
    assert!(peak < 100, "{peak} MiB");
}

#[test]
fn delivery_past_the_limit_is_acknowledged_with_a_gap() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    await_acknowledged(&mut host, 1);
    let filler = "x".repeat(257 << 20);
    deliver_in_parts(
        &mut host,
        CONTEXT,
        2,
        &commit(&[put("2", &format!("\"{filler}\""))]),
    );
    drop(filler);
    host.acknowledged(2);
    let error = host.error(ErrorCode::DeliveriesMissing);
    assert_eq!(
        (error.context.as_deref(), error.sequence),
        (Some(CONTEXT), Some(2)),
        "{error:?}"
    );
    assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
    host.deliver(3, &commit(&[put("3", "3")]));
    await_acknowledged(&mut host, 3);
    sandbox.await_cached("3", Some("3"));
}

#[test]
fn slices_out_of_order_are_acknowledged_with_a_gap() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let part = |index: u32| {
        json!({"part": {
            "context": CONTEXT,
            "page": {"origin": ORIGIN, "tab": 1, "frame": 0},
            "part": {"sequence": 1, "index": index, "count": 4, "text": "{\"commit\":"},
        }})
    };
    for index in [0, 2, 3] {
        host.send(&part(index).to_string());
    }
    host.acknowledged(1);
    let error = host.error(ErrorCode::DeliveriesMissing);
    assert!(error.message.contains("out of order"), "{error:?}");
    assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
    host.deliver(2, &commit(&[put("2", "2")]));
    await_acknowledged(&mut host, 2);
}

/// What the journal's files take, in MiB.
fn disk_mib(sandbox: &Sandbox) -> u64 {
    let files = fs::read_dir(sandbox.journal_directory()).expect("a directory");
    let bytes: u64 = files
        .map(|file| file.and_then(|file| file.metadata()).expect("a file").len())
        .sum();
    bytes >> 20
}

/// The write-ahead log, which is cut past 32 MiB, and twice what events may take here.
const DISK_MIB: u64 = 32 + 2 * 8 + 16;

#[test]
fn long_keys_and_ranges_take_a_bounded_disk_while_a_server_is_away() {
    let mut sandbox = Sandbox::new();
    sandbox.configure("journal", "max_mib = 8\nkeep_mib = 8");
    sandbox.redis.kill();
    let mut host = Host::start(&sandbox);
    let filler = "x".repeat(900_000);
    let range = |number: u64| {
        format!(
            r#"{{"delete_range":{{"store":"orders","range":{{"lower":"{number}{filler}","upper":"{number}{filler}y","lower_open":false,"upper_open":false}}}}}}"#
        )
    };
    // Of records that never were.
    let gone = |number: u64| delete(&format!("\"{number} {filler}\""));
    for (number, sequence) in (0..20).zip((1..).step_by(2)) {
        host.deliver(sequence, &commit(&[range(number)]));
        host.deliver(sequence + 1, &commit(&[gone(number)]));
    }
    await_acknowledged(&mut host, 40);
    until("the log is cut", || disk_mib(&sandbox) <= DISK_MIB);
    // Once the server is back what has to be read again is, and all goes on.
    sandbox.redis.restart();
    host.await_message("the question", |message| {
        matches!(message, FromHost::Snapshot { origin } if origin == ORIGIN).then_some(())
    });
    host.deliver(41, &commit(&[put("1", "\"last\"")]));
    await_acknowledged(&mut host, 41);
    sandbox.await_cached("1", Some("\"last\""));
    until("the stream has it", || {
        let events = sandbox.redis.stream();
        events.iter().any(|event| event["after"] == "last")
    });
    assert!(disk_mib(&sandbox) <= DISK_MIB, "{}", disk_mib(&sandbox));
}
