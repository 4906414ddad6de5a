//! The state of the extension, the host and its servers, and the problems with their fixes.

use leptos::prelude::*;
use protocol::{
    number,
    wire::inspector::{Health, Problem, Sink, unobserved_workers, worker_urls},
};

use super::{
    dynamic::{IntoViews as _, aria_bool, dynamic_text, dynamic_view, on_press},
    sentence::sentence,
};
use crate::{
    app::state::{App, CHART_SECONDS, Overlay, Tab},
    chart::{HEIGHT, SECOND_WIDTH, chart_paths},
    format,
};

const CHART_WIDTH: usize = CHART_SECONDS * SECOND_WIDTH as usize;

#[component]
pub fn Header(app: App) -> impl IntoView {
    let is_paused = move || {
        app.host
            .background
            .with(|background| background.as_ref().is_some_and(|background| background.paused))
    };
    view! {
        <header class="health">
            <span class="product"><img src="../icons/16.png" alt="" width="16" height="16" />"IDB Relay"</span>
            {dynamic_view(move || host_chip(app))}
            {dynamic_view(move || app.host.health.with(|health| health.as_ref().map(|health| {
                let sinks = health.sinks.iter().map(sink_chip).into_views();
                view! { {sinks} {lag_of_last_stage(health)} }
            })))}
            {dynamic_view(move || losses(app))}
            {dynamic_view(move || unobserved(app))}
            <span class="grow"></span>
            <Chart app />
            <button title="Check everything, as idb-relay doctor does" on:click=on_press(move || app.show_overlay(Some(Overlay::Doctor)))>"Check"</button>
            <button class="capture" title="Pause capture: pages keep their commits until it resumes" aria-pressed=aria_bool(is_paused)
                on:click=on_press(move || app.toggle_capture_pause())>
                {dynamic_text(move || if is_paused() { "Resume capture" } else { "Pause capture" }.to_owned())}
            </button>
        </header>
    }
}

fn chip(status: &'static str, title: String, text: String) -> impl IntoView {
    view! { <span class="chip" data-state=status title=title><i class="dot" aria-hidden="true"></i>{text}</span> }
}

fn host_chip(app: App) -> impl IntoView + use<> {
    app.host.background.with(|background| match background {
        None => chip("waiting", String::new(), "connecting…".to_owned()),
        Some(background) if background.connected => chip(
            if background.paused { "waiting" } else { "ok" },
            format!(
                "extension {}, protocol {}, profile {}{}",
                background.version,
                protocol::PROTOCOL_VERSION,
                background.profile,
                match app
                    .host
                    .health
                    .with(|health| health.as_ref().map_or(0, |health| health.stripped))
                {
                    0 => String::new(),
                    stripped => {
                        format!("; {stripped} events lost their values because the journal was full")
                    }
                }
            ),
            format!(
                "host {}{}",
                background.host_version.as_deref().unwrap_or("?"),
                match (background.paused, background.waiting) {
                    (true, waiting) => format!(" · capture paused, {waiting} waiting"),
                    (false, 0) => String::new(),
                    (false, waiting) => format!(" · {waiting} waiting"),
                }
            ),
        ),
        Some(background) => chip(
            "wrong",
            background
                .problem
                .as_ref()
                .map_or_else(String::new, |problem| problem.message.clone()),
            format!("no host · {} waiting", background.waiting),
        ),
    })
}

fn sink_chip(sink: &Sink) -> impl IntoView + use<> {
    let name = format::stage_title(&sink.name);
    let status = match (&sink.error, sink.behind) {
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
            "; delay {} ms (p50), {} ms (p95), {} ms (p99)",
            number::text(lag.p50),
            number::text(lag.p95),
            number::text(lag.p99)
        )
    });
    let attempts = match sink.attempts {
        0 => String::new(),
        attempts => format!("; {}", format::count_noun(attempts, "failed attempt")),
    };
    let queue = match sink.behind {
        0 => String::new(),
        behind => format!(" · {behind} queued"),
    };
    chip(
        status,
        format!(
            "{}, event {}{attempts}{lag}",
            sink.servers.join(", "),
            sink.number
        ),
        // A running sink shows its dot only.
        match sink.state.as_str() {
            "running" => format!("{name}{queue}"),
            sink_state => format!("{name} {sink_state}{queue}"),
        },
    )
}

fn lag_of_last_stage(health: &Health) -> Option<impl IntoView + use<>> {
    let last = health
        .sinks
        .iter()
        .filter(|sink| sink.enabled)
        .filter_map(|sink| sink.lag)
        .next_back()?;
    let title = "Delay from the commit in the page to the last stage, of the latest events";
    Some(view! {
        <span class="lag" title=title>
            <b>"p50"</b>{number::text(last.p50)}<b>"p95"</b>{number::text(last.p95)}<b>"p99"</b>{number::text(last.p99)}" ms"
        </span>
    })
}

