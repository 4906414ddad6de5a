//! A machine whose clock was an hour ahead and was set right: what was stamped until then holds
//! back no read, no list and no deletion from then on. Nor does it make anything certain when the
//! clock shows that time once more.

use protocol::wire::host::FromHost;

use crate::{
    crash::clock::{self, Clock},
    support::{
        Host, ORIGIN, Sandbox,
        body::{clear, commit_at, put, snapshot_at},
        hello,
    },
};

const HOUR: i64 = 3_600_000;

/// Longer than two clocks of one machine may differ.
const LATER: i64 = 1000;

const SHOP: &str = r#"{"name":"shop","version":1,"stores":["orders"]}"#;
const GAP: &str = r#"{"gap":{"reason":"a test","stores":[{"database":"shop","store":"orders"}]}}"#;

/// A machine on which time passes only by [`Clock::pass`].
struct Machine {
    sandbox: Sandbox,
    clock: Clock,
    host: Host,
}

impl Machine {
    /// The clock is ahead, and two records were written by then.
    fn ahead() -> Self {
        let sandbox = Sandbox::new();
        let mut clock = Clock::new(sandbox.directory.path());
        let at = clock.pass(HOUR);
        let host = start(&sandbox);
        let mut machine = Self { sandbox, clock, host };
        let written = commit_at(at, &[put("1", "\"old\""), put("2", "\"keep\"")]);
        machine.deliver("writer", 1, &written);
        machine.sandbox.await_cached("1", Some("\"old\""));
        machine.sandbox.await_cached("2", Some("\"keep\""));
        machine
    }

    /// The clock is set right, and the host has had something to do since.
    fn set_right(&mut self) {
        self.clock.pass(-HOUR);
        let at = self.clock.pass(LATER);
        self.deliver("reader", 1, &store_list(at, SHOP));
        self.clock.pass(LATER);
    }

    /// Delivers, and waits for the acknowledgement; questions are left unanswered.
    fn deliver(&mut self, context: &str, sequence: u64, body: &str) {
        self.host.deliver_as(context, sequence, body);
        let what = format!("the acknowledgement of {context}'s delivery {sequence}");
        self.host.await_message(&what, |message| match message {
            FromHost::Acknowledged {
                context: of,
                sequence: last,
            } => (of == context && last == sequence).then_some(()),
            _ => None,
        });
    }

    /// The store is read as a whole: one record has changed unseen, the other has gone.
    fn read_all(&mut self, sequence: u64) {
        let at = self.clock.pass(LATER);
        self.deliver("reader", sequence, &snapshot_at(at, &[("1", "\"new\"")]));
    }

    fn assert_read(&self) {
        self.sandbox.await_cached("1", Some("\"new\""));
        self.sandbox.await_cached("2", None);
    }

    fn has_pending_reads(&self) -> bool {
        let listed = self.sandbox.print(&["ls", "--json"]);
        let store: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        store["pending_reads"] == true
    }
}

/// A host that goes by the machine's clock.
fn start(sandbox: &Sandbox) -> Host {
    let mut program = sandbox.program();
    program.env("IDB_RELAY_CLOCK", clock::path(sandbox.directory.path()));
    let mut host = Host::spawn(program);
    host.send(&hello(protocol::PROTOCOL_VERSION));
    let _hello = host.receive();
    host
}

