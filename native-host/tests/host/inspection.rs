//! The inspector's questions, as its background passes them on.

use std::{collections::BTreeMap, time::Instant};

use protocol::{
    event::Event,
    wire::{
        host::{ErrorCode, FromHost, HostError},
        inspector::{
            Answer, FEED_VALUE_BYTES, Feed, Health, Notice, Passage, Record, Reply, Since, Sink, Store,
        },
    },
};
use serde_json::Value;

use crate::support::{
    Host, ORIGIN, PATIENCE, Sandbox,
    body::{commit, commit_at, now, put},
    host_delivery, status, until,
};

/// In milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

const SINKS: [&str; 3] = ["journal", "redis", "memcached"];

/// An inspector that follows the feed.
#[derive(Default)]
struct Follower {
    since: Since,
    asked: u64,
    events: Vec<Value>,
    passages: Vec<Passage>,
    notices: Vec<Notice>,
}

impl Follower {
    fn with_past(past: u64) -> Self {
        let since = Since {
            past,
            ..Since::default()
        };
        Self {
            since,
            ..Self::default()
        }
    }

    fn ask(&mut self, host: &mut Host) {
        self.asked += 1;
        let since = serde_json::to_string(&self.since).expect("JSON");
        host.ask(self.asked, &format!(r#"{{"feed":{since}}}"#));
    }

    fn take(&mut self, answer: Answer) {
        assert_eq!(answer.id, self.asked);
        let Reply::Feed(Feed {
            events,
            passages,
            notices,
            next,
            ..
        }) = answer.reply
        else {
            panic!("no feed: {answer:?}")
        };
        for event in events {
            self.events
                .push(serde_json::from_str(event.get()).expect("an event"));
        }
        for passage in passages {
            assert!(next.event.is_some_and(|event| passage.last <= event));
            let known = self.since.passed.insert(passage.stage.clone(), passage.last);
            assert!(known.is_none_or(|known| known < passage.last), "{passage:?}");
            self.passages.push(passage);
        }
        self.since = next;
        self.notices.extend(notices);
    }

    fn step(&mut self, host: &mut Host) {
        self.ask(host);
        self.take(host.answer());
    }

    /// Follows until these stages have been passed by this many events.
    fn follow(&mut self, host: &mut Host, events: usize, stages: &[&str]) {
        let mut deadline = Instant::now() + PATIENCE;
        while self.events.len() < events || !stages.iter().all(|stage| self.has_passed(stage)) {
            let known = (self.events.len(), self.passages.len());
            self.step(host);
            if known != (self.events.len(), self.passages.len()) {
                deadline = Instant::now() + PATIENCE;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {events} events that have passed {stages:?}; there are {}: {:?}",
                self.events.len(),
                self.passages
            );
        }
        let number = |event: &Value| event["source"]["sequence"].as_u64().expect("a number");
        let numbers: Vec<u64> = self.events.iter().map(number).collect();
        assert_eq!(numbers.len(), events);
        assert!(
            numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "each once and in order"
        );
    }

    fn has_passed(&self, stage: &str) -> bool {
        self.since.event.is_some_and(|last| {
            let passed = |passage: &Passage| passage.stage == stage && passage.last == last;
            self.passages.iter().any(passed)
        })
    }
}

fn failure(answer: Answer) -> HostError {
    match answer.reply {
        Reply::Failed(error) => {
            assert!(!error.message.is_empty() && !error.fix.is_empty(), "{error:?}");
            error
        }
        other => panic!("no failure: {other:?}"),
    }
}

#[test]
fn the_feed_begins_with_past_events_and_goes_on() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    for sequence in 1..=3 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    host.acknowledged(3);
    let mut follower = Follower::with_past(2);
    follower.follow(&mut host, 2, &SINKS);
    assert_eq!(follower.events[0]["after"], 2);
    for sequence in 4..=1003 {
        host.deliver(sequence, &commit(&[put("1", &sequence.to_string())]));
    }
    follower.follow(&mut host, 1002, &SINKS);
    assert_eq!(follower.events[1001]["after"], 1003);
    let mut late: BTreeMap<&str, i64> = BTreeMap::new();
    for Passage { stage, at, .. } in &follower.passages {
        let before = late.insert(stage, *at);
        assert!(before.is_none_or(|before| before <= *at));
    }
    assert_eq!(late.len(), 3);
    assert!(late["journal"] <= late["redis"]);
    assert!(host.close().success());
}

#[test]
fn waiting_feed_blocks_no_other_request_and_wakes_on_write() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    let mut follower = Follower::with_past(1);
    follower.follow(&mut host, 1, &SINKS);
    follower.ask(&mut host);
    host.ask(1_000_000, r#"{"health":{}}"#);
    assert!(matches!(
        host.answer(),
        Answer {
            id: 1_000_000,
            reply: Reply::Health(_)
        }
    ));
    host.deliver(2, &commit(&[put("1", "2")]));
    follower.take(host.answer());
    assert_eq!(follower.events[1]["after"], 2);
}

#[test]
fn passages_come_when_a_sink_that_was_away_is_back() {
    let mut sandbox = Sandbox::new();
    sandbox.redis.kill();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1"), put("2", "2")]));
    let mut follower = Follower::with_past(2);
    follower.follow(&mut host, 2, &["journal", "memcached"]);
    assert!(!follower.has_passed("redis"));
    let first = redis(&mut host);
    assert_eq!(
        (first.state.as_str(), first.behind, first.lag),
        ("unreachable", 2, None)
    );
    // It tries again and again, and counts.
    until("more attempts", || {
        let redis = redis(&mut host);
        assert_eq!((redis.since, &redis.error), (first.since, &first.error));
        redis.attempts >= first.attempts + 2
    });
    let tried = status(&sandbox)["profiles"][0]["sinks"]["redis"]["attempts"].as_u64();
    assert!(tried.is_some_and(|tried| tried > first.attempts), "{tried:?}");
    sandbox.redis.restart();
    follower.follow(&mut host, 2, &SINKS);
    until("no trouble", || {
        let redis = redis(&mut host);
        redis.state == "running" && redis.attempts == 0 && redis.error.is_none()
    });
}

fn redis(host: &mut Host) -> Sink {
    let sinks = health(host).sinks;
    let redis = sinks.into_iter().find(|sink| sink.name == "redis");
    redis.expect("there")
}

fn health(host: &mut Host) -> Health {
    host.ask(2_000_000, r#"{"health":{}}"#);
    match host.answer().reply {
        Reply::Health(health) => health,
        other => panic!("{other:?}"),
    }
}

fn record(host: &mut Host, key: &str) -> Record {
    let key = serde_json::to_string(key).expect("JSON");
    host.ask(
        3_000_000,
        &format!(r#"{{"record":{{"origin":"{ORIGIN}","database":"shop","store":"orders","key":{key}}}}}"#),
    );
    match host.answer().reply {
        Reply::Record(record) => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn large_values_are_left_out_of_the_feed_and_their_notices_come_along() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    // It begins with the first event, whether the host looks at the question before that or after.
    let mut follower = Follower::with_past(3);
    follower.ask(&mut host);
    // Memcached takes a million bytes, unless configured otherwise.
    for (sequence, bytes) in [(1, 2_000_000), (2, FEED_VALUE_BYTES + 1), (3, 10)] {
        let value = format!("\"{}\"", "x".repeat(bytes));
        host.deliver(sequence, &commit(&[put(&sequence.to_string(), &value)]));
    }
    follower.take(host.answer());
    follower.follow(&mut host, 3, &SINKS);
    let reason = |event: &Value| event["after"]["$opaque"]["reason"].as_str().map(str::to_owned);
    assert_eq!(
        reason(&follower.events[0]).as_deref(),
        Some("too large for the feed: 2000002 bytes")
    );
    assert!(reason(&follower.events[1]).is_some());
    assert_eq!(follower.events[2]["after"], "xxxxxxxxxx");
    let [notice] = &follower.notices[..] else {
        panic!("{:?}", follower.notices)
    };
    assert_eq!(notice.stage, "memcached");
    assert_eq!(follower.events[0]["source"]["sequence"], notice.number);
    assert!(notice.text.starts_with("deleted: "), "{}", notice.text);

    let record = record(&mut host, "2");
    let whole = format!("\"{}\"", "x".repeat(FEED_VALUE_BYTES + 1));
    assert_eq!(record.mirror.expect("there").get(), whole);
    assert_eq!(record.found.as_deref(), Some(&*whole));
    assert_eq!(record.same, Some(true));
}

#[test]
fn stores_and_records_are_shown_as_they_are() {
    let mut sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", r#"{"$set":[1]}"#)]));
    host.acknowledged(1);
    sandbox.await_cached("1", Some("[1]"));
    host.ask(1, r#"{"stores":{}}"#);
    let Answer {
        id: 1,
        reply: Reply::Stores(stores),
    } = host.answer()
    else {
        panic!()
    };
    let expected = Store {
        origin: ORIGIN.to_owned(),
        bucket: String::new(),
        database: "shop".to_owned(),
        version: 1,
        store: "orders".to_owned(),
        records: 1,
        complete: false,
        pending_reads: false,
    };
    assert_eq!(stores, [expected]);

    let there = record(&mut host, "1");
    assert_eq!(
        there.mirror.as_deref().map(serde_json::value::RawValue::get),
        Some(r#"{"$set":[1]}"#)
    );
    assert_eq!(there.memcached_key, sandbox.key("1"));
    assert_eq!(
        (there.wanted.as_deref(), there.found.as_deref()),
        (Some("[1]"), Some("[1]"))
    );
    let absent = record(&mut host, "2");
    assert_eq!(
        (absent.wanted, absent.found, absent.same),
        (None, None, Some(true))
    );
    sandbox.memcached.set(&sandbox.key("1"), "stale");
    let stale = record(&mut host, "1");
    assert_eq!((stale.found.as_deref(), stale.same), (Some("stale"), Some(false)));
    sandbox.memcached.kill();
    let unknown = record(&mut host, "1");
    assert_eq!((unknown.found, unknown.same), (None, None));
    assert!(
        unknown
            .trouble
            .expect("named")
            .message
            .contains("memcached at 127.0.0.1")
    );
}

/// What a server has to be asked for waits for it alone.
#[test]
fn a_server_that_does_not_answer_holds_up_no_other_question() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1")]));
    host.acknowledged(1);
    sandbox.await_cached("1", Some("1"));
    sandbox.memcached.pause();
    let record =
        format!(r#"{{"record":{{"origin":"{ORIGIN}","database":"shop","store":"orders","key":"1"}}}}"#);
    host.ask(1, &record);
    host.ask(2, r#"{"compare":{"repair":false}}"#);
    host.ask(3, r#"{"health":{}}"#);
    host.ask(4, r#"{"stores":{}}"#);
    host.ask(5, r#"{"feed":{"past":1}}"#);
    let mut answered = [(); 3].map(|()| host.answer().id);
    answered.sort_unstable();
    assert_eq!(answered, [3, 4, 5], "these need no Memcached");
    sandbox.memcached.resume();
    let mut answered = Vec::new();
    while answered.len() < 2 {
        match host.answer() {
            Answer {
                reply: Reply::Compared(compared),
                ..
            } if !compared.done => {}
            Answer {
                id,
                reply: Reply::Record(_) | Reply::Compared(_),
            } => answered.push(id),
            other => panic!("{other:?}"),
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 2]);
}

#[test]
fn health_says_what_status_says() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("1", "1"), put("2", "2")]));
    Follower::with_past(2).follow(&mut host, 2, &SINKS);
    let health = health(&mut host);
    assert_eq!(health.protocol, protocol::PROTOCOL_VERSION);
    assert_eq!(health.channel, "idb:{origin}:{database}:{store}");
    assert!(health.journal_bytes > 4096);
    for sink in &health.sinks {
        assert_eq!((sink.state.as_str(), sink.behind), ("running", 0));
        let lag = sink.lag.expect("events have passed");
        assert!(
            lag.p50 <= lag.p95 && lag.p95 <= lag.p99 && lag.p99 < 60_000.0,
            "{lag:?}"
        );
    }
    let profile = &status(&sandbox)["profiles"][0];
    assert_eq!(profile["head"], health.head);
    assert_eq!(
        profile["sinks"]["memcached"]["servers"][0],
        sandbox.memcached.address()
    );
    assert!(profile["sinks"]["redis"]["lag"]["p99"].is_number(), "{profile}");
    let text = sandbox.print(&["status"]);
    assert!(text.contains("up to date; last events after "), "{text}");
}

/// A page may say any time of a commit, and so may a clock that is wrong.
#[test]
fn times_that_cannot_be_right_do_not_count_as_latencies() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    let forged = [0, i64::MIN, i64::MAX, now() - 30 * DAY, now() + DAY];
    let mut sequence = 0;
    for at in forged {
        for body in [commit(&[put("1", "1")]), commit_at(at, &[put("1", "2")])] {
            sequence += 1;
            host.deliver(sequence, &body);
        }
    }
    Follower::with_past(10).follow(&mut host, 10, &SINKS);
    for sink in health(&mut host).sinks {
        let lag = sink.lag.expect("events have passed");
        assert!(lag.p99 < 60_000.0, "{lag:?}");
        assert_eq!(sink.untimed, 5);
    }
    let profile = &status(&sandbox)["profiles"][0];
    assert_eq!(profile["sinks"]["redis"]["untimed"], 5);
    let text = sandbox.print(&["status"]);
    let notice = "; 5 of the last events left out, for the time of their commit cannot be right";
    assert_eq!(text.matches(notice).count(), 2, "{text}");
}

#[test]
fn no_latency_is_reported_when_no_time_can_be_right() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit_at(i64::MAX, &[put("1", "1")]));
    Follower::with_past(1).follow(&mut host, 1, &SINKS);
    for sink in health(&mut host).sinks {
        assert_eq!((sink.lag, sink.untimed), (None, 1));
    }
    assert!(
        sandbox
            .print(&["status"])
            .contains("up to date; 1 of the last events left out")
    );
}

#[test]
fn passwords_are_in_no_answer() {
    let sandbox = Sandbox::new();
    let config = std::fs::read_to_string(sandbox.config_path()).expect("there");
    sandbox.write_config(&config.replace("redis://", "redis://user:hunter2@"));
    let mut host = Host::start(&sandbox);
    let health = health(&mut host);
    let text = serde_json::to_string(&health).expect("JSON") + &sandbox.print(&["status", "--json"]);
    assert!(!text.contains("hunter2"), "{text}");
    assert!(sandbox.redis.url().contains(&health.sinks[0].servers[0]));
}

#[test]
fn invalid_question_is_refused() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.ask(7, r#"{"unknown_message":{}}"#);
    let answer = host.answer();
    assert_eq!(answer.id, 7);
    assert_eq!(failure(answer).code, ErrorCode::MalformedQuestion);
    host.ask(
        8,
        &format!(r#"{{"record":{{"origin":"{ORIGIN}","database":"shop","store":"orders","key":"{{}}"}}}}"#),
    );
    assert_eq!(failure(host.answer()).code, ErrorCode::QuestionFailed);
    host.send(r#"{"ask":{"question":{"health":{}}}}"#);
    host.error(ErrorCode::MalformedMessage);
    // A question in one frame with a delivery, and more feeds than may wait: those beyond are
    // refused at once.
    host.send(&format!(
        r#"[{},{{"ask":{{"id":9,"question":{{"health":{{}}}}}}}}]"#,
        host_delivery("context-2", 1, &commit(&[put("1", "1")]))
    ));
    assert_eq!(host.answer().id, 9);
    let event = u64::MAX / 4;
    let count = 3 * u64::try_from(protocol::wire::inspector::MAX_QUESTIONS).expect("fits");
    for id in 0..count {
        host.ask(id, &format!(r#"{{"feed":{{"event":{event},"past":0}}}}"#));
    }
    assert_eq!(failure(host.answer()).code, ErrorCode::QuestionFailed);
    assert!(host.close().success());
}

#[test]
fn resync_lets_a_page_read_its_stores_again() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.ask(1, &format!(r#"{{"resync":{{"origin":"{ORIGIN}"}}}}"#));
    assert!(matches!(host.request(), FromHost::Snapshot { origin } if origin == ORIGIN));
    assert!(matches!(host.answer().reply, Reply::Done {}));
}

#[test]
fn events_of_the_feed_are_those_of_the_stream() {
    let sandbox = Sandbox::new();
    let mut host = Host::start(&sandbox);
    host.deliver(1, &commit(&[put("\"a\"", r#"{"n":1.50}"#), put("1", "1")]));
    host.ask(1, r#"{"feed":{"event":null,"past":10}}"#);
    let mut feed = host.answer();
    until("both are there", || {
        let Reply::Feed(Feed { events, .. }) = &feed.reply else {
            return false;
        };
        if events.len() == 2 {
            return true;
        }
        host.ask(1, r#"{"feed":{"event":null,"past":10}}"#);
        feed = host.answer();
        false
    });
    let Reply::Feed(Feed { events, .. }) = feed.reply else {
        panic!()
    };
    assert!(events[0].get().contains(r#""after":{"n":1.50}"#), "{}", events[0]);
    let event: Event<'_> = serde_json::from_str(events[1].get()).expect("an event");
    let published = sandbox.redis.await_stream(2);
    assert_eq!(serde_json::to_value(&event).expect("JSON"), published[1]);
}
