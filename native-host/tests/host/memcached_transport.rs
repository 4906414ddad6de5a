//! Memcached by TLS, behind a login, and by a local socket: what is promised of a plain connection
//! holds of each, and each failure has a name, a fix, and costs no event.

use std::{fs, path::Path};

use serde_json::Value;
use test_servers::MemcachedOptions;

use crate::support::{
    Apply, Certificates, Host, Sandbox,
    body::{commit, delete, put},
    free_port, status, until,
};

const LOGIN: &str = "ann:opensesame";
const PASSWORD: &str = "opensesame";

/// A sandbox whose Memcached speaks TLS, too, and whose configuration says so.
struct Secured {
    sandbox: Sandbox,
    certificates: Certificates,
    port: u16,
}

impl Secured {
    fn for_name(name: &str, more: &str) -> Self {
        let sandbox = Sandbox::with_config(more);
        let certificates = Certificates::for_name(sandbox.directory.path(), name);
        let mut secured = Self {
            sandbox,
            certificates,
            port: free_port(),
        };
        secured.restart();
        secured
            .sandbox
            .reach_memcached_by(&format!("tls://localhost:{}", secured.port));
        secured
    }

    /// Empties the server.
    fn restart(&mut self) {
        self.sandbox.memcached.kill();
        self.sandbox.memcached.restart_with(&self.options());
    }

    fn options(&self) -> MemcachedOptions {
        MemcachedOptions::default().tls(self.certificates.tls(self.port))
    }

    fn trust(&self, authority: &Path) {
        let line = format!("ca_file = \"{}\"", authority.display());
        self.sandbox.configure("memcached", &line);
    }
}

fn sink(sandbox: &Sandbox) -> Value {
    status(sandbox)["profiles"][0]["sinks"]["memcached"].clone()
}

fn doctor(sandbox: &Sandbox) -> String {
    String::from_utf8(sandbox.run(&["doctor"]).stdout).expect("UTF-8")
}

fn log_in(sandbox: &Sandbox, user: &str, password: &str) {
    let lines = format!("user = \"{user}\"\npassword = \"{password}\"");
    sandbox.configure("memcached", &lines);
}

/// A host delivers the record 1; the sink comes to this state with this fix. Returns what is said.
fn fails(sandbox: &Sandbox, state: &str, fix: &str) -> String {
    let mut host = Host::start(sandbox);
    host.deliver(1, &commit(&[put("1", "\"kept\"")]));
    host.acknowledged(1);
    let mut status = Value::Null;
    until(&format!("the sink is {state}"), || {
        status = sink(sandbox);
        status["state"] == state
    });
    let said = status["fix"].as_str().expect("a fix");
    assert!(said.contains(fix), "{status}");
    let found = doctor(sandbox);
    assert!(found.contains(fix), "{found}");
    assert!(host.close().success());
    status.to_string()
}

/// A new host brings what was delivered before.
fn brings_what_was_kept(sandbox: &Sandbox) {
    let mut host = Host::start(sandbox);
    host.deliver(2, &commit(&[put("2", "2")]));
    host.acknowledged(2);
    sandbox.await_cached("2", Some("2"));
    assert_eq!(sandbox.cached("1").as_deref(), Some("\"kept\""));
    assert!(host.close().success());
}

/// Sets, deletes, compares, repairs and fills again.
fn does_all_that_plain_does(sandbox: &mut Sandbox, restart: impl FnOnce(&mut Sandbox)) {
    let mut host = Host::start(sandbox);
    let large = format!("\"{}\"", "x".repeat(500_000));
    host.deliver(1, &commit(&[put("1", "1"), put("2", &large), put("3", "3")]));
    host.deliver(2, &commit(&[delete("3")]));
    host.acknowledged(2);
    sandbox.await_cached("2", Some(&large));
    sandbox.await_cached("1", Some("1"));
    sandbox.await_cached("3", None);
    // More commands than one TLS record has room for, large values among them.
    let many: Vec<_> = (100..2100)
        .map(|key| match key % 500 {
            0 => put(&key.to_string(), &large),
            _ => put(&key.to_string(), &format!("\"{key} {}\"", "y".repeat(200))),
        })
        .collect();
    host.deliver(3, &commit(&many));
    host.acknowledged(3);
    until("all is passed on", || {
        let memcached = sink(sandbox);
        memcached["behind"] == 0 && memcached["state"] == "running"
    });
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(0));
    let found = doctor(sandbox);
    assert!(found.contains("ok       memcached      memcached at "), "{found}");
    // What others changed is found, by its key and in the server's list, and put right.
    sandbox.memcached.set(&sandbox.key("1"), "wrong");
    sandbox.memcached.delete(&sandbox.key("2"));
    sandbox.memcached.set(&sandbox.key("4"), "foreign");
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(1));
    let repaired = sandbox.run(&["verify", "--repair"]);
    assert!(
        repaired.status.success(),
        "{}",
        String::from_utf8_lossy(&repaired.stdout)
    );
    assert_eq!(sandbox.cached("1").as_deref(), Some("1"));
    assert_eq!(sandbox.cached("2").as_deref(), Some(large.as_str()));
    assert_eq!(sandbox.cached("4"), None);
    let record = [
        "get",
        "--origin",
        crate::support::ORIGIN,
        "--database",
        "shop",
        "--store",
        "orders",
        "--key",
        "1",
    ];
    assert!(sandbox.print(&record).contains('1'));
    // An idle connection that the server closed is made again, and the empty server filled.
    restart(sandbox);
    sandbox.await_cached("2", Some(&large));
    host.deliver(4, &commit(&[put("1", "10")]));
    sandbox.await_cached("1", Some("10"));
    assert!(host.close().success());
}

