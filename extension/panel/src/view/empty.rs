//! Why there is nothing to see, and what to press.

use leptos::prelude::*;

use super::state::State;

#[component]
pub fn Empty(state: State) -> impl IntoView {
    move || {
        if state.model.with(|model| !model.places().is_empty()) {
            return view! {
                <div class="empty" data-why="filter">
                    <h2>"No event fits the filter"</h2>
                    <button on:click=move |_| state.filter.set(String::new())>"Clear the filter"</button>
                </div>
            }
            .into_any();
        }
        if state.recording.get().is_some() {
            return view! { <div class="empty" data-why="recording"><h2>"The recording is empty"</h2></div> }
                .into_any();
        }
        let Some(told) = state.background.get() else {
            return view! { <div class="empty" data-why="connecting"><h2>"Connecting to the extension…"</h2></div> }.into_any();
        };
        if let (false, Some(problem)) = (told.connected, told.problem.clone()) {
            let browser = told.browser.split('/').next().unwrap_or("chromium").to_owned();
            let command = format!("idb-relay install --browser {browser}");
            let copied = command.clone();
            return view! {
                <div class="empty" data-why="host">
                    <h2>{problem.message}</h2>
                    <p>{problem.cure}</p>
                    <p class="command"><code>{command}</code><button on:click=move |_| state.copy("Command", &copied)>"Copy"</button></p>
                    <p class="faint">"Writes wait in their pages meanwhile. To look at a recording no host is needed: Import."</p>
                </div>
            }
            .into_any();
        }
        if state.is_enabled() == Some(false) {
            let origin = state.origin.get().unwrap_or_default();
            return view! {
                <div class="empty" data-why="site">
                    <h2>{origin}" is not captured"</h2>
                    <p>"Nothing leaves a page before you say so. Its writes then go to the host on this machine, and from there to Redis and Memcached."</p>
                    <button class="primary" on:click=move |_| state.capture(true)>"Capture this site"</button>
                </div>
            }
            .into_any();
        }
        if told.origins.is_empty() {
            return view! {
                <div class="empty" data-why="no-site">
                    <h2>"No site is captured"</h2>
                    <p>"Open a page that uses IndexedDB and switch it on with the extension's button, or name its origin in the host's configuration."</p>
                </div>
            }
            .into_any();
        }
        let late = told.documents.iter().any(|document| document.late);
        view! {
            <div class="empty" data-why="quiet">
                <h2>"No write yet"</h2>
                <p>{if late {
                    "The page was open before capture began: what it stored is read, and its writes from now on appear here."
                } else {
                    "Every transaction that commits from now on appears here."
                }}</p>
            </div>
        }
        .into_any()
    }
}
