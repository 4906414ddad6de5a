//! The commands that people run.

use std::{
    fs,
    process::{Command, Stdio},
};

use protocol::wire::host::FromHost;
use serde_json::Value;

use crate::support::{
    Host, ORIGIN, Sandbox,
    body::{commit, put},
    until,
};

const STORE: [&str; 6] = ["--origin", ORIGIN, "--database", "shop", "--store", "orders"];

fn with_store<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [command, &STORE, more].concat()
}

#[test]
fn get_and_ls_print_what_the_mirror_holds() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(
        1,
        &commit(&[
            put("10", r#"{"$date":null}"#),
            put("9", "[1,2]"),
            put("\"a b\"", "3"),
        ]),
    );
    host.acknowledged(1);
    assert_eq!(
        sandbox.print(&with_store(&["get"], &["--key", "10"])),
        "{\"$date\":null}\n"
    );
    assert_eq!(
        sandbox.print(&with_store(&["get"], &["--key", "1e1", "--plain"])),
        "null\n"
    );
    assert!(
        !sandbox
            .run(&with_store(&["get"], &["--key", "11"]))
            .status
            .success()
    );
    assert!(
        !sandbox
            .run(&with_store(&["get"], &["--key", "{}"]))
            .status
            .success()
    );
    assert_eq!(
        sandbox.print(&with_store(&["ls"], &[])),
        "9\t[1,2]\n10\t{\"$date\":null}\n\"a b\"\t3\n"
    );
    assert_eq!(
        sandbox.print(&with_store(&["ls"], &["--json"])).lines().next(),
        Some(r#"{"key":9,"value":[1,2]}"#)
    );
    let stores = sandbox.print(&["ls"]);
    assert!(
        stores.starts_with("http://localhost:8080 › shop › orders  3 records"),
        "{stores}"
    );
    assert!(!sandbox.run(&["ls", "--origin", "http://other"]).status.success());
}

#[test]
fn get_prints_both_forms_of_a_value_and_where_it_is_from() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let cut = r#"{"$opaque":{"type":"Object","reason":"too large"}}"#;
    host.deliver(
        1,
        &commit(&[
            put("10", r#"{"at":{"$date":"2026-01-31T12:00:00.000Z"},"n":1.50}"#),
            put("11", cut),
        ]),
    );
    host.acknowledged(1);
    assert_eq!(
        sandbox.print(&with_store(&["get"], &["--key", "1e1", "--json"])),
        concat!(
            r#"{"profile":"profile-1","origin":"http://localhost:8080","bucket":"","database":"shop","database_version":1,"#,
            r#""store":"orders","complete":false,"pending_reads":false,"key":10,"#,
            r#""typed":{"at":{"$date":"2026-01-31T12:00:00.000Z"},"n":1.50},"#,
            r#""plain":{"at":"2026-01-31T12:00:00.000Z","n":1.50}}"#,
            "\n"
        )
    );
    let record: Value =
        serde_json::from_str(&sandbox.print(&with_store(&["get"], &["--key", "11", "--json"])))
            .expect("JSON");
    assert_eq!(record.get("plain"), None);
    assert_eq!(
        record["plain_error"],
        "the value was too large to be carried whole"
    );
    let both = sandbox.run(&with_store(&["get"], &["--key", "10", "--json", "--plain"]));
    assert_eq!(both.status.code(), Some(2));
    assert!(sandbox.print(&["get", "--help"]).contains("plain_error"));
}

/// An array of four thousand million holes takes 20 GB in its plain form.
#[test]
fn get_of_a_small_record_takes_little_memory() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let holes = r#"{"$sparse":{"length":4294967295,"items":{}}}"#;
    host.deliver(1, &commit(&[put("1", holes)]));
    host.acknowledged(1);
    let record = sandbox.print(&with_store(&["get"], &["--key", "1", "--json"]));
    let why = r#""plain_error":"the plain form of the value is larger than"#;
    assert!(record.contains(why), "{record}");
    let plain = sandbox.run(&with_store(&["get"], &["--key", "1", "--plain"]));
    assert!(!plain.status.success());
}

#[test]
fn key_needs_no_journal() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.print(&with_store(&["key"], &["--key", "[1,\"a b\"]"])),
        "idb:http%3A//localhost%3A8080:shop:orders:[1,\"a%20b\"]\n"
    );
}

