//! Where the writes of captured sites go, in words.

use protocol::{
    number::text,
    wire::inspector::{Background, Health, Sink},
};

use super::plural::count_waiting;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destination {
    /// The state for the style sheet: `on` or `wrong`.
    pub state: &'static str,
    pub name: &'static str,
    pub address: String,
    /// The full address if `address` is shortened.
    pub full_address: Option<String>,
    /// The templates of names on the server, with what they name.
    pub names: Vec<(&'static str, String)>,
    /// The delay, or the problem.
    pub message: String,
    /// The fix for the problem.
    pub fix: String,
}

/// The destinations. Without a host there is a single one: nowhere.
pub fn destinations(background: &Background, health: Option<&Health>) -> Vec<Destination> {
    let Some(health) = health.filter(|_| background.connected) else {
        return vec![Destination {
            state: "wrong",
            name: "Nowhere",
            address: "at the moment".to_owned(),
            message: count_waiting(background.waiting).unwrap_or_default(),
            ..Destination::default()
        }];
    };
    let journal = Destination {
        state: "on",
        name: "Journal",
        address: shorten_path(&health.journal),
        full_address: Some(health.journal.clone()),
        message: "a file on this machine".to_owned(),
        ..Destination::default()
    };
    let sinks = health.sinks.iter().filter(|sink| sink.enabled);
    std::iter::once(journal)
        .chain(sinks.map(|sink| sink_destination(sink, health)))
        .collect()
}

fn sink_destination(sink: &Sink, health: &Health) -> Destination {
    let names = |templates: &[(&'static str, &String)]| {
        templates
            .iter()
            .filter(|(_, template)| !template.is_empty())
            .map(|(what, template)| (*what, (*template).clone()))
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
    let delay = sink.lag.map(|lag| {
        format!(
            "{} ms behind the page (p50), {} ms (p99)",
            text(lag.p50),
            text(lag.p99)
        )
    });
    Destination {
        state: if sink.error.is_some() { "wrong" } else { "on" },
        name,
        address: sink.servers.join(", "),
        full_address: None,
        names,
        message: sink.error.clone().or(delay).unwrap_or_default(),
        fix: sink
            .error
            .as_ref()
            .and_then(|_| sink.fix.clone())
            .unwrap_or_default(),
    }
}

/// The end of a path, enough to recognise the journal.
fn shorten_path(path: &str) -> String {
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
    use protocol::wire::inspector::Lag;

    #[test]
    fn each_destination_has_its_address_and_problem() {
        let background = Background {
            connected: true,
            ..Background::default()
        };
        let sink = |name: &str, error: Option<&str>| Sink {
            name: name.to_owned(),
            enabled: true,
            servers: vec!["127.0.0.1:1".to_owned()],
            error: error.map(str::to_owned),
            fix: error.map(|_| "Start it.".to_owned()),
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
                sink("redis", Some("It does not answer.")),
                sink("memcached", None),
                Sink::default(),
            ],
            ..Health::default()
        };
        let destinations = destinations(&background, Some(&health));
        let states: Vec<_> = destinations
            .iter()
            .map(|destination| (destination.name, destination.state))
            .collect();
        assert_eq!(
            states,
            [("Journal", "on"), ("Redis", "wrong"), ("Memcached", "on")]
        );
        assert_eq!(destinations[0].address, "…/faa9cfe3….sqlite");
        assert_eq!(destinations[0].full_address.as_ref(), Some(&health.journal));
        assert_eq!(destinations[1].names, [("channel", "idb:{store}".to_owned())]);
        assert_eq!(
            (destinations[1].message.as_str(), destinations[1].fix.as_str()),
            ("It does not answer.", "Start it.")
        );
        assert!(destinations[2].message.starts_with("2 ms behind") && destinations[2].fix.is_empty());
    }

    #[test]
    fn without_a_host_the_destination_is_nowhere() {
        let mut background = Background::default();
        let nowhere = &destinations(&background, Some(&Health::default()))[0];
        assert_eq!(
            (nowhere.state, nowhere.name, nowhere.message.as_str()),
            ("wrong", "Nowhere", "")
        );
        background.waiting = 3;
        assert_eq!(destinations(&background, None)[0].message, "3 deliveries wait.");
    }

    #[test]
    fn path_is_shortened_to_its_end() {
        assert_eq!(shorten_path("/a/b/p.sqlite"), "…/p.sqlite");
        assert_eq!(shorten_path("p.sqlite"), "p.sqlite");
    }
}
