//! A sentence with code between backticks.

use leptos::prelude::*;
use protocol::wire::inspector::pieces;

use super::dynamic::IntoViews as _;

pub fn sentence(text: &str) -> impl IntoView + use<> {
    pieces(text)
        .map(|(is_code, piece)| {
            let piece = piece.to_owned();
            if is_code {
                view! { <code>{piece}</code> }.into_any()
            } else {
                piece.into_any()
            }
        })
        .into_views()
}
