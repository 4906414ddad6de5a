//! Lost commits: the stores stay in doubt until a document reads them that begins after the loss
//! was noticed.

use std::time::{Duration, Instant};

use protocol::wire::host::{Delivery, Page};
use serde_json::value::RawValue;

use super::{Bench, NOW};
use crate::time::{now_ms, pass};

const GAP: &str = r#"{"gap":{"reason":"a test","stores":[{"database":"d","store":"s"}]}}"#;
const STORES: &str = r#"{"name":"d","version":1,"stores":["s"]}"#;

impl Bench {
    /// A store list of one of two buckets, read at a time.
    fn bucket(&mut self, bucket: &str, at: i64, databases: &str) {
        let body = format!(
            r#"{{"store_list":{{"bucket":"{bucket}","buckets":["side"],"began_at":{at},"read_at":{at},"databases":[{databases}]}}}}"#
        );
        self.deliver("reader", &body);
    }
}

#[test]
fn a_read_begun_before_the_loss_was_noticed_ends_no_doubt() {
    let mut bench = Bench::new();
    let now = now_ms() - NOW;
    bench.put("writer", now - 9000, now - 9000, 1);
    bench.deliver("writer", GAP);
    bench.snapshot("slow", now - 5000, r#"{"key":1,"value":1}"#);
    assert!(bench.pending_reads());
    bench.snapshot("reader", now + 60_000, r#"{"key":1,"value":1}"#);
    assert!(!bench.pending_reads());
}

#[test]
fn store_list_begun_before_loss_was_noticed_ends_no_doubt() {
    let mut bench = Bench::new();
    let now = now_ms() - NOW;
    bench.put("writer", now - 9000, now - 9000, 1);
    bench.deliver("writer", GAP);
    for (at, pending_reads) in [(now - 5000, true), (now + 60_000, false)] {
        let at = NOW + at;
        let body =
            format!(r#"{{"store_list":{{"buckets":[],"began_at":{at},"read_at":{at},"databases":[]}}}}"#);
        bench.deliver("reader", &body);
        assert_eq!(bench.pending_reads(), pending_reads);
    }
}

#[test]
fn only_a_survey_that_began_later_in_all_buckets_finds_what_is_missing() {
    let mut bench = Bench::new();
    let now = now_ms() - NOW;
    bench.put("writer", now - 9000, now - 9000, 1);
    bench.bucket("", now_ms() - 1000, STORES);
    bench.deliver("writer", GAP);
    bench.bucket("side", now_ms() + 60_000, "");
    // Nothing says of the default bucket that nothing is missing there, once its store has been
    // read for another reason.
    bench.snapshot("reader", now + 70_000, r#"{"key":1,"value":1}"#);
    assert!(!bench.pending_reads());
    assert!(bench.wants_all());
    bench.bucket("", now_ms() + 80_000, STORES);
    bench.bucket("side", now_ms() + 90_000, "");
    assert!(bench.pending_reads());
    bench.snapshot("reader", now + 100_000, r#"{"key":1,"value":1}"#);
    assert!(!bench.pending_reads());
    assert!(!bench.wants_all());
}

#[test]
fn what_is_lost_during_a_survey_needs_another_one() {
    let mut bench = Bench::new();
    bench.put("writer", 0, 0, 1);
    bench.deliver("writer", GAP);
    // Between two steps the clock passes what clocks are apart: each is later than the one before.
    pass(1000);
    bench.bucket("", now_ms(), STORES);
    pass(1000);
    bench.deliver("writer", GAP);
    pass(1000);
    bench.bucket("side", now_ms(), "");
    // The known store is read; the host does not know yet what else is missing.
    bench.snapshot("reader", now_ms() - NOW, r#"{"key":1,"value":1}"#);
    assert!(!bench.pending_reads());
    assert!(bench.wants_all());
    pass(1000);
    bench.bucket("", now_ms(), STORES);
    bench.bucket("side", now_ms(), "");
    bench.snapshot("reader", now_ms() - NOW, r#"{"key":1,"value":1}"#);
    assert!(!bench.wants_all());
}

#[test]
fn a_survey_that_could_not_look_everywhere_is_not_the_last() {
    let mut bench = Bench::new();
    bench.put("writer", 0, 0, 1);
    bench.deliver("writer", GAP);
    bench.bucket("", now_ms() + 60_000, r#"{"name":"d","version":0,"stores":null}"#);
    bench.bucket("side", now_ms() + 70_000, "");
    assert!(bench.wants_all());
}

#[test]
fn a_store_in_doubt_is_asked_for_though_some_of_its_records_are() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    // Which records were in doubt, only the last host knew.
    let mut bench = bench.restart();
    bench.put("c", 700, 710, 3);
    assert!(bench.wants_all());
    bench.answer(2000, Some(3));
    assert!(bench.pending_reads());
    bench.snapshot("reader", 3000, r#"{"key":1,"value":3}"#);
    assert!(!bench.pending_reads());
}

#[test]
fn an_answer_that_did_not_reach_the_disk_settles_when_it_does() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    bench.put("b", 500, 600, 2);
    assert_eq!(bench.questions(), ["1"]);
    bench.answer_if(2000, Some(2), false);
    assert!(bench.pending_reads());
    bench.answer(2000, Some(2));
    assert!(!bench.pending_reads());
}

#[test]
fn a_doubt_that_did_not_reach_the_disk_never_was() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1000, 1);
    let put = format!(
        r#"{{"commit":{{"database":"d","version":1,"began_at":{0},"committed_at":{0},"operations":[{{"put":{{"store":"s","key":1,"value":2}}}}]}}}}"#,
        NOW + 500
    );
    bench.deliver_if("b", &put, false);
    bench.put("c", 5000, 5010, 3);
    assert!(!bench.pending_reads());
    assert_eq!(bench.questions(), [""; 0]);
}

fn give_up(bench: &mut Bench, sequence: u64, body: &str) {
    let body = RawValue::from_string(body.to_owned()).expect("JSON");
    let delivery = Delivery {
        context: "writer".into(),
        sequence,
        page: Page {
            origin: "http://localhost".into(),
            tab: 1,
            frame: 0,
        },
        may_overtake: false,
        body: &*body,
    };
    let mut batch = bench.journal.begin().expect("begun");
    batch
        .give_up(&delivery, "no room", "make room", false)
        .expect("noted");
    batch.commit().expect("committed");
}

const SNAPSHOT: &str =
    r#"{"snapshot":{"database":"d","version":1,"store":"s","began_at":1,"read_at":1,"records":[]}}"#;

#[test]
fn delivery_of_any_kind_that_is_given_up_is_made_good() {
    for body in [
        r#"{"commit":{"database":"d","version":1,"began_at":1,"committed_at":1,"operations":[]}}"#,
        r#"{"deletion":{"database":"d","began_at":1,"deleted_at":1}}"#,
        r#"{"store_list":{"began_at":1,"read_at":1,"databases":[]}}"#,
        r#"{"records":{"database":"d","version":1,"store":"s","began_at":1,"read_at":1,"present":[],"absent":[]}}"#,
        GAP,
        SNAPSHOT,
    ] {
        let mut bench = Bench::new();
        bench.put("writer", 0, 0, 1);
        give_up(&mut bench, 2, body);
        assert!(bench.wants_all(), "{body}");
    }
}

#[test]
fn answers_that_are_given_up_are_asked_for_a_few_times() {
    for answer in [SNAPSHOT, r#"{"skipped":{"reason":"r"}}"#] {
        let mut bench = Bench::new();
        bench.put("writer", 0, 0, 1);
        give_up(&mut bench, 2, answer);
        let begin = Instant::now();
        let mut questions = 0;
        for round in 1..100 {
            if bench
                .journal
                .due_reads(begin + Duration::from_secs(60) * round)
                .is_empty()
            {
                break;
            }
            questions += 1;
            give_up(&mut bench, 2 + u64::from(round), answer);
        }
        assert_eq!(questions, 4, "{answer}");
        // What the page does next is another matter.
        bench.deliver("other", GAP);
        assert!(bench.wants_all());
    }
}
