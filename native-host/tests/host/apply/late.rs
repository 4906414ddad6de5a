//! Writes that come late, step by step: what one process looked up another one changes, and then
//! the first one writes all the same.

use std::time::{Duration, Instant};

use idb_relay::apply::{
    cache::{
        Cache,
        server::{Seen, Server},
    },
    lease::{LENGTH, Lease, Takeover},
};
use test_servers::MemcachedOptions;

use crate::support::{Memcached, Sandbox, plain, until};

/// One of several processes that talk to the same server.
struct Process(Server);

impl Process {
    fn of(memcached: &Memcached) -> Self {
        Self(Server::open(&plain(&memcached.address())).expect("a connection"))
    }

    fn look(&mut self, name: &str) -> Seen {
        self.0.look(&[name], false).expect("an answer").remove(0)
    }

    fn fence(&mut self) -> u32 {
        Cache::fence(self.0.clock().expect("a clock"))
    }

    /// Whether the name holds this now.
    fn write(&mut self, name: &str, value: Option<&str>, seen: &Seen, fence: u32) -> bool {
        let write = (name, value.map(str::as_bytes));
        self.0.write(&[(write, seen)], fence).expect("an answer") == [true]
    }

    /// Looks and writes without a pause.
    fn set(&mut self, name: &str, value: Option<&str>) {
        let (seen, fence) = (self.look(name), self.fence());
        assert!(self.write(name, value, &seen, fence));
    }

    fn await_clock(&mut self, time: u32) {
        until("the server's clock has moved on", || {
            self.0.clock().expect("a clock") >= time
        });
    }
}

#[test]
fn an_item_is_as_any_client_would_write_it() {
    let memcached = Memcached::start();
    let mut one = Process::of(&memcached);
    one.set("a", Some("1"));
    assert_eq!(
        memcached.get_with_flags("a"),
        Some(("1".to_owned(), "f0 t-1".to_owned()))
    );
    one.set("a", Some(""));
    assert_eq!(
        memcached.get_with_flags("a"),
        Some((String::new(), "f0 t-1".to_owned()))
    );
    one.set("a", None);
    assert_eq!(memcached.get_with_flags("a"), None);
    // What is not there can be deleted, too.
    one.set("a", None);
}

#[test]
fn a_late_replacement_or_deletion_is_refused() {
    let memcached = Memcached::start();
    let (mut late, mut other) = (Process::of(&memcached), Process::of(&memcached));
    other.set("a", Some("1"));
    let (seen, fence) = (late.look("a"), late.fence());
    other.set("a", Some("2"));
    assert!(!late.write("a", Some("1"), &seen, fence));
    assert!(!late.write("a", None, &seen, fence));
    assert_eq!(memcached.get("a").as_deref(), Some("2"));
    // The same value again is another item all the same.
    let seen = late.look("a");
    other.set("a", Some("2"));
    assert!(!late.write("a", Some("1"), &seen, fence));
    other.set("a", None);
    assert!(!late.write("a", Some("1"), &seen, fence));
    assert_eq!(memcached.get("a"), None);
}

#[test]
fn a_late_creation_does_not_replace() {
    let memcached = Memcached::start();
    let (mut late, mut other) = (Process::of(&memcached), Process::of(&memcached));
    let (seen, fence) = (late.look("a"), late.fence());
    other.set("a", Some("2"));
    assert!(!late.write("a", Some("1"), &seen, fence));
    assert_eq!(
        memcached.get_with_flags("a"),
        Some(("2".to_owned(), "f0 t-1".to_owned()))
    );
}

#[test]
fn a_creation_past_its_fence_is_dead_on_arrival() {
    let memcached = Memcached::start();
    let (mut late, mut other) = (Process::of(&memcached), Process::of(&memcached));
    // Between the look and the write the record comes and goes: nothing is there to tell the late
    // one.
    let (seen, fence) = (late.look("a"), late.fence());
    other.set("a", Some("2"));
    other.set("a", None);
    other.await_clock(fence);
    assert!(!late.write("a", Some("1"), &seen, fence));
    assert_eq!(memcached.get("a"), None);
    // And the dead item does not block a later write.
    other.set("a", Some("3"));
    assert_eq!(memcached.get("a").as_deref(), Some("3"));
}

#[test]
fn a_creation_that_lost_its_second_half_ends_by_itself() {
    let memcached = Memcached::start();
    let mut next = Process::of(&memcached);
    let fence = next.fence();
    // A process that was killed between two packets.
    memcached.send_command(&format!("ms a 1 ME T{fence}\r\n1"));
    assert_eq!(memcached.get("a").as_deref(), Some("1"));
    next.await_clock(fence);
    assert_eq!(memcached.get("a"), None);
    // The next process's write stays, even if it still replaces that item.
    let fence = next.fence();
    memcached.send_command(&format!("ms b 1 ME T{fence}\r\n1"));
    next.set("b", Some("1"));
    assert_eq!(
        memcached.get_with_flags("b"),
        Some(("1".to_owned(), "f0 t-1".to_owned()))
    );
}