/// The counts of documents that are not captured, and of events that are incomplete or were
/// refused.
fn losses(app: App) -> Option<impl IntoView + use<>> {
    let refused = app
        .inspected_documents()
        .iter()
        .filter(|document| document.refused.is_some())
        .count();
    let unreadable = app.feed.counts.with(|counts| counts.unreadable);
    let notices: u64 = app.host.health.with(|health| {
        let sinks = health.iter().flat_map(|health| &health.sinks);
        sinks.map(|sink| sink.notices).sum()
    });
    let stripped = app
        .host
        .health
        .with(|health| health.as_ref().map_or(0, |health| health.stripped));
    let parts: Vec<String> = [
        (refused > 0).then(|| format!("{} not captured", format::count_noun(refused as u64, "document"))),
        (notices > 0).then(|| format!("{notices} refused")),
        (unreadable > 0).then(|| format!("{unreadable} unreadable")),
        (stripped > 0).then(|| format!("{stripped} without values")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| {
        view! {
            <button class="chip" data-state="wrong" title="Documents that are not captured; events that a server refused, that could not be read, or that lost their values because the journal was full. Press to see these events."
                on:click=on_press(move || app.set_filter("is:error".to_owned()))>
                <i class="dot" aria-hidden="true"></i>{parts.join(", ")}
            </button>
        }
    })
}

/// How many workers of the inspected page are not observed; which, and what that means, where the
/// pointer rests.
fn unobserved(app: App) -> Option<impl IntoView + use<>> {
    let documents = app.inspected_documents();
    let problem = unobserved_workers(&documents)?;
    let workers = worker_urls(&documents).len() as u64;
    let text = format!("{} not observed", format::count_noun(workers, "worker"));
    let title = format!("{}. {}", problem.message, problem.fix.replace('`', ""));
    Some(chip("waiting", title, text))
}

#[component]
fn Chart(app: App) -> impl IntoView {
    let chart = move || {
        app.host
            .chart
            .with(|seconds| chart_paths(seconds.iter().copied()))
    };
    let last_second = move || {
        app.host
            .chart
            .with(|seconds| seconds.back().copied().unwrap_or_default())
    };
    let text = move || {
        let second = last_second();
        match second.lag {
            Some(lag) => format!("{}/s, {} ms", format::count(second.events), number::text(lag)),
            None => format!("{}/s", format::count(second.events)),
        }
    };
    view! {
        <span class="chart" title="The last minute: events per second as bars, milliseconds to the last stage as a line">
            <svg viewBox=format!("0 0 {} {HEIGHT}", CHART_WIDTH) width=CHART_WIDTH height=HEIGHT role="img" aria-label=dynamic_text(move || format!("The last minute; now {}", text()))>
                <path class="bars" d=dynamic_text(move || chart().0) />
                <path class="line" d=dynamic_text(move || chart().1) />
            </svg>
            <span aria-hidden="true">{dynamic_text(text)}</span>
        </span>
    }
}

/// The problems with their fixes, in the words of `idb-relay doctor`.
#[component]
pub fn Problems(app: App) -> impl IntoView {
    // An empty list names the first ones itself.
    let has_list =
        move || app.ui.tab.get() != Tab::Events || app.feed.counts.with(|counts| counts.matching > 0);
    let problems = move || {
        let mut problems: Vec<Problem> = Vec::new();
        let has_list = has_list();
        if has_list {
            app.host.background.with(|background| {
                problems.extend(
                    background
                        .iter()
                        .filter_map(|background| background.problem.clone()),
                );
            });
        }
        if has_list && app.site.inspected_tab.is_some() {
            let documents = app.inspected_documents();
            problems.extend(documents.into_iter().filter_map(|document| document.refused));
        }
        problems.extend(app.deep_capture().and_then(|deep| deep.problem));
        problems.extend(app.host.health_problem.get());
        app.host.health.with(|health| {
            let sinks = health
                .iter()
                .flat_map(|health| &health.sinks)
                .filter(|sink| sink.enabled);
            problems.extend(sinks.filter_map(|sink| {
                Some(Problem {
                    message: sink.error.clone()?,
                    fix: sink.fix.clone().unwrap_or_default(),
                })
            }));
        });
        problems.dedup();
        problems
    };
    view! {
        <div class="problems" role="alert">
            {dynamic_view(move || problems().into_iter().map(|Problem { message, fix }| view! {
                <p><strong>{sentence(&message)}</strong>" "<span>{sentence(&fix)}</span></p>
            }).into_views())}
        </div>
    }
}
