//! Sentences, in which what stands between backticks is code.

use leptos::prelude::*;
use protocol::inspect::pieces;

use super::erased::Views as _;

pub fn sentence(words: &str) -> impl IntoView + use<> {
    pieces(words)
        .map(|(is_code, piece)| {
            let piece = piece.to_owned();
            if is_code {
                view! { <code>{piece}</code> }.into_any()
            } else {
                piece.into_any()
            }
        })
        .views()
}
