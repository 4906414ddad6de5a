//! How the extension, the host and its servers are, and what to do where something is wrong.

use leptos::prelude::*;
use protocol::inspect::{Health, Remark, Sink};

use super::state::{CHART, State};
use crate::words;

#[component]
pub fn Header(state: State) -> impl IntoView {
    view! {
        <header class="health">
            <span class="product"><img src="../icons/16.png" alt="" width="16" height="16" />"IDB Relay"</span>
            {move || host(state)}
            {move || state.health.with(|health| health.as_ref().map(|health| {
                let sinks = health.sinks.iter().filter(|sink| sink.enabled).map(sink_chip).collect_view();
                view! { {sinks} {lag(health)} }
            }))}
            <span class="grow"></span>
            {move || uncaptured(state)}
            <Chart state />
        </header>
    }
}

fn chip(state: &'static str, title: String, text: String) -> impl IntoView {
    view! { <span class="chip" data-state=state title=title><i class="dot" aria-hidden="true"></i>{text}</span> }
}

fn host(state: State) -> impl IntoView + use<> {
    state.background.with(|background| match background {
        None => chip("waiting", String::new(), "connecting…".to_owned()),
        Some(told) if told.connected => chip(
            if told.paused { "waiting" } else { "ok" },
            format!(
                "extension {}, protocol {}, profile {}",
                told.version,
                protocol::PROTOCOL_VERSION,
                told.profile
            ),
            format!(
                "host {}{}",
                told.host_version.as_deref().unwrap_or("?"),
                match (told.paused, told.waiting) {
                    (true, waiting) => format!(" · capture paused, {waiting} waiting"),
                    (false, 0) => String::new(),
                    (false, waiting) => format!(" · {waiting} waiting"),
                }
            ),
        ),
        Some(told) => chip(
            "wrong",
            told.problem
                .as_ref()
                .map_or_else(String::new, |problem| problem.message.clone()),
            format!("no host · {} waiting", told.waiting),
        ),
    })
}

fn sink_chip(sink: &Sink) -> impl IntoView + use<> {
    let name = match sink.name.as_str() {
        "redis" => "Redis",
        "memcached" => "Memcached",
        other => other,
    };
    let state = match (&sink.error, sink.behind) {
        (Some(_), _) => "wrong",
        (None, 0) => "ok",
        (None, _) => "waiting",
    };
    let queue = match sink.behind {
        0 => String::new(),
        behind => format!(" · {behind} queued"),
    };
    chip(
        state,
        format!("{}, event {}", sink.servers.join(", "), sink.number),
        format!("{name} {}{queue}", sink.state),
    )
}

fn lag(health: &Health) -> Option<impl IntoView + use<>> {
    let last = health
        .sinks
        .iter()
        .filter(|sink| sink.enabled)
        .filter_map(|sink| sink.lag)
        .next_back()?;
    let title = "From the page's commit to the last stage: half of the last events, 95 and 99 of 100 took at most this long";
    Some(view! {
        <span class="lag" title=title>
            <b>"p50"</b>{last.p50.to_string()}<b>"p95"</b>{last.p95.to_string()}<b>"p99"</b>{last.p99.to_string()}" ms"
        </span>
    })
}

/// What is not captured is never passed over in silence.
fn uncaptured(state: State) -> Option<impl IntoView + use<>> {
    let refused = state.background.with(|background| {
        let documents = &background.as_ref()?.documents;
        Some(
            documents
                .iter()
                .filter(|document| document.refused.is_some())
                .count(),
        )
    })?;
    let unread = state.unread.get();
    (refused + unread > 0).then(|| {
        let mut parts = Vec::new();
        if refused > 0 {
            parts.push(format!("{refused} documents not captured"));
        }
        if unread > 0 {
            parts.push(format!("{unread} events unreadable"));
        }
        chip("wrong", String::new(), parts.join(", "))
    })
}

/// The last minute: events a second as bars, the time to Memcached as a line.
#[component]
fn Chart(state: State) -> impl IntoView {
    const HEIGHT: f64 = 22.0;
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let drawn = move || {
        state.chart.with(|seconds| {
            let most = seconds
                .iter()
                .map(|second| second.events)
                .max()
                .unwrap_or(0)
                .max(1) as f64;
            let slowest = seconds.iter().filter_map(|second| second.lag).fold(1.0, f64::max);
            let mut bars = String::new();
            let mut line = String::new();
            for (index, second) in seconds.iter().enumerate() {
                let x = index as f64 * 2.0;
                let height = second.events as f64 / most * HEIGHT;
                if second.events > 0 {
                    bars.push_str(&format!(
                        "M{x} {HEIGHT}V{:.1}h1.6V{HEIGHT}z",
                        HEIGHT - height.max(1.0)
                    ));
                }
                if let Some(lag) = second.lag {
                    let command = if line.is_empty() { 'M' } else { 'L' };
                    line.push_str(&format!(
                        "{command}{:.1} {:.1}",
                        x + 0.8,
                        HEIGHT - 1.0 - lag / slowest * (HEIGHT - 2.0)
                    ));
                }
            }
            (bars, line)
        })
    };
    let now = move || {
        state
            .chart
            .with(|seconds| seconds.back().copied().unwrap_or_default())
    };
    let words = move || {
        let second = now();
        match second.lag {
            Some(lag) => format!("{} events/s, {lag} ms", words::count(second.events)),
            None => format!("{} events/s", words::count(second.events)),
        }
    };
    view! {
        <span class="chart">
            <svg viewBox=format!("0 0 {} {HEIGHT}", CHART * 2) width=CHART * 2 height="22" role="img" aria-label=words>
                <path class="bars" d=move || drawn().0 />
                <path class="line" d=move || drawn().1 />
            </svg>
            <span aria-hidden="true">{words}</span>
        </span>
    }
}

/// What is wrong, each with its cure, in the words of `idb-relay doctor`.
#[component]
pub fn Problems(state: State) -> impl IntoView {
    let problems = move || {
        let mut problems: Vec<Remark> = Vec::new();
        state.background.with(|background| {
            if let Some(told) = background {
                problems.extend(told.problem.clone());
                problems.extend(
                    told.documents
                        .iter()
                        .filter_map(|document| document.refused.clone()),
                );
            }
        });
        state.health.with(|health| {
            let sinks = health
                .iter()
                .flat_map(|health| &health.sinks)
                .filter(|sink| sink.enabled);
            problems.extend(sinks.filter_map(|sink| {
                Some(Remark {
                    message: sink.error.clone()?,
                    cure: sink.cure.clone().unwrap_or_default(),
                })
            }));
        });
        problems.dedup();
        problems
    };
    view! {
        <div class="problems" role="alert">
            {move || problems().into_iter().map(|Remark { message, cure }| view! {
                <p><strong>{message}</strong>" "<span>{cure}</span></p>
            }).collect_view()}
        </div>
    }
}
