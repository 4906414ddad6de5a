//! Creates the state and connects it: to the background, to the inspected page, and to the
//! pipeline.

use leptos::prelude::*;

use super::state::App;
use crate::{background_link::LinkMessage, browser, events::matches::Matches, observable::Observable};

pub fn start_app() -> App {
    let app = App::new();
    // An effect, so that several messages in a row request one frame.
    let feed_received = Observable::new(());
    app.link.with_value(|link| {
        link.connect(move |message| match message {
            LinkMessage::Background(background) => app.record_background(background),
            LinkMessage::Trace(trace) => app.feed.stacks.update(|stacks| stacks.insert(trace)),
            LinkMessage::Feed(feed) => {
                app.receive_feed(feed);
                feed_received.notify();
            }
        });
    });
    Effect::new(move |_| {
        feed_received.track();
        app.request_frame();
    });
    Effect::new(move |_| {
        let _tracked = app.effective_filter();
        app.feed.matches.update(Matches::restart);
        app.refresh();
    });
    app.watch_health(None);
    browser::on_origin_change(move |origin| app.site.origin.set_if_changed(origin));
    app
}