#[test]
fn memcached_is_fed_and_repaired_over_tls() {
    let mut secured = Secured::for_name("localhost", "");
    secured.trust(&secured.certificates.authority);
    let options = secured.options();
    does_all_that_plain_does(&mut secured.sandbox, |sandbox| {
        sandbox.memcached.restart_with(&options);
    });
}

#[test]
fn memcached_of_unknown_authority_is_not_trusted() {
    let secured = Secured::for_name("localhost", "");
    fails(&secured.sandbox, "not_trusted", "memcached.ca_file");
    assert!(secured.sandbox.memcached.keys().is_empty());
    secured.trust(&secured.certificates.authority);
    brings_what_was_kept(&secured.sandbox);
}

#[test]
fn memcached_of_other_authority_is_not_trusted() {
    let secured = Secured::for_name("localhost", "");
    let elsewhere = secured.sandbox.directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    secured.trust(&Certificates::for_name(&elsewhere, "localhost").authority);
    fails(&secured.sandbox, "not_trusted", "memcached.ca_file");
    assert!(secured.sandbox.memcached.keys().is_empty());
}

#[test]
fn memcached_with_other_name_is_not_trusted() {
    let secured = Secured::for_name("elsewhere.example", "");
    secured.trust(&secured.certificates.authority);
    fails(&secured.sandbox, "not_trusted", "by the name in its certificate");
    assert!(secured.sandbox.memcached.keys().is_empty());
}

#[test]
fn missing_file_of_authorities_is_named() {
    let secured = Secured::for_name("localhost", "");
    secured.trust(Path::new("/nowhere/ca.pem"));
    let said = fails(&secured.sandbox, "not_trusted", "Correct memcached.ca_file");
    assert!(said.contains("/nowhere/ca.pem"), "{said}");
}

#[test]
fn file_without_certificates_is_named() {
    let secured = Secured::for_name("localhost", "");
    secured.trust(&secured.certificates.key);
    fails(&secured.sandbox, "not_trusted", "Correct memcached.ca_file");
}

#[test]
fn memcached_without_tls_is_named_when_tls_is_configured() {
    let sandbox = Sandbox::new();
    let plain = sandbox.memcached.address();
    sandbox.reach_memcached_by(&format!("tls://{plain}"));
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "\"kept\"")]));
    host.acknowledged(1);
    // By what the handshake's bytes happen to be the server answers, or waits for the end of a
    // line.
    until("the sink says what is wrong", || {
        let status = sink(&sandbox);
        ["slow", "no_tls"].contains(&status["state"].as_str().unwrap_or_default())
            && status["fix"]
                .as_str()
                .is_some_and(|fix| fix.contains("remove tls://"))
    });
    let found = doctor(&sandbox);
    assert!(found.contains("remove tls://"), "{found}");
    assert!(host.close().success());
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("tls://", ""));
    brings_what_was_kept(&sandbox);
}

#[test]
fn memcached_with_tls_is_named_when_plain_is_configured() {
    let secured = Secured::for_name("localhost", "");
    let config = fs::read_to_string(secured.sandbox.config_path()).expect("a file");
    secured.sandbox.write_config(&config.replace("tls://", ""));
    fails(&secured.sandbox, "unreachable", "write tls:// before its address");
    secured.sandbox.write_config(&config);
    secured.trust(&secured.certificates.authority);
    brings_what_was_kept(&secured.sandbox);
}

#[test]
fn memcached_is_fed_and_repaired_behind_login() {
    let mut sandbox = Sandbox::new();
    sandbox
        .memcached
        .restart_with(&MemcachedOptions::default().login(LOGIN));
    log_in(&sandbox, "ann", PASSWORD);
    does_all_that_plain_does(&mut sandbox, |sandbox| {
        sandbox
            .memcached
            .restart_with(&MemcachedOptions::default().login(LOGIN));
    });
}