/// The only store list of the origin, read at this time.
fn store_list(at: i64, databases: &str) -> String {
    format!(r#"{{"store_list":{{"buckets":[],"began_at":{at},"read_at":{at},"databases":[{databases}]}}}}"#)
}

#[test]
fn read_changes_records_when_the_clock_was_set_back() {
    let mut machine = Machine::ahead();
    machine.set_right();
    machine.read_all(2);
    machine.assert_read();
}

#[test]
fn read_changes_records_when_the_next_host_has_a_right_clock() {
    let mut machine = Machine::ahead();
    machine.host.close_stdin();
    machine.host.wait();
    machine.clock.pass(-HOUR);
    machine.host = start(&machine.sandbox);
    machine.read_all(1);
    machine.assert_read();
}

#[test]
fn read_changes_a_record_when_an_older_one_came_from_ahead() {
    let mut machine = Machine::ahead();
    let at = machine.clock.pass(LATER);
    machine.set_right();
    // It was made before the clock was set back, and waited in the page.
    machine.deliver("writer", 2, &commit_at(at, &[put("1", "\"older\"")]));
    machine.read_all(2);
    machine.assert_read();
}

#[test]
fn read_that_came_from_ahead_is_followed_by_a_later_one() {
    let mut machine = Machine::ahead();
    let at = machine.clock.pass(LATER);
    machine.set_right();
    let seen = [("1", "\"old\""), ("2", "\"keep\"")];
    machine.deliver("another", 1, &snapshot_at(at, &seen));
    machine.read_all(2);
    machine.assert_read();
}

#[test]
fn cleared_site_data_goes_when_the_clock_was_set_back() {
    let mut machine = Machine::ahead();
    let at = machine.clock.pass(LATER);
    // The first list that leaves nothing deletes nothing yet.
    machine.deliver("lister", 1, &store_list(at, ""));
    machine.clock.pass(-HOUR);
    for sequence in [1, 2] {
        let at = machine.clock.pass(LATER);
        machine.deliver("reader", sequence, &store_list(at, ""));
    }
    machine.sandbox.await_cached("1", None);
    machine.sandbox.await_cached("2", None);
}

#[test]
fn clear_takes_all_records_when_the_clock_was_set_back() {
    let mut machine = Machine::ahead();
    machine.set_right();
    let at = machine.clock.pass(LATER);
    machine.deliver("clearer", 1, &commit_at(at, &[clear()]));
    machine.sandbox.await_cached("1", None);
    machine.sandbox.await_cached("2", None);
    assert!(!machine.has_pending_reads());
    let place = ["--origin", ORIGIN, "--database", "shop", "--store", "orders"];
    assert_eq!(machine.sandbox.print(&[&["ls"][..], &place].concat()), "");
}

#[test]
fn loss_is_made_good_when_the_clock_was_set_back() {
    let mut machine = Machine::ahead();
    machine.deliver("writer", 2, GAP);
    assert!(machine.has_pending_reads());
    machine.set_right();
    machine.read_all(2);
    machine.assert_read();
    assert!(!machine.has_pending_reads());
}

impl Machine {
    /// An hour later the clock shows for the second time when the records were written.
    fn reach_stamps(&mut self) {
        self.clock.pass(HOUR);
    }

    /// What the last event tells of the value before, once there are so many of them.
    fn last_before(&self, events: usize) -> Option<serde_json::Value> {
        let events = self.sandbox.redis.await_stream(events);
        events.last().and_then(|event| event.get("before")).cloned()
    }

    /// Answers a question about record 1.
    fn answer(&mut self, sequence: u64, value: &str) {
        self.host.await_message("a question about record 1", |message| {
            matches!(message, FromHost::Read { keys, .. } if keys == ["1"]).then_some(())
        });
        let at = self.clock.pass(LATER);
        let records = format!(
            r#"{{"records":{{"database":"shop","version":1,"store":"orders","began_at":{at},"read_at":{at},"present":[{{"key":1,"value":{value}}}],"absent":[]}}}}"#
        );
        self.deliver("reader", sequence, &records);
    }

    /// A commit of this time is settled by a reading.
    fn settle_by_reading(&mut self, committed_at: i64) {
        self.deliver("another", 1, &commit_at(committed_at, &[put("1", "\"newer\"")]));
        assert!(self.has_pending_reads());
        self.answer(2, "\"newer\"");
        self.sandbox.await_cached("1", Some("\"newer\""));
        assert!(!self.has_pending_reads());
    }
}

#[test]
fn value_before_is_unknown_behind_a_loss_when_stamps_are_reached() {
    let mut machine = Machine::ahead();
    machine.set_right();
    // What the record was changed to is not known.
    machine.deliver("writer", 2, GAP);
    machine.reach_stamps();
    let at = machine.clock.pass(LATER);
    machine.deliver("writer", 3, &commit_at(at, &[put("1", "\"next\"")]));
    machine.sandbox.await_cached("1", Some("\"next\""));
    assert_eq!(machine.last_before(3), None);
    let at = machine.clock.pass(LATER);
    machine.deliver("writer", 4, &commit_at(at, &[put("1", "\"last\"")]));
    assert_eq!(machine.last_before(4), Some("next".into()));
}

#[test]
fn value_before_is_unknown_behind_a_start_when_stamps_are_reached() {
    let mut machine = Machine::ahead();
    machine.host.close_stdin();
    machine.host.wait();
    machine.clock.pass(-HOUR);
    // The second start finds a journal whose clocks the first one has corrected.
    for _ in 0..2 {
        machine.host = start(&machine.sandbox);
        machine.host.close_stdin();
        machine.host.wait();
    }
    machine.host = start(&machine.sandbox);
    machine.reach_stamps();
    let at = machine.clock.pass(LATER);
    machine.deliver("another", 1, &commit_at(at, &[put("1", "\"next\"")]));
    machine.sandbox.await_cached("1", Some("\"next\""));
    assert_eq!(machine.last_before(3), None);
}

#[test]
fn commit_that_waited_is_settled_when_stamps_are_reached() {
    let mut machine = Machine::ahead();
    machine.set_right();
    // Made while the clock was right, and younger than what is stamped with a later time.
    let at = machine.clock.pass(LATER);
    machine.reach_stamps();
    machine.clock.pass(LATER);
    machine.settle_by_reading(at);
}

#[test]
fn commit_at_the_very_time_of_a_stamp_is_settled() {
    let mut machine = Machine::ahead();
    machine.set_right();
    // Setting it right took this long.
    machine.clock.pass(HOUR - 2 * LATER);
    let at = machine.clock.pass(0);
    machine.settle_by_reading(at);
}

#[test]
fn read_that_waited_is_settled_when_stamps_are_reached() {
    let mut machine = Machine::ahead();
    machine.set_right();
    let at = machine.clock.pass(LATER);
    machine.reach_stamps();
    machine.clock.pass(LATER);
    let seen = [("1", "\"new\""), ("2", "\"keep\"")];
    machine.deliver("another", 1, &snapshot_at(at, &seen));
    machine.answer(2, "\"new\"");
    machine.sandbox.await_cached("1", Some("\"new\""));
    assert!(!machine.has_pending_reads());
}
