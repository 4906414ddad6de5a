//! Redis over TLS, with certificates made for the test.

use std::{fs, path::PathBuf};

use test_servers::RedisOptions;

use crate::support::{
    Apply, Certificates, Host, Sandbox,
    body::{commit, put},
    free_port, status, until,
};

/// A server that speaks TLS on a port of its own, beside its usual one.
struct Secured {
    sandbox: Sandbox,
    /// Of who vouches for the server.
    authority: PathBuf,
}

impl Secured {
    /// With a certificate for this name.
    fn for_name(name: &str, more: &str) -> Self {
        let mut sandbox = Sandbox::with_config(more);
        let certificates = Certificates::for_name(sandbox.directory.path(), name);
        let port = free_port();
        sandbox
            .redis
            .restart_with(&RedisOptions::default().tls(certificates.tls(port)));
        let config = fs::read_to_string(sandbox.config_path()).expect("a file");
        let url = format!("rediss://localhost:{port}");
        sandbox.write_config(&config.replace(&sandbox.redis.url(), &url));
        Self {
            sandbox,
            authority: certificates.authority,
        }
    }

    fn trust(&self, authority: &str) {
        self.sandbox
            .configure("redis", &format!("ca_file = \"{authority}\""));
    }

    fn untrusted(&self) {
        let mut host = Host::start(&self.sandbox);
        host.deliver(1, &commit(&[put("1", "1")]));
        host.acknowledged(1);
        until("the host says so", || {
            let redis = status(&self.sandbox)["profiles"][0]["sinks"]["redis"].clone();
            redis["state"] == "not_trusted"
                && redis["fix"]
                    .as_str()
                    .is_some_and(|fix| fix.contains("redis.ca_file"))
        });
        let doctor = String::from_utf8(self.sandbox.run(&["doctor"]).stdout).expect("UTF-8");
        assert!(doctor.contains("cannot be trusted"), "{doctor}");
        assert!(!self.sandbox.redis.exists("idb:events"));
    }
}

#[test]
fn a_server_with_tls_is_fed_and_read() {
    let secured = Secured::for_name("localhost", "mode = \"off\"\n");
    secured.trust(secured.authority.to_str().expect("UTF-8"));
    let sandbox = &secured.sandbox;
    let mut host = Host::start(sandbox);
    let mut apply = Apply::after_first_event(sandbox, &mut host);
    host.deliver(2, &commit(&[put("1", "1")]));
    sandbox.await_cached("1", Some("1"));
    let doctor = String::from_utf8(sandbox.run(&["doctor"]).stdout).expect("UTF-8");
    assert!(
        doctor.contains("ok       redis          redis at localhost:"),
        "{doctor}"
    );
    assert_eq!(sandbox.run(&["verify"]).status.code(), Some(0));
    // A large value: more than one record of TLS each way.
    let large = format!("\"{}\"", "x".repeat(500_000));
    host.deliver(3, &commit(&[put("2", &large)]));
    sandbox.await_cached("2", Some(&large));
    assert!(apply.said("trouble").is_empty());
    assert!(apply.end().success());
    let mut apply = Apply::start_with(sandbox, "two", &["--pubsub"]);
    apply.says_where("state", |state| state["text"] == "listening");
    host.deliver(4, &commit(&[put("3", "1")]));
    sandbox.await_cached("3", Some("1"));
    // Quiet for a while, as a browser is, and still there.
    assert!(apply.end().success());
    assert!(host.close().success());
}

#[test]
fn redis_of_unknown_authority_is_not_trusted() {
    // The system knows nothing of it.
    Secured::for_name("localhost", "").untrusted();
}

#[test]
fn a_server_with_another_name_is_not_trusted() {
    let secured = Secured::for_name("elsewhere.example", "");
    secured.trust(secured.authority.to_str().expect("UTF-8"));
    secured.untrusted();
}

#[test]
fn a_file_of_authorities_that_is_not_there_is_named() {
    let secured = Secured::for_name("localhost", "");
    secured.trust("/nowhere/ca.pem");
    secured.untrusted();
}
