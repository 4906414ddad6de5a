//! The list of captured sites.

use std::rc::Rc;

use protocol::{
    origin::{OriginError, OriginPattern},
    wire::inspector::{Background, FromInspector},
};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, Url};

use super::state::{SharedState, author_label};
use crate::{
    background_link::BackgroundLink,
    browser_api,
    dom::{add, button, by_id, element, fill_or, focus, on, set_value, show_message, text, value_of},
};

pub fn listen(link: &Rc<BackgroundLink>) {
    let link = Rc::clone(link);
    on(&by_id("add-site"), "submit", move |event| {
        event.prevent_default();
        add_site(&link);
    });
}

/// Call it while the user's click is handled: browsers refuse to ask for a permission otherwise.
fn add_site(link: &BackgroundLink) {
    let entered = value_of("site-origin");
    let error = match parse_entry(entered.trim()) {
        Ok(pattern) => {
            link.send(&FromInspector::Capture {
                origin: pattern.to_string(),
                enabled: true,
            });
            browser_api::request_permission(&pattern);
            set_value("site-origin", "");
            None
        }
        Err(error) => Some(error),
    };
    show_message("site-error", error.as_deref());
}

/// A pattern in the spelling that browsers use for origins. In another spelling it would match no
/// page.
fn parse_entry(entered: &str) -> Result<OriginPattern, String> {
    let pattern = OriginPattern::parse(entered);
    let text = match &pattern {
        Ok(pattern) => pattern.to_string(),
        Err(OriginError::NotAscii(_)) => entered.to_owned(),
        Err(error) => return Err(error.to_string()),
    };
    let (origin, any_port) = match text.strip_suffix(":*") {
        Some(origin) => (origin, ":*"),
        None => (text.as_str(), ""),
    };
    let spelling = Url::new(origin).ok().map(|url| url.origin() + any_port);
    match (pattern, spelling) {
        (Ok(pattern), Some(spelling)) if spelling == text => Ok(pattern),
        (_, Some(spelling)) => Err(format!(
            "Browsers spell this origin {spelling:?}. Enter it like that."
        )),
        (_, None) => Err(format!("{entered:?} is not an origin in a browser.")),
    }
}

/// Stops capturing, and gives the permission back unless another entry needs it.
pub fn remove_site(background: &Background, origin: &str, link: &BackgroundLink) {
    link.send(&FromInspector::Capture {
        origin: origin.to_owned(),
        enabled: false,
    });
    let Ok(pattern) = OriginPattern::parse(origin) else {
        return;
    };
    let pattern = pattern.match_pattern();
    let is_shared = background
        .origins
        .keys()
        .filter(|other| *other != origin)
        .filter_map(|other| OriginPattern::parse(other).ok())
        .any(|other| other.match_pattern() == pattern);
    if !is_shared {
        // The permission for this machine is a required one. The browser keeps it.
        let permission = browser_api::object(&[("origins", browser_api::list(&[&pattern]))]);
        spawn_local(async move { drop(browser_api::remove_permissions(&permission).await) });
    }
}

pub fn render_sites(state: &SharedState, background: &Background, link: &Rc<BackgroundLink>) {
    let rows: Vec<Element> = background
        .origins
        .iter()
        .map(|(origin, who)| site_row(state, background, origin, who, link))
        .collect();
    fill_or(&by_id("sites"), &rows, "No site is captured.");
}

fn site_row(
    state: &SharedState,
    background: &Background,
    origin: &str,
    who: &str,
    link: &Rc<BackgroundLink>,
) -> Element {
    let row = element("li", "");
    add(
        &row,
        &[
            text("span", "code", origin),
            text("small", "by", author_label(who)),
        ],
    );
    if background.ungranted.iter().any(|other| other == origin)
        && let Ok(pattern) = OriginPattern::parse(origin)
    {
        add(&row, &[text("small", "error", "permission missing")]);
        let allow = button("Allow access", &format!("Allow access to {origin}"));
        on(&allow, "click", move |_| {
            browser_api::request_permission(&pattern);
        });
        add(&row, &[allow]);
    }
    if who == "user" {
        let remove = button("Remove", &format!("Remove {origin}: stop capturing it"));
        let (known, to, origin) = (Rc::clone(state), Rc::clone(link), origin.to_owned());
        on(&remove, "click", move |_| {
            remove_site(&known.borrow().background, &origin, &to);
            focus("site-origin");
        });
        add(&row, &[remove]);
    }
    row
}
