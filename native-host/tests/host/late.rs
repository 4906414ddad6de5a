//! Commands that Memcached executes late, when what they say is no longer so: a proxy holds them
//! back for as long as it takes.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};

use crate::support::{
    Apply, Gate, Host, Proxy, Sandbox,
    body::{commit, put},
    has, hello, output, status, until,
};

/// What sets an item.
const SET: &[u8] = b"ms ";

/// Runs `verify --repair` so that it reaches Memcached by a proxy, and returns its exit code.
fn repair(sandbox: &Sandbox, proxy: &Proxy) -> Option<i32> {
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    let address = sandbox.memcached.address();
    let path = sandbox.directory.path().join("by-proxy.toml");
    fs::write(&path, config.replace(&address, proxy.address())).expect("written");
    let mut program = sandbox.program();
    program.env("IDB_RELAY_CONFIG", path).args(["verify", "--repair"]);
    output(&mut program).status.code()
}

/// Whether a process holds the journal's writer lock for longer than any transaction of the host
/// takes.
fn is_held(journal: &Connection) -> bool {
    (0..50).all(|_| {
        thread::sleep(Duration::from_millis(2));
        journal.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err()
    })
}

/// A repair finds record 1 missing. Before each of its writes arrives, the page changes the record,
/// and the server loses it again.
fn repaired_while_it_changes_and_goes(sandbox: &Sandbox, host: &mut Host, first: u64) {
    let name = sandbox.key("1");
    let memcached = &sandbox.memcached;
    memcached.delete(&name);
    let writes = Arc::new(AtomicUsize::new(0));
    let gates: Arc<[(Gate, Gate); 2]> = Arc::default();
    let (count, at) = (Arc::clone(&writes), Arc::clone(&gates));
    // The first two writes are held back, and what comes after each.
    let proxy = Proxy::start(memcached, move |_, _, bytes| {
        let done = count.load(Ordering::SeqCst);
        if let Some((_, behind)) = done.checked_sub(1).and_then(|last| at.get(last)) {
            behind.pass();
        }
        if has(bytes, SET) {
            count.fetch_add(1, Ordering::SeqCst);
            if let Some((before, _)) = at.get(done) {
                before.pass();
            }
        }
    });
    let journal = sandbox.journal_directory().join("profile-1.sqlite");
    let journal = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a journal");
    journal.busy_timeout(Duration::ZERO).expect("set");
    let mut last = first;
    thread::scope(|scope| {
        let verified = scope.spawn(|| repair(sandbox, &proxy));
        for (before, behind) in gates.iter() {
            before.await_waiter();
            last += 1;
            host.deliver(last, &commit(&[put("1", &last.to_string())]));
            let newest = last.to_string();
            let is_there = || memcached.get(&name).as_deref() == Some(&newest);
            // Either it is kept from the journal until the write is done, or it gets past the
            // write.
            let mut past = false;
            until("the change has come, or waits", || {
                past = is_there();
                past || is_held(&journal)
            });
            if past {
                memcached.delete(&name);
            }
            before.open();
            behind.await_waiter();
            if past {
                let found = memcached.get(&name);
                assert_eq!(found, None, "it went back from {newest}");
            } else {
                if let Some((value, about)) = memcached.get_with_flags(&name)
                    && value != newest
                {
                    // Were the repair killed now, it would go by itself.
                    let left: i32 = about.trim_start_matches("f0 t").parse().expect("seconds");
                    assert!((0..=3).contains(&left), "{about}");
                }
                until("the change has come", is_there);
                memcached.delete(&name);
            }
            behind.open();
        }
        assert_eq!(verified.join().expect("it ran"), Some(0));
    });
    assert!(writes.load(Ordering::SeqCst) > 2);
    assert_eq!(memcached.get(&name), Some(last.to_string()));
    let about = memcached.get_with_flags(&name).expect("an item").1;
    assert!(about.contains("t-1"), "it lasts: {about}");
}

#[test]
fn a_repair_adds_nothing_that_has_become_old() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    sandbox.await_cached("1", Some("1"));
    up_to_date(&sandbox);
    repaired_while_it_changes_and_goes(&sandbox, &mut host, 1);
}

