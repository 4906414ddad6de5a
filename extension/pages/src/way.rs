//! Where what is captured goes, stop by stop, in words.

use protocol::{
    inspect::{Background, Health, Sink},
    number::text,
};

use super::site::waiting;

/// A stop on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stop {
    /// One word that styles hang on: `on` or `wrong`.
    pub state: &'static str,
    /// What it is.
    pub name: &'static str,
    /// Where it is.
    pub place: String,
    /// The place at full length, if it is not.
    pub whole: Option<String>,
    /// What things are called there.
    pub names: Vec<(&'static str, String)>,
    /// How late it is, or what is wrong.
    pub remark: String,
    /// What to do about that.
    pub cure: String,
}

/// The stops. Without a host there is but one: nowhere.
pub fn stops(background: &Background, health: Option<&Health>) -> Vec<Stop> {
    let Some(health) = health.filter(|_| background.connected) else {
        return vec![Stop {
            state: "wrong",
            name: "Nowhere",
            place: "at the moment".to_owned(),
            remark: waiting(background.waiting).unwrap_or_default(),
            ..Stop::default()
        }];
    };
    let journal = Stop {
        state: "on",
        name: "Journal",
        place: tail(&health.journal),
        whole: Some(health.journal.clone()),
        remark: "a file on this machine".to_owned(),
        ..Stop::default()
    };
    let sinks = health.sinks.iter().filter(|sink| sink.enabled);
    std::iter::once(journal)
        .chain(sinks.map(|sink| stop(sink, health)))
        .collect()
}

fn stop(sink: &Sink, health: &Health) -> Stop {
    let names = |all: &[(&'static str, &String)]| {
        all.iter()
            .filter(|(_, name)| !name.is_empty())
            .map(|(what, name)| (*what, (*name).clone()))
            .collect()
    };
    let (name, names) = if sink.name == "redis" {
        (
            "Redis",
            names(&[("channel", &health.channel), ("stream", &health.stream)]),
        )
    } else {
        ("Memcached", names(&[("keys", &health.memcached_key)]))
    };
    let late = sink.lag.map(|lag| {
        format!(
            "{} ms behind the page (p50), {} ms (p99)",
            text(lag.p50),
            text(lag.p99)
        )
    });
    Stop {
        state: if sink.error.is_some() { "wrong" } else { "on" },
        name,
        place: sink.servers.join(", "),
        whole: None,
        names,
        remark: sink.error.clone().or(late).unwrap_or_default(),
        cure: sink
            .error
            .as_ref()
            .and_then(|_| sink.cure.clone())
            .unwrap_or_default(),
    }
}

/// The end of a path, which tells one journal from the others.
fn tail(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    if name.len() == path.len() {
        return path.to_owned();
    }
    let short: String = name.chars().take(8).collect();
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    if name.chars().count() > 24 {
        format!("…/{short}….{end}")
    } else {
        format!("…/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::inspect::Lag;

    #[test]
    fn each_stop_says_where_it_is_and_what_is_wrong() {
        let background = Background {
            connected: true,
            ..Background::default()
        };
        let sink = |name: &str, error: Option<&str>| Sink {
            name: name.to_owned(),
            enabled: true,
            servers: vec!["127.0.0.1:1".to_owned()],
            error: error.map(str::to_owned),
            cure: error.map(|_| "Start it.".to_owned()),
            lag: Some(Lag {
                p50: 2.0,
                p95: 3.0,
                p99: 4.0,
            }),
            ..Sink::default()
        };
        let health = Health {
            journal: "/home/ann/journal/faa9cfe3-bb6d-4a1c-864b-6104fc3a7cf7.sqlite".to_owned(),
            channel: "idb:{store}".to_owned(),
            memcached_key: "idb:{key}".to_owned(),
            sinks: vec![
                sink("redis", Some("It is away.")),
                sink("memcached", None),
                Sink::default(),
            ],
            ..Health::default()
        };
        let stops = stops(&background, Some(&health));
        let said: Vec<_> = stops.iter().map(|stop| (stop.name, stop.state)).collect();
        assert_eq!(said, [("Journal", "on"), ("Redis", "wrong"), ("Memcached", "on")]);
        assert_eq!(stops[0].place, "…/faa9cfe3….sqlite");
        assert_eq!(stops[0].whole.as_ref(), Some(&health.journal));
        assert_eq!(stops[1].names, [("channel", "idb:{store}".to_owned())]);
        assert_eq!(
            (stops[1].remark.as_str(), stops[1].cure.as_str()),
            ("It is away.", "Start it.")
        );
        assert!(stops[2].remark.starts_with("2 ms behind") && stops[2].cure.is_empty());
    }

    #[test]
    fn without_a_host_it_goes_nowhere() {
        let mut background = Background::default();
        let stop = &stops(&background, Some(&Health::default()))[0];
        assert_eq!(
            (stop.state, stop.name, stop.remark.as_str()),
            ("wrong", "Nowhere", "")
        );
        background.waiting = 3;
        assert_eq!(stops(&background, None)[0].remark, "3 deliveries wait.");
    }

    #[test]
    fn a_path_ends_as_it_does() {
        assert_eq!(tail("/a/b/p.sqlite"), "…/p.sqlite");
        assert_eq!(tail("p.sqlite"), "p.sqlite");
    }
}
