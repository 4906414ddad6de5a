//! Deliveries as the background sends them: whole, cut into parts, or several together.

use super::Browser;

/// A delivery that the background keeps.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) context: String,
    pub(super) sequence: u64,
    /// Its message, or its parts.
    pub(super) messages: Vec<String>,
}

impl Browser {
    pub(super) fn entry(&mut self, index: usize, sequence: u64, body: &str) -> Entry {
        let context = &self.contexts[index];
        let name = context.name.clone();
        let page = format!(
            r#""page":{{"origin":"{}","tab":1,"frame":0}}"#,
            self.origins[context.origin]
        );
        // Now and then a small one is cut as if it were large.
        let limit = if self.rng.u8(..) < 20 {
            1 + body.len() / 3
        } else {
            500_000
        };
        let messages = if body.len() > limit {
            let parts = cut(body, limit);
            let count = parts.len();
            let part = |(index, text): (usize, &str)| {
                let text = serde_json::to_string(text).expect("a string");
                format!(
                    r#"{{"part":{{"context":"{name}",{page},"part":{{"sequence":{sequence},"index":{index},"count":{count},"text":{text}}}}}}}"#
                )
            };
            parts.into_iter().enumerate().map(part).collect()
        } else {
            vec![format!(
                r#"{{"delivery":{{"context":"{name}","sequence":{sequence},{page},"body":{body}}}}}"#
            )]
        };
        Entry {
            context: name,
            sequence,
            messages,
        }
    }
}

pub(super) fn send_together(bundle: &mut Vec<&str>, send: &mut impl FnMut(&str)) {
    match bundle[..] {
        [] => {}
        [message] => send(message),
        _ => send(&format!("[{}]", bundle.join(","))),
    }
    bundle.clear();
}

/// Slices of about this many bytes.
fn cut(text: &str, bytes: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut at = bytes.min(rest.len());
        while !rest.is_char_boundary(at) {
            at += 1;
        }
        let (part, tail) = rest.split_at(at);
        parts.push(part);
        rest = tail;
    }
    parts
}