#[test]
fn a_repair_of_what_apply_feeds_adds_nothing_that_has_become_old() {
    let sandbox = Sandbox::with_config("mode = \"off\"\n");
    let mut host = Host::start(&sandbox);
    let _apply = Apply::after_first_event(&sandbox, &mut host);
    host.deliver(2, &commit(&[put("1", "2")]));
    host.acknowledged(2);
    sandbox.await_cached("1", Some("2"));
    repaired_while_it_changes_and_goes(&sandbox, &mut host, 2);
}

/// How long a server that goes on again may take to get through what it had received: less than a
/// sink gives it.
const BACKLOG: Duration = Duration::from_millis(400);

/// A server that stands still, with what a host had sent in its buffers, and goes on.
#[derive(Default)]
struct Still {
    /// Behind it are the first host's writes.
    early: Gate,
    /// Behind it is what comes on later connections, until the server goes on.
    rest: Gate,
    /// The connection on which the first host has written; 0: it has not.
    first: AtomicUsize,
    /// When a client last greeted the server (`mn`) after it went on.
    greeted: Mutex<Option<Instant>>,
}

impl Still {
    /// Whether by now it must have got through what it had received.
    fn is_through(&self) -> bool {
        let greeted = self.greeted.lock().expect("no panic");
        greeted.is_some_and(|greeted| greeted.elapsed() >= BACKLOG)
    }

    /// Has it executed what it had received.
    fn finish(&self, proxy: &Proxy) {
        self.early.open();
        let first = self.first.load(Ordering::SeqCst);
        until("the backlog is done", || proxy.has_answered(first));
    }
}

/// A sandbox whose Memcached is reached by such a server.
fn standing_still() -> (Sandbox, Proxy, Arc<Still>) {
    let sandbox = Sandbox::new();
    let still = Arc::new(Still::default());
    let at = Arc::clone(&still);
    let proxy = Proxy::start(&sandbox.memcached, move |proxy, connection, bytes| {
        if at.first.load(Ordering::SeqCst) == 0 {
            if has(bytes, SET) {
                at.first.store(connection, Ordering::SeqCst);
                at.early.pass();
            }
            return;
        }
        at.rest.pass();
        if bytes.starts_with(b"mn") {
            *at.greeted.lock().expect("no panic") = Some(Instant::now());
        } else if has(bytes, SET) && at.is_through() {
            // What was there before has been executed before.
            at.finish(proxy);
        }
    });
    let config = fs::read_to_string(sandbox.config_path()).expect("a file");
    sandbox.write_config(&config.replace(&sandbox.memcached.address(), proxy.address()));
    (sandbox, proxy, still)
}

/// Lets the server go on; what it had received does not stay.
fn outlived(sandbox: &Sandbox, proxy: &Proxy, still: &Still) {
    still.rest.open();
    until("the backlog is done", || still.is_through());
    still.finish(proxy);
    up_to_date(sandbox);
    assert_eq!(sandbox.cached("1").as_deref(), Some("2"));
}

#[test]
fn what_a_killed_host_had_sent_is_outlived() {
    let (sandbox, proxy, still) = standing_still();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    still.early.await_waiter();
    host.kill();
    let mut host = Host::start(&sandbox);
    host.deliver(2, &commit(&[put("1", "2")]));
    host.acknowledged(2);
    outlived(&sandbox, &proxy, &still);
}

#[test]
fn what_was_sent_and_not_answered_is_outlived() {
    let (sandbox, proxy, still) = standing_still();
    // With a tenth of the patience.
    let mut program = sandbox.program();
    program.env("IDB_RELAY_PACE", "10");
    let mut host = Host::spawn(program);
    host.send(&hello(protocol::PROTOCOL_VERSION));
    host.deliver(1, &commit(&[put("1", "1")]));
    still.early.await_waiter();
    host.deliver(2, &commit(&[put("1", "2")]));
    outlived(&sandbox, &proxy, &still);
}

/// Waits until nothing waits for Memcached.
fn up_to_date(sandbox: &Sandbox) {
    until("Memcached is up to date", || {
        let memcached = status(sandbox)["profiles"][0]["sinks"]["memcached"].clone();
        memcached["behind"] == 0 && memcached["state"] == "running"
    });
}
