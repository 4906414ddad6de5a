//! Names the document that wrote an event.

use protocol::{
    event::{Writer, WriterKind},
    shown::shown,
};

use crate::{app::state::App, dom::row::DocumentLabel, events::row::EventRow};

pub fn label_document(app: App, row: &EventRow) -> DocumentLabel {
    let (title, badge) = label_page(app, row);
    let Some(writer) = &row.source.writer else {
        return (title, badge);
    };
    let badge = match writer.kind {
        WriterKind::Worker => "worker",
        WriterKind::SharedWorker => "shared",
        WriterKind::ServiceWorker => "service",
    };
    (
        format!("{}. {title}", describe_writer(writer)),
        ("worker", badge.to_owned()),
    )
}

/// The page decides the address.
pub fn describe_writer(writer: &Writer<'_>) -> String {
    format!("Written by a {} {}", writer.kind.title(), shown(&writer.url))
}

fn label_page(app: App, row: &EventRow) -> DocumentLabel {
    if row.is_snapshot {
        return (
            "Read from the database: its write was not observed".to_owned(),
            ("read", "read".to_owned()),
        );
    }
    let document = app
        .host
        .documents
        .with_untracked(|documents| documents.get(&row.source.context).cloned());
    let Some(document) = document else {
        let short: String = row.source.context.chars().take(6).collect();
        return (
            format!("Document {}, closed before the panel opened", row.source.context),
            ("closed", short),
        );
    };
    let is_inspected = app.site.inspected_tab == Some(document.tab);
    let late = if document.late {
        ", captured after it was loaded"
    } else {
        ""
    };
    let (tab, kind) = (document.tab, if document.frame == 0 { "page" } else { "frame" });
    let title = format!(
        "Tab {tab}{}, {kind}{}{late}",
        if is_inspected { " (this one)" } else { "" },
        match document.frame {
            0 => String::new(),
            frame => format!(" {frame}"),
        }
    );
    let badge = match (is_inspected, document.frame) {
        (true, 0) => ("page", "page".to_owned()),
        (_, 0) => ("tab", format!("tab {tab}")),
        (_, _) => ("frame", "frame".to_owned()),
    };
    (title, badge)
}