#[test]
fn tail_prints_every_event_with_its_stages() {
    let sandbox = Sandbox::new();
    let output = sandbox.directory.path().join("tail.jsonl");
    let mut tail = sandbox
        .program()
        .args(["tail", "--json"])
        .stdout(fs::File::create(&output).expect("a file"))
        .stderr(Stdio::inherit())
        .spawn()
        .expect("it starts");
    let mut host = Host::start(&sandbox);
    for sequence in 1..=20 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    let lines = || -> Vec<Value> {
        let text = fs::read_to_string(&output).expect("a file");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    until("all are printed", || lines().len() >= 20);
    tail.kill().expect("killed");
    tail.wait().expect("gone");
    let lines = lines();
    assert_eq!(lines.len(), 20);
    for (number, line) in (1..).zip(&lines) {
        assert_eq!(line["event"]["after"], number);
        assert_eq!(line["stages"]["captured"], 0);
        for stage in ["journal", "redis", "memcached"] {
            assert!(line["stages"][stage].is_u64(), "{line}");
        }
    }
    let text = sandbox.print(&["tail", "-n", "1", "--no-follow"]);
    assert!(
        text.contains("http://localhost:8080 › shop › orders  update  1  journal +"),
        "{text}"
    );
    assert!(text.contains("redis +") && text.contains("memcached +"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn status_counts_the_stores_that_are_still_to_be_read() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    // Of a store that was there before nothing but this write is known.
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    assert!(
        sandbox
            .print(&["status"])
            .contains("to be read again: 1 of the stores")
    );
    let status: Value = serde_json::from_str(&sandbox.print(&["status", "--json"])).expect("JSON");
    assert_eq!(status["profiles"][0]["unread_stores"], 1);
}

#[test]
fn status_tells_before_anything_has_happened() {
    let sandbox = Sandbox::new();
    assert!(sandbox.print(&["status"]).contains("none yet"));
    let status: Value = serde_json::from_str(&sandbox.print(&["status", "--json"])).expect("JSON");
    assert_eq!(status["profiles"], serde_json::json!([]));
    let host = Host::start(&sandbox);
    let status: Value = serde_json::from_str(&sandbox.print(&["status", "--json"])).expect("JSON");
    assert_eq!(status["profiles"][0]["running"], true);
    assert!(host.close().success());
    let status: Value = serde_json::from_str(&sandbox.print(&["status", "--json"])).expect("JSON");
    assert_eq!(status["profiles"][0]["running"], false);
}

#[test]
#[cfg(unix)]
fn the_journal_is_its_users_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(sandbox.journal_directory()), 0o700);
    for entry in fs::read_dir(sandbox.journal_directory()).expect("a directory") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(path.clone()), 0o600, "{}", path.display());
    }
}

#[test]
fn resync_reaches_the_pages_of_a_running_host() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    assert!(sandbox.print(&["resync"]).contains(ORIGIN));
    let FromHost::Snapshot { origin } = host.request() else {
        panic!("no request for a snapshot")
    };
    assert_eq!(origin, ORIGIN);
    let unknown = sandbox.run(&["resync", "--origin", "http://other"]);
    assert_eq!(unknown.status.code(), Some(1));
    host.close();
    assert!(
        sandbox
            .print(&["resync", "--origin", ORIGIN])
            .contains("not running")
    );
}

