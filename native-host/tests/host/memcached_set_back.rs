//! A Memcached that was set back to an older state, as by a snapshot of its machine: it holds what
//! it held then, with the marks of then.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    owners::OWNER,
    support::{
        Host, Memcached, Sandbox,
        body::{commit, delete, put},
        status, until,
    },
};

/// The item that says up to where the usual host has filled a server.
const MARK: &str = "idb-relay-host:profile-1";

/// What a server held.
type State = BTreeMap<String, String>;

/// By names: a list of the server lacks what is just being written.
fn state<'k>(sandbox: &Sandbox, server: &Memcached, keys: impl IntoIterator<Item = &'k str>) -> State {
    let mut names: Vec<String> = keys.into_iter().map(|key| sandbox.key(key)).collect();
    names.extend([MARK, OWNER].map(str::to_owned));
    let state = server.get_all(&names);
    assert!(state.contains_key(MARK));
    state
}

/// Sets a server back: it is another process, with what was there then.
fn set_back(server: &mut Memcached, state: &State) {
    server.restart();
    for (name, value) in state {
        server.set(name, value);
    }
}

/// What `status` says of Memcached.
fn sink(sandbox: &Sandbox) -> Value {
    status(sandbox)["profiles"][0]["sinks"]["memcached"].clone()
}

fn up_to_date(sandbox: &Sandbox) {
    until("Memcached is up to date", || {
        let memcached = sink(sandbox);
        memcached["behind"] == 0 && memcached["state"] == "running"
    });
}

/// Delivers and waits until it is in Memcached.
fn pass_on(sandbox: &Sandbox, host: &mut Host, sequence: u64, body: &str) {
    host.deliver(sequence, body);
    host.acknowledged(sequence);
    up_to_date(sandbox);
}

/// Waits until a server's mark names the last event.
fn await_mark(sandbox: &Sandbox, server: &Memcached) {
    let head = &status(sandbox)["profiles"][0]["head"];
    until("the mark is up to date", || {
        let mark = server.get(MARK);
        let mark: Value = mark.map_or(Value::Null, |mark| serde_json::from_str(&mark).expect("JSON"));
        let mut passed = mark["passed"]
            .as_object()
            .into_iter()
            .flat_map(|passed| passed.values());
        passed.any(|passed| passed == head)
    });
}

/// A host whose page has changed, deleted and added records since the state that is returned.
fn changed_since() -> (Sandbox, Host, State) {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    pass_on(&sandbox, &mut host, 1, &commit(&[put("1", "1"), put("2", "1")]));
    await_mark(&sandbox, &sandbox.memcached);
    let old = state(&sandbox, &sandbox.memcached, ["1", "2"]);
    let changes = [put("1", "2"), delete("2"), put("3", "2")];
    pass_on(&sandbox, &mut host, 2, &commit(&changes));
    await_mark(&sandbox, &sandbox.memcached);
    (sandbox, host, old)
}

#[test]
fn server_is_filled_again_when_set_back_while_host_runs() {
    for restarted in [true, false] {
        let (mut sandbox, host, old) = changed_since();
        host.pause();
        if restarted {
            set_back(&mut sandbox.memcached, &old);
        } else {
            // With its connections.
            sandbox.memcached.delete(&sandbox.key("3"));
            for (name, value) in &old {
                sandbox.memcached.set(name, value);
            }
        }
        host.resume();
        sandbox.await_cached("1", Some("2"));
        sandbox.await_cached("2", None);
        sandbox.await_cached("3", Some("2"));
        up_to_date(&sandbox);
    }
}

#[test]
fn server_is_filled_again_when_its_mark_is_of_another_journal() {
    let (mut sandbox, host, mut old) = changed_since();
    let mark = old.get_mut(MARK).expect("a mark");
    let mut other: Value = serde_json::from_str(mark).expect("JSON");
    other["journal"] = 7.into();
    *mark = other.to_string();
    host.pause();
    set_back(&mut sandbox.memcached, &old);
    host.resume();
    sandbox.await_cached("1", Some("2"));
    sandbox.await_cached("3", Some("2"));
    // Which records have been deleted since is unknown.
    until("the status says so", || {
        let status = sink(&sandbox);
        let fix = status["fix"].as_str().unwrap_or_default();
        status["state"] == "incomplete" && fix.contains("idb-relay verify --repair")
    });
    sandbox.run(&["verify", "--repair"]);
    assert_eq!(sandbox.cached("2"), None);
    up_to_date(&sandbox);
}

#[test]
fn one_of_several_servers_learns_of_deletions_when_set_back() {
    for stopped in [true, false] {
        let mut second = Memcached::start();
        let sandbox = Sandbox::new();
        let first = sandbox.memcached.address();
        sandbox.reach_memcached_by(&format!("{}\", \"{first}", second.address()));
        let mut host = Host::start(&sandbox);
        let keys: Vec<String> = (0..40).map(|key| key.to_string()).collect();
        let puts: Vec<String> = keys.iter().map(|key| put(key, "1")).collect();
        pass_on(&sandbox, &mut host, 1, &commit(&puts));
        await_mark(&sandbox, &second);
        let old = state(&sandbox, &second, keys.iter().map(String::as_str));
        let gone: Vec<String> = keys.iter().map(|key| delete(key)).collect();
        pass_on(&sandbox, &mut host, 2, &commit(&gone));
        for server in [&second, &sandbox.memcached] {
            await_mark(&sandbox, server);
        }
        let mut host = if stopped {
            assert!(host.close().success());
            set_back(&mut second, &old);
            Host::start(&sandbox)
        } else {
            host.pause();
            set_back(&mut second, &old);
            host.resume();
            host
        };
        assert!(keys.iter().any(|key| old.contains_key(&sandbox.key(key))));
        host.deliver_as("another", 1, &commit(&[put("100", "1")]));
        host.acknowledged_as("another", 1);
        for key in &keys {
            let name = sandbox.key(key);
            until("the record is gone", || second.get(&name).is_none());
        }
        up_to_date(&sandbox);
    }
}
