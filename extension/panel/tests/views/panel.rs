//! A panel whose background is played by the test.

use idb_relay_panel::open_panel;
use protocol::wire::inspector::{
    Background, Document, Feed, Health, Lag, Notice, Passage, Question, Reply, Sink,
};
use serde_json::{Value, json, value::to_raw_value};
use view_testing::{
    background::{TAB, TestBackground},
    document::{style, until_texts},
};

/// The origin of the inspected page.
pub const ORIGIN: &str = "http://localhost:1";

/// See the [module](self).
pub struct Panel {
    pub background: TestBackground,
}

impl Panel {
    /// A panel that has received nothing yet.
    pub fn open_unconnected() -> Self {
        style(include_str!("../../../ui/panel.css"));
        let background = TestBackground::for_panel(&format!("{ORIGIN}/"));
        open_panel();
        Self { background }
    }

    /// A panel that knows a connected host and a captured page.
    pub fn open() -> Self {
        let panel = Self::open_unconnected();
        panel.send_background(&captured());
        panel
    }

    /// Sends the state of the extension.
    pub fn send_background(&self, state: &Background) {
        self.background.send_state(state.clone());
    }

    /// Answers the next question of the feed.
    #[track_caller]
    pub fn send_feed(&self, feed: Feed) -> impl Future<Output = ()> {
        let id = self.background.until_question("the feed's question", |question| {
            matches!(question, Question::Feed(_))
        });
        async { self.background.answer(id.await, Reply::Feed(feed)) }
    }

    /// Answers the next question of the feed with these events.
    #[track_caller]
    pub fn send_events(&self, events: &[Value]) -> impl Future<Output = ()> {
        self.send_feed(feed(events))
    }

    /// Answers the next question of the feed: all events up to `last` have passed a stage.
    #[track_caller]
    pub fn send_stage(&self, stage: &str, last: u64) -> impl Future<Output = ()> {
        self.send_feed(Feed {
            passages: vec![passage(stage, last, 1002)],
            ..feed(&[])
        })
    }

    /// Answers the next question for the host's health.
    #[track_caller]
    pub fn send_health(&self, health: Health) -> impl Future<Output = ()> {
        let id = self.background.until_health_question();
        async { self.background.answer(id.await, Reply::Health(health)) }
    }
}

/// There is a host, and the inspected page is captured.
pub fn captured() -> Background {
    Background {
        version: "1.2.3".to_owned(),
        profile: "p".to_owned(),
        connected: true,
        host_version: Some("1.2.4".to_owned()),
        origins: [(ORIGIN.to_owned(), "user".to_owned())].into(),
        documents: vec![document()],
        ..Background::default()
    }
}

/// The inspected page.
pub fn document() -> Document {
    Document {
        context: "c".to_owned(),
        origin: ORIGIN.to_owned(),
        tab: TAB.into(),
        frame: 0,
        late: false,
        refused: None,
        workers: Vec::new(),
    }
}

/// An event of the store `orders`, in a transaction of its own.
pub fn event(number: u64, op: &str, key: &Value, before: &Value, after: &Value) -> Value {
    json!({
        "op": op, "key": key, "before": before, "after": after, "ts_ms": 1000,
        "source": {
            "version": "0", "browser": "b", "profile": "p", "origin": ORIGIN, "bucket": "", "database": "shop",
            "database_version": 1, "store": "orders", "context": "c", "sequence": number, "snapshot": false,
        },
        "transaction": {"id": format!("c:{number}"), "total_order": 1, "event_count": 1},
    })
}

/// An event that creates a record.
pub fn created(number: u64, after: &Value) -> Value {
    event(number, "c", &number.into(), &Value::Null, after)
}

/// The events as those of one transaction.
pub fn in_one_transaction(mut events: Vec<Value>) -> Vec<Value> {
    let (id, count) = (events[0]["transaction"]["id"].clone(), events.len());
    for (index, event) in events.iter_mut().enumerate() {
        event["transaction"] = json!({"id": id, "total_order": index + 1, "event_count": count});
    }
    events
}

/// An answer of the feed.
pub fn feed(events: &[Value]) -> Feed {
    Feed {
        head: u64::MAX,
        events: events
            .iter()
            .map(|event| to_raw_value(event).expect("JSON"))
            .collect(),
        ..Feed::default()
    }
}

/// All events up to `last` passed a stage at this time.
pub fn passage(stage: &str, last: u64, at: i64) -> Passage {
    Passage {
        stage: stage.to_owned(),
        last,
        at,
    }
}

/// A stage reports a problem with an event.
pub fn notice(stage: &str, number: u64, text: &str) -> Notice {
    Notice {
        stage: stage.to_owned(),
        number,
        text: text.to_owned(),
    }
}

/// A host with two running servers.
pub fn healthy() -> Health {
    let sink = |name: &str, servers: &str| Sink {
        name: name.to_owned(),
        servers: vec![servers.to_owned()],
        enabled: true,
        state: "running".to_owned(),
        lag: Some(Lag {
            p50: 3.0,
            p95: 8.0,
            p99: 21.0,
        }),
        ..Sink::default()
    };
    Health {
        version: "1.2.4".to_owned(),
        sinks: vec![
            sink("redis", "127.0.0.1:6379"),
            sink("memcached", "127.0.0.1:11211"),
        ],
        channel: "idb:{origin}:{database}:{store}".to_owned(),
        stream: "idb:events".to_owned(),
        memcached_key: "idb:{origin}:{database}:{store}:{key}".to_owned(),
        memcached_value: "plain".to_owned(),
        ..Health::default()
    }
}

/// Waits until the list shows these keys in this order.
#[track_caller]
pub fn until_keys(keys: &[&str]) -> impl Future<Output = ()> {
    until_texts(".row .key", keys)
}