#[test]
fn doctor_names_each_problem_with_its_fix() {
    let mut sandbox = Sandbox::new();
    let examine = |sandbox: &Sandbox| -> (bool, Value) {
        let output = sandbox.run(&["doctor", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.success(), report)
    };
    let of = |report: &Value, area: &str| -> Vec<Value> {
        let checks = report["checks"].as_array().expect("checks");
        checks
            .iter()
            .filter(|check| check["area"] == area)
            .cloned()
            .collect()
    };
    let (well, report) = examine(&sandbox);
    assert!(well, "{report}");
    assert_eq!(of(&report, "redis")[0]["verdict"], "ok");
    assert_eq!(of(&report, "memcached")[0]["verdict"], "ok");
    assert_eq!(of(&report, "journal")[0]["verdict"], "note");

    // A browser that this user has run, without a registered host.
    let used = sandbox.directory.path().join(".config/chromium/Local State");
    fs::create_dir_all(used.parent().expect("a directory")).expect("made");
    fs::write(used, "{}").expect("written");
    let (well, report) = examine(&sandbox);
    assert!(!well);
    // Others that are installed on this machine, and were not started by this user, are notes.
    let mut checks = of(&report, "browser").into_iter();
    let problem = checks
        .find(|check| check["verdict"] == "problem")
        .expect("a problem");
    let fix = problem["fix"].as_str().expect("a fix");
    assert!(fix.contains("install --browser chromium"), "{fix}");
    assert!(checks.all(|check| check["verdict"] == "note"));
    sandbox.print(&["install", "--browser", "chromium"]);
    let (well, report) = examine(&sandbox);
    assert!(well, "{report}");

    sandbox.redis.send_command(&["SET", "idb:events", "text"]);
    sandbox.memcached.kill();
    let (well, report) = examine(&sandbox);
    assert!(!well);
    assert_eq!(report["problems"], 2);
    assert!(
        of(&report, "redis")[1]["message"]
            .as_str()
            .expect("text")
            .contains("not a stream")
    );
    let fix = of(&report, "memcached")[0]["fix"].clone();
    // The panel says it with the same words.
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    until("the sink tells", || {
        crate::support::status(&sandbox)["profiles"][0]["sinks"]["memcached"]["fix"] == fix
    });
    let text = String::from_utf8(sandbox.run(&["doctor"]).stdout).expect("UTF-8");
    assert!(text.contains("PROBLEM  memcached"), "{text}");
}

#[test]
fn no_command_and_no_log_tells_a_password() {
    let sandbox = Sandbox::new();
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    // The server has no password at all, which is a trouble to tell of.
    sandbox.write_config(&config.replace("redis://", "redis://relay:s3cr3t-word@"));
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    until("the trouble is known", || {
        crate::support::status(&sandbox)["profiles"][0]["sinks"]["redis"]["error"].is_string()
    });
    host.ask(1, r#"{"health":{}}"#);
    let mut shown = format!("{:?}", host.answer());
    host.close();
    for command in [
        &["status"][..],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["tail", "--no-follow"],
    ] {
        let output = sandbox.run(command);
        shown += &String::from_utf8_lossy(&output.stdout);
        shown += &String::from_utf8_lossy(&output.stderr);
    }
    let log = sandbox.log("idb-relay.log");
    shown += &fs::read_to_string(log).expect("a log");
    assert!(shown.contains("redis"), "{shown}");
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn man_writes_page_of_each_command() {
    let sandbox = Sandbox::new();
    let directory = sandbox.directory.path().join("man/man1");
    sandbox.print(&["man", directory.to_str().expect("UTF-8")]);
    let page = |name: &str| fs::read_to_string(directory.join(name)).expect("a page");
    assert!(page("idb-relay.1").contains("idb\\-relay\\-install(1)"));
    assert!(page("idb-relay-install.1").contains("\\-\\-user\\-data\\-dir"));
    // A directory that cannot be made.
    let refused = sandbox.run(&["man", "/dev/null/man"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("/dev/null/man") && said.contains("fix: "), "{said}");
}

#[test]
fn bash_completes_commands_and_options() {
    let sandbox = Sandbox::new();
    let script = sandbox.directory.path().join("completions.bash");
    fs::write(&script, sandbox.print(&["completions", "bash"])).expect("written");
    let complete = |words: &[&str]| {
        let last = words.last().copied().unwrap_or_default();
        let before = words.len().checked_sub(2).map_or("", |index| words[index]);
        // As bash calls it: by the name that the script has registered.
        let line = format!(
            "source '{}'; name=$(complete -p idb-relay | sed 's/.*-F \\([^ ]*\\).*/\\1/'); COMP_WORDS=({}); \
             COMP_CWORD={}; $name idb-relay '{last}' '{before}'; echo ${{COMPREPLY[@]}}",
            script.display(),
            words.join(" "),
            words.len() - 1,
        );
        let output = crate::support::output(Command::new("bash").args(["--norc", "-c", &line]));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(complete(&["idb-relay", "uni"]), "uninstall\n");
    assert_eq!(complete(&["idb-relay", "install", "--user"]), "--user-data-dir\n");
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.print(&["completions", shell]);
        assert!(
            script.contains("uninstall") && script.contains("user-data-dir"),
            "{shell}"
        );
    }
    assert_eq!(sandbox.run(&["completions", "tcsh"]).status.code(), Some(2));
    // What is not a terminal gets no colours.
    assert!(!sandbox.print(&["--help"]).contains('\u{1b}'));
}
