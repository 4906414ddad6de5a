//! Servers that answer and do not do what is needed: what the doctor says, and that its fix is
//! one.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use serde_json::Value;

use crate::support::{
    Host, Sandbox,
    body::{commit, put},
    status, until,
};

/// What the doctor says of an area.
fn checks(sandbox: &Sandbox, area: &str) -> Vec<Value> {
    let found: Value = serde_json::from_slice(&sandbox.run(&["doctor", "--json"]).stdout).expect("JSON");
    let all = found["checks"].as_array().expect("checks").clone();
    all.into_iter().filter(|check| check["area"] == area).collect()
}

fn sandbox_of_user() -> Sandbox {
    let sandbox = Sandbox::new();
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace("redis://", "redis://relay:secret@"));
    sandbox
}

#[test]
fn doctor_fix_for_redis_user_is_line_that_makes_sink_work() {
    for rules in [
        // Without the keys beside the stream; without the stream; without the channels; without
        // commands.
        &["~idb:events", "&*", "+@all"][..],
        &["~{idb:events}*", "&*", "+@all"],
        &["~*", "&other:*", "+@all"],
        &["~*", "&*", "+@all", "-xadd"],
        &["~*", "&*", "+get", "+info", "+ping"],
    ] {
        let sandbox = sandbox_of_user();
        let user = ["ACL", "SETUSER", "relay", "reset", "on", ">secret"];
        sandbox.redis.send_command(&[&user[..], rules].concat());
        let found = checks(&sandbox, "redis");
        assert_eq!(found[0]["verdict"], "problem", "{rules:?}: {found:?}");
        let fix = found[0]["fix"].as_str().expect("text").to_owned();
        assert!(fix.starts_with("ACL SETUSER relay "), "{fix}");
        let mut host = Host::start(&sandbox);
        host.deliver(1, &commit(&[put("1", "1")]));
        host.acknowledged(1);
        until(&format!("the sink says the same without {rules:?}"), || {
            let sink = status(&sandbox)["profiles"][0]["sinks"]["redis"].clone();
            sink["state"] == "not_permitted" && sink["fix"].as_str().is_some_and(|text| text.contains(&fix))
        });
        let words: Vec<&str> = fix.split(' ').collect();
        sandbox.redis.send_command(&words);
        assert_eq!(sandbox.redis.await_stream(1).len(), 1);
        let found = checks(&sandbox, "redis");
        assert!(
            found.iter().all(|check| check["verdict"] != "problem"),
            "{found:?}"
        );
        // The doctor has left nothing there.
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg("*doctor*")
            .query(&mut sandbox.redis.connection())
            .expect("an answer");
        assert_eq!(keys, [""; 0]);
    }
}

/// A server that knows classic commands and hangs up at all others, as twemproxy does.
fn proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            thread::spawn(move || {
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|length| length > 0) {
                    if !line.starts_with("get ") || stream.get_mut().write_all(b"END\r\n").is_err() {
                        return;
                    }
                    line.clear();
                }
            });
        }
    });
    address
}

#[test]
fn server_that_knows_no_meta_commands_is_named() {
    let sandbox = Sandbox::new();
    let own = sandbox.memcached.address();
    let address = proxy();
    sandbox.reach_memcached_by(&address);
    let found = checks(&sandbox, "memcached");
    let text = "it answers no meta commands: a proxy, or Memcached older than 1.6?";
    assert!(
        found[0]["message"]
            .as_str()
            .is_some_and(|found| found.contains(text)),
        "{found:?}"
    );
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    until("the sink names it", || {
        let sink = status(&sandbox)["profiles"][0]["sinks"]["memcached"].clone();
        sink["error"].as_str().is_some_and(|error| error.contains(text))
    });
    assert!(host.close().success());
    // Past the proxy all is well.
    let config = std::fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace(&address, &own));
    let _host = Host::start(&sandbox);
    sandbox.await_cached("1", Some("1"));
    let found = checks(&sandbox, "memcached");
    assert!(
        found.iter().all(|check| check["verdict"] != "problem"),
        "{found:?}"
    );
}
