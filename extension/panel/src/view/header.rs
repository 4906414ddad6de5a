//! How the extension, the host and its servers are, and what to do where something is wrong.

use leptos::prelude::*;
use protocol::{
    inspect::{Health, Remark, Sink},
    number,
};

use super::{
    erased::{Views as _, part, press, switch, text},
    sentence::sentence,
    state::{CHART, Over, State, Tab},
};
use crate::{
    chart::{HEIGHT, paths},
    words,
};

#[component]
pub fn Header(state: State) -> impl IntoView {
    let paused = move || {
        state
            .background
            .with(|told| told.as_ref().is_some_and(|told| told.paused))
    };
    view! {
        <header class="health">
            <span class="product"><img src="../icons/16.png" alt="" width="16" height="16" />"IDB Relay"</span>
            {part(move || host(state))}
            {part(move || state.health.with(|health| health.as_ref().map(|health| {
                let sinks = health.sinks.iter().map(sink_chip).views();
                view! { {sinks} {lag(health)} }
            })))}
            {part(move || uncaptured(state))}
            <span class="grow"></span>
            <Chart state />
            <button title="Check everything that a write passes, as idb-relay doctor does" on:click=press(move || state.show(Some(Over::Doctor)))>"Check"</button>
            <button class="capture" title="Pause capture itself: pages keep their commits until it goes on" aria-pressed=switch(paused)
                on:click=press(move || state.toggle_capture())>
                {text(move || if paused() { "Resume capture" } else { "Pause capture" }.to_owned())}
            </button>
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
                "extension {}, protocol {}, profile {}{}",
                told.version,
                protocol::PROTOCOL_VERSION,
                told.profile,
                match state
                    .health
                    .with(|health| health.as_ref().map_or(0, |health| health.shed))
                {
                    0 => String::new(),
                    shed => format!("; {shed} events lost their values, for the journal was full"),
                }
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
    let name = words::title(&sink.name);
    let state = match (&sink.error, sink.behind) {
        _ if !sink.enabled => {
            return chip(
                "off",
                "Switched off in the host's configuration".to_owned(),
                format!("{name} off"),
            );
        }
        (Some(_), _) => "wrong",
        (None, 0) => "ok",
        (None, _) => "waiting",
    };
    let lag = sink.lag.map_or_else(String::new, |lag| {
        format!(
            "; half of the events are here within {} ms, 95 of 100 within {}, 99 within {}",
            number::text(lag.p50),
            number::text(lag.p95),
            number::text(lag.p99)
        )
    });
    let tried = match sink.attempts {
        0 => String::new(),
        attempts => format!(
            "; tried {} in vain",
            words::counted(usize::try_from(attempts).unwrap_or(usize::MAX), "time")
        ),
    };
    let queue = match sink.behind {
        0 => String::new(),
        behind => format!(" · {behind} queued"),
    };
    chip(
        state,
        format!("{}, event {}{tried}{lag}", sink.servers.join(", "), sink.number),
        // What works needs no word: its dot says so.
        match sink.state.as_str() {
            "running" => format!("{name}{queue}"),
            state => format!("{name} {state}{queue}"),
        },
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
            <b>"p50"</b>{number::text(last.p50)}<b>"p95"</b>{number::text(last.p95)}<b>"p99"</b>{number::text(last.p99)}" ms"
        </span>
    })
}

/// What is not captured, or did not arrive whole, is never passed over in silence.
fn uncaptured(state: State) -> Option<impl IntoView + use<>> {
    let refused = state
        .inspected_documents()
        .iter()
        .filter(|document| document.refused.is_some())
        .count();
    let unread = state.counts.with(|counts| counts.unread);
    let notices: u64 = state.health.with(|health| {
        let sinks = health.iter().flat_map(|health| &health.sinks);
        sinks.map(|sink| sink.notices).sum()
    });
    let shed = state
        .health
        .with(|health| health.as_ref().map_or(0, |health| health.shed));
    let parts: Vec<String> = [
        (refused > 0).then(|| format!("{} not captured", words::counted(refused, "document"))),
        (notices > 0).then(|| format!("{notices} refused")),
        (unread > 0).then(|| format!("{unread} unreadable")),
        (shed > 0).then(|| format!("{shed} without values")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| {
        view! {
            <button class="chip" data-state="wrong" title="Documents that are not captured; events that a server refused, that could not be read, or whose values went when the journal was full. Press to see those events."
                on:click=press(move || state.set_filter("is:error".to_owned()))>
                <i class="dot" aria-hidden="true"></i>{parts.join(", ")}
            </button>
        }
    })
}

/// The last minute: events a second as bars, the time to Memcached as a line.
#[component]
fn Chart(state: State) -> impl IntoView {
    let drawn = move || state.chart.with(|seconds| paths(seconds.iter().copied()));
    let now = move || {
        state
            .chart
            .with(|seconds| seconds.back().copied().unwrap_or_default())
    };
    let words = move || {
        let second = now();
        match second.lag {
            Some(lag) => format!(
                "{}/s, {} ms",
                words::count(usize::try_from(second.events).unwrap_or(0)),
                number::text(lag)
            ),
            None => format!("{}/s", words::count(usize::try_from(second.events).unwrap_or(0))),
        }
    };
    view! {
        <span class="chart" title="The last minute: events a second as bars, milliseconds to the last stage as a line">
            <svg viewBox=format!("0 0 {} {HEIGHT}", CHART * 2) width=CHART * 2 height=HEIGHT role="img" aria-label=text(move || format!("The last minute; now {}", words()))>
                <path class="bars" d=text(move || drawn().0) />
                <path class="line" d=text(move || drawn().1) />
            </svg>
            <span aria-hidden="true">{text(words)}</span>
        </span>
    }
}

/// What is wrong, each with its cure, in the words of `idb-relay doctor`.
#[component]
pub fn Problems(state: State) -> impl IntoView {
    // An empty list says these itself.
    let listed = move || state.tab.get() != Tab::Events || state.counts.with(|counts| counts.shown > 0);
    let problems = move || {
        let mut problems: Vec<Remark> = Vec::new();
        let listed = listed();
        if listed {
            state.background.with(|background| {
                problems.extend(background.iter().filter_map(|told| told.problem.clone()));
            });
        }
        if listed && state.inspected.is_some() {
            let documents = state.inspected_documents();
            problems.extend(documents.into_iter().filter_map(|document| document.refused));
        }
        problems.extend(state.unwell.get());
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
            {part(move || problems().into_iter().map(|Remark { message, cure }| view! {
                <p><strong>{sentence(&message)}</strong>" "<span>{sentence(&cure)}</span></p>
            }).views())}
        </div>
    }
}