#[test]
fn wrong_password_is_named_and_never_printed() {
    let mut sandbox = Sandbox::new();
    sandbox
        .memcached
        .restart_with(&MemcachedOptions::default().login(LOGIN));
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    log_in(&sandbox, "ann", "hunter2");
    let said = fails(
        &sandbox,
        "not_authenticated",
        "Correct memcached.user and memcached.password",
    );
    let everything = [
        said,
        sandbox.print(&["status"]),
        doctor(&sandbox),
        fs::read_to_string(sandbox.log("idb-relay.log")).expect("a log"),
    ];
    assert!(!everything.concat().contains("hunter2"));
    sandbox.write_config(&config);
    fails(&sandbox, "not_authenticated", "Set memcached.user");
    log_in(&sandbox, "ann", PASSWORD);
    brings_what_was_kept(&sandbox);
}

#[test]
fn password_is_not_sent_to_server_that_asks_for_none() {
    let sandbox = Sandbox::new();
    log_in(&sandbox, "ann", "hunter2");
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    let found = doctor(&sandbox);
    assert!(found.contains("did not ask for user and password"), "{found}");
    assert!(host.close().success());
    let held = sandbox.memcached.get_all(&sandbox.memcached.keys());
    assert!(!held.is_empty());
    assert!(held.values().all(|value| !value.contains("hunter2")), "{held:?}");
}

#[test]
fn memcached_is_fed_by_apply_over_tls_and_behind_login() {
    let mut secured = Secured::for_name("localhost", "mode = \"off\"\n");
    secured.trust(&secured.certificates.authority);
    let options = secured.options().login(LOGIN);
    secured.sandbox.memcached.restart_with(&options);
    let sandbox = &mut secured.sandbox;
    log_in(sandbox, "ann", PASSWORD);
    let mut host = Host::start(sandbox);
    let mut apply = Apply::after_first_event(sandbox, &mut host);
    let large = format!("\"{}\"", "x".repeat(500_000));
    host.deliver(2, &commit(&[put("1", "1"), put("2", &large)]));
    sandbox.await_cached("2", Some(&large));
    host.deliver(3, &commit(&[delete("2")]));
    sandbox.await_cached("2", None);
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(0));
    assert!(apply.said("trouble").is_empty());
    assert!(apply.end().success());
    assert!(host.close().success());
}

#[test]
fn apply_names_wrong_password() {
    let mut sandbox = Sandbox::with_config("mode = \"off\"\n");
    sandbox
        .memcached
        .restart_with(&MemcachedOptions::default().login(LOGIN));
    log_in(&sandbox, "ann", "hunter2");
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    sandbox.redis.await_stream(1);
    let mut apply = Apply::start(&sandbox, "one");
    let trouble = apply.trouble("not_authenticated").to_string();
    assert!(!trouble.contains("hunter2"), "{trouble}");
}

#[test]
fn memcached_is_fed_by_socket_as_soon_as_there_is_one() {
    let mut sandbox = Sandbox::new();
    let socket = sandbox.directory.path().join("memcached.sock");
    sandbox.memcached.kill();
    sandbox.reach_memcached_by(&format!("unix://{}", socket.display()));
    fails(&sandbox, "unreachable", "Start the server with this socket (-s)");

    sandbox
        .memcached
        .restart_with(&MemcachedOptions::default().socket(&socket));
    let mut host = Host::start(&sandbox);
    sandbox.await_cached("1", Some("\"kept\""));
    let large = format!("\"{}\"", "x".repeat(500_000));
    host.deliver(2, &commit(&[put("2", &large), put("1", "2")]));
    sandbox.await_cached("1", Some("2"));
    assert_eq!(sandbox.cached("2"), Some(large));
    let found = doctor(&sandbox);
    assert!(
        found.contains("ok       memcached      memcached at unix:///"),
        "{found}"
    );
    assert!(!found.contains("in the clear"), "{found}");
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(0));

    // It comes back empty.
    sandbox
        .memcached
        .restart_with(&MemcachedOptions::default().socket(&socket));
    sandbox.await_cached("1", Some("2"));
    assert!(sandbox.run(&["verify", "--repair"]).status.success());
    assert!(host.close().success());
}

#[test]
fn connection_in_the_clear_to_another_machine_is_noted() {
    let sandbox = Sandbox::new();
    assert!(!doctor(&sandbox).contains("in the clear"));
    sandbox.reach_memcached_by("memcached.invalid:11211");
    let found = doctor(&sandbox);
    assert!(found.contains("is in the clear: records can be read"), "{found}");
    sandbox.configure("memcached", "user = \"ann\"\npassword = \"hunter2\"");
    let found = doctor(&sandbox);
    assert!(found.contains("records and the password can be read"), "{found}");
    assert!(!found.contains("hunter2"), "{found}");
    assert!(!found.contains("events and the password"), "{found}");
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace(&sandbox.redis.url(), "redis://redis.invalid:6379"));
    let found = doctor(&sandbox);
    assert!(found.contains("redis.invalid:6379 is in the clear"), "{found}");
}