#[test]
fn nothing_that_was_looked_up_before_a_restart_is_written_after_it() {
    let mut memcached = Memcached::start();
    let mut late = Process::of(&memcached);
    late.set("a", Some("1"));
    let (present, absent, fence) = (late.look("a"), late.look("b"), late.fence());
    memcached.restart();
    let mut other = Process::of(&memcached);
    // The CAS values start again, so one number stands for two items.
    other.set("a", Some("2"));
    for (name, seen) in [("a", &present), ("b", &absent)] {
        assert!(late.0.write(&[((name, Some(b"1")), seen)], fence).is_err());
    }
    assert_eq!(memcached.get("a").as_deref(), Some("2"));
    assert_eq!(memcached.get("b"), None);
}

#[test]
fn what_a_server_takes_is_known_before_it_is_offered() {
    let memcached = Memcached::start();
    let mut one = Process::of(&memcached);
    let value = "x".repeat(1024 * 1024);
    let largest = (0..value.len())
        .rev()
        .find(|length| one.0.takes("a", &value.as_bytes()[..*length]));
    let largest = largest.expect("some length");
    assert!(largest > 1024 * 1024 - 100, "{largest}");
    one.set("a", Some(&value[..largest]));
    assert_eq!(memcached.get("a").map(|value| value.len()), Some(largest));
}

#[test]
fn a_server_without_cas_is_not_taken() {
    let mut memcached = Memcached::start();
    memcached.restart_with(&MemcachedOptions::default().arguments(&["-C"]));
    let error = Server::open(&plain(&memcached.address())).err().expect("refused");
    assert!(error.to_string().contains("without CAS"), "{error}");
}

#[test]
fn the_lease_is_one_process_s_at_a_time() {
    let sandbox = Sandbox::new();
    let mut connection = sandbox.redis.connection();
    let lease = |consumer: &str| Lease::new(Some("idb:events"), "memcached", consumer);
    let (mut one, mut two) = (lease("one"), lease("two"));
    // It is unknown whether another process held the lease before.
    assert_eq!(one.take(&mut connection).expect("an answer"), Takeover::Unknown);
    assert_eq!(
        two.take(&mut connection).expect("an answer"),
        Takeover::By("one".to_owned())
    );
    assert!(one.keep(&mut connection).expect("an answer"));
    assert!(!two.keep(&mut connection).expect("an answer"));
    // Who looks on sees whether it was kept since.
    two.take(&mut connection).expect("an answer");
    let seen = two.keepings();
    assert_eq!(
        two.take(&mut connection).expect("an answer"),
        Takeover::By("one".to_owned())
    );
    assert_eq!(two.keepings(), seen);
    assert!(one.keep(&mut connection).expect("an answer"));
    assert_eq!(
        two.take(&mut connection).expect("an answer"),
        Takeover::By("one".to_owned())
    );
    assert_ne!(two.keepings(), seen);
    // A server that lost the lease gave it to another: the server's answer says so to the first one
    // at once.
    sandbox
        .redis
        .send_command(&["DEL", "{idb:events}:apply:memcached"]);
    assert_eq!(two.take(&mut connection).expect("an answer"), Takeover::Unknown);
    assert!(!one.keep(&mut connection).expect("an answer"));
    two.release(&mut connection).expect("an answer");
    assert_eq!(one.take(&mut connection).expect("an answer"), Takeover::Clean);
    one.release(&mut connection).expect("an answer");
    assert!(!one.keep(&mut connection).expect("an answer"));
    assert_eq!(two.take(&mut connection).expect("an answer"), Takeover::Clean);
    // It runs out if it is not kept, and who had it changes nothing from then on.
    until("the lease has run out", || {
        one.take(&mut connection).expect("an answer") == Takeover::Unknown
    });
    sandbox
        .redis
        .send_command(&["XADD", "idb:events", "1-1", "event", "{}"]);
    sandbox
        .redis
        .send_command(&["XGROUP", "CREATE", "idb:events", "memcached", "0"]);
    let read = [
        "XREADGROUP",
        "GROUP",
        "memcached",
        "two",
        "STREAMS",
        "idb:events",
        ">",
    ];
    assert_eq!(two.run(&mut connection, &read).expect("an answer"), None);
    assert!(one.run(&mut connection, &read).expect("an answer").is_some());
}

#[test]
fn a_lease_that_was_not_kept_is_given_up_though_redis_says_yes() {
    let sandbox = Sandbox::new();
    let mut connection = sandbox.redis.connection();
    let mut lease = Lease::new(Some("idb:events"), "memcached", "one");
    lease.take(&mut connection).expect("an answer");
    // As a server would that was set back to a state in which the lease was this one's.
    sandbox
        .redis
        .send_command(&["PERSIST", "{idb:events}:apply:memcached"]);
    let (began, length) = (Instant::now(), Duration::from_secs(u64::from(LENGTH)));
    until("so much time has passed", || began.elapsed() > length);
    assert!(!lease.keep(&mut connection).expect("an answer"));
    // It may have it back, but has to wait as anybody would.
    assert_eq!(lease.take(&mut connection).expect("an answer"), Takeover::Unknown);
}
