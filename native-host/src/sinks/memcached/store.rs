//! What is sent to Memcached, and what its answers mean.

use std::borrow::Cow;

use crate::{
    journal::progress::condition::Notice,
    memcached::{Answer, Broken, CommandBatch, Connection, fits, is_too_large, unexpected},
};

/// How much travels together, unless a single value is larger.
const PARCEL_BYTES: usize = 1024 * 1024;

/// What a key is to hold.
pub(super) struct Item<'a> {
    /// The event that says so.
    pub number: u64,
    pub name: String,
    /// None: nothing.
    pub value: Option<Cow<'a, str>>,
}

/// Writes the items to a server. Values that are too large for it are deleted there and reported.
/// All answers are awaited, also behind a refusal. A last command is sent along and executed after
/// all others; its answer is returned, too.
pub(super) fn store<'i>(
    line: &mut Connection,
    item_size: Option<u64>,
    items: impl Iterator<Item = &'i Item<'i>>,
    last: impl FnOnce(&mut CommandBatch),
) -> Result<(Vec<Notice>, Option<Answer>), Broken> {
    let mut shipping = Pipeline {
        line,
        parcel: CommandBatch::default(),
        items: Vec::new(),
        notices: Vec::new(),
    };
    for item in items {
        let value = item.value.as_deref();
        let value = value.filter(|value| fits(&item.name, value, item_size));
        let length = value.map_or(0, str::len);
        if shipping.parcel.len() + length > PARCEL_BYTES {
            shipping.send()?;
        }
        if item.value.is_some() && value.is_none() {
            shipping.notices.extend(too_large(item));
        }
        match value {
            // Bytes without client flags, so that every client reads them.
            Some(value) => shipping.parcel.push("ms", &item.name, "", Some(value.as_bytes())),
            None => shipping.parcel.push("md", &item.name, "", None),
        }
        shipping.items.push(item);
    }
    last(&mut shipping.parcel);
    let last = shipping.send()?;
    Ok((shipping.notices, last))
}

struct Pipeline<'l, 'i> {
    line: &'l mut Connection,
    parcel: CommandBatch,
    /// What is in it.
    items: Vec<&'i Item<'i>>,
    notices: Vec<Notice>,
}

impl Pipeline<'_, '_> {
    /// Returns an answer behind those of the items.
    fn send(&mut self) -> Result<Option<Answer>, Broken> {
        if self.parcel.is_empty() {
            return Ok(None);
        }
        let mut answers = self.line.exchange(&std::mem::take(&mut self.parcel))?;
        let last = (answers.len() > self.items.len())
            .then(|| answers.pop())
            .flatten();
        let mut again = CommandBatch::default();
        let mut error = None;
        for (item, answer) in std::mem::take(&mut self.items).into_iter().zip(answers) {
            match answer.refusal() {
                None if answer.says("HD") || answer.says("NF") => {}
                None => error = error.or(Some(unexpected(&answer.line))),
                Some(refusal) if is_too_large(&refusal) => {
                    self.notices.extend(too_large(item));
                    again.push("md", &item.name, "", None);
                }
                Some(refusal) => error = error.or(Some(refusal)),
            }
        }
        if !again.is_empty() {
            let answers = self.line.exchange(&again)?;
            error = error.or_else(|| answers.iter().find_map(Answer::refusal));
        }
        match error {
            Some(error) => Err(Broken { error, unsure: false }),
            None => Ok(last),
        }
    }
}

fn too_large(item: &Item<'_>) -> Option<Notice> {
    let length = item.value.as_ref()?.len();
    Some(Notice {
        number: item.number,
        text: format!("deleted: {length} bytes are too large for the server (see its option -I)"),
    })
}
