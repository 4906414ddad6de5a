//! Store lists that leave nothing of an origin: the second one decides.

use super::{Bench, NOW};
use crate::time::{now_ms, pass};

const STORES: &str = r#"{"name":"d","version":1,"stores":["s"]}"#;

impl Bench {
    /// The store list of a bucket, read in a span of time; whether the record is still there.
    fn lists(&mut self, context: &str, span: (i64, i64), bucket: &str, rest: &str) -> bool {
        let body = format!(
            r#"{{"store_list":{{"bucket":"{bucket}","began_at":{},"read_at":{},{rest}}}}}"#,
            NOW + span.0,
            NOW + span.1
        );
        self.deliver(context, &body);
        self.value().is_some()
    }

    fn lists_nothing(&mut self, context: &str, span: (i64, i64)) -> bool {
        self.lists(context, span, "", r#""buckets":[],"databases":[]"#)
    }
}

#[test]
fn records_stay_until_a_later_list_says_the_same() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    assert!(!bench.wants_all());
    assert!(bench.lists_nothing("b", (1000, 1010)));
    assert!(bench.wants_all());
    // Begun before the first one had ended: perhaps both were read in the same moment.
    assert!(bench.lists_nothing("c", (1005, 1015)));
    assert!(!bench.lists_nothing("c", (1020, 1030)));
}

#[test]
fn list_that_names_the_store_withdraws_the_first() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    assert!(bench.lists_nothing("b", (1000, 1010)));
    let there = format!(r#""buckets":[],"databases":[{STORES}]"#);
    assert!(bench.lists("a", (1300, 1310), "", &there));
    assert!(bench.lists_nothing("b", (2000, 2010)));
    assert!(!bench.lists_nothing("b", (3000, 3010)));
}

#[test]
fn first_list_outlives_the_host() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    assert!(bench.lists_nothing("b", (1000, 1010)));
    let mut bench = bench.restart();
    assert!(bench.wants_all());
    assert!(bench.value().is_some());
    assert!(!bench.lists_nothing("c", (2000, 2010)));
}

#[test]
fn each_bucket_is_confirmed_by_its_own_list() {
    let mut bench = Bench::new();
    let put = format!(
        r#"{{"commit":{{"bucket":"side","database":"d","version":1,"began_at":{NOW},"committed_at":{NOW},"operations":[{{"put":{{"store":"s","key":1,"value":10}}}}]}}}}"#
    );
    bench.deliver("a", &put);
    // The default bucket has nothing, and never had; the survey continues with the other one.
    let buckets = r#""buckets":["side"],"databases":[]"#;
    assert!(bench.lists("a", (1000, 1001), "", buckets));
    assert!(bench.lists("a", (1002, 1003), "side", buckets));
    assert!(bench.lists("a", (2000, 2001), "", buckets));
    assert!(!bench.lists("a", (2002, 2003), "side", buckets));
}

#[test]
fn list_that_leaves_something_is_believed_at_once() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    let other = format!(
        r#"{{"commit":{{"database":"e","version":1,"began_at":{NOW},"committed_at":{NOW},"operations":[{{"put":{{"store":"s","key":2,"value":20}}}}]}}}}"#
    );
    bench.deliver("a", &other);
    let left = r#""buckets":[],"databases":[{"name":"e","version":1,"stores":["s"]}]"#;
    assert!(!bench.lists("b", (1000, 1010), "", left));
}

#[test]
fn clock_that_was_set_back_does_not_keep_records() {
    let mut bench = Bench::new();
    bench.put("a", 0, 1, 10);
    pass(3_600_000);
    let ahead = now_ms() - NOW;
    assert!(bench.lists_nothing("b", (ahead, ahead)));
    pass(-3_600_000);
    let now = now_ms() - NOW;
    // The host notices only now that the clock was set back: perhaps both are of this moment.
    assert!(bench.lists_nothing("c", (now - 1, now)));
    pass(1000);
    assert!(!bench.lists_nothing("d", (now + 1000, now + 1000)));
}
