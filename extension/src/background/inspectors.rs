//! The inspector's pages that are open, and the questions that wait for the host's answers.
//!
//! Each page numbers its own questions; towards the host they are numbered again. A page that
//! closes forgets its questions. A feed outlives the host: it waits for the next one. Every other
//! question fails when there is no host to answer it.

use protocol::{
    json,
    table::Table,
    wire::{
        host::{ErrorCode, HostError},
        inspector::{Answer, Background, MAX_QUESTIONS, Problem, ToInspector, Tracing},
    },
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// A message to a page. An answer's content is passed on as it is.
pub type Notification = ToInspector<Box<RawValue>>;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Inspectors {
    pages: Table<u32, Page>,
    questions: Table<u64, Asked>,
    last: u64,
}

#[derive(Debug, Default)]
struct Page {
    /// Whether it has said what it looks at.
    opened: bool,
    /// The tab that it looks at; none means all.
    tab: Option<i64>,
    /// The state of the background that it was sent last.
    sent: String,
    /// Whose stacks it wants.
    tracing: Tracing,
}

#[derive(Debug)]
struct Asked {
    port: u32,
    id: u64,
    question: Box<RawValue>,
    kind: Kind,
}

/// A question. It is passed on as it is.
pub type Ask = protocol::wire::inspector::Ask<Box<RawValue>>;

/// [`protocol::wire::inspector::Question`], as far as it is looked at here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kind {
    /// It waits for a host.
    feed: Option<IgnoredAny>,
    /// It has several answers.
    compare: Option<IgnoredAny>,
}

impl Inspectors {
    /// A port was opened.
    pub fn connect(&mut self, port: u32) {
        self.pages.insert(port, Page::default());
    }

    /// Whether an inspector is at this port.
    pub fn has(&self, port: u32) -> bool {
        self.pages.contains_key(&port)
    }

    /// Whether no inspector is open.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The page asks for notifications about this tab, or about all.
    pub fn open(&mut self, port: u32, tab: Option<i64>) {
        if let Some(page) = self.pages.get_mut(&port) {
            page.opened = true;
            page.tab = tab;
            page.sent.clear();
        }
    }

    /// The page wants these stacks.
    pub fn trace(&mut self, port: u32, wanted: Tracing) {
        if let Some(page) = self.pages.get_mut(&port) {
            page.tracing = wanted;
        }
    }

    /// The pages that want the stacks of a tab's writes.
    pub fn tracers(&self, tab: i64) -> impl Iterator<Item = u32> {
        let pages = self.pages.iter();
        pages
            .filter(move |(_, page)| page.tracing.wants(tab))
            .map(|(port, _)| *port)
    }

    /// The page is gone.
    pub fn close(&mut self, port: u32) {
        self.pages.remove(&port);
        self.questions.retain(|_, asked| asked.port != port);
    }

    /// The question as the host is to be asked it.
    pub fn ask(&mut self, port: u32, ask: Ask) -> Result<Ask, HostError> {
        if self.questions.len() >= MAX_QUESTIONS {
            return Err(too_many());
        }
        self.last += 1;
        let asked = Asked {
            port,
            id: ask.id,
            question: ask.question.clone(),
            kind: json::read(ask.question.get()).unwrap_or_default(),
        };
        self.questions.insert(self.last, asked);
        Ok(Ask { id: self.last, ..ask })
    }

    /// Whose answer the host has sent, in that page's numbering.
    pub fn answered(&mut self, answer: Answer<Box<RawValue>>) -> Option<(u32, Answer<Box<RawValue>>)> {
        let asked = self.questions.get(&answer.id)?;
        let (port, id) = (asked.port, asked.id);
        if asked.kind.compare.is_none() || is_last(&answer.reply) {
            self.questions.remove(&answer.id);
        }
        Some((port, Answer { id, ..answer }))
    }

    /// What waits for a host, to be asked when there is one.
    pub fn waiting(&self) -> impl Iterator<Item = Ask> {
        self.questions.iter().map(|(id, asked)| Ask {
            id: *id,
            question: asked.question.clone(),
        })
    }

    /// There is no host, for this reason: what cannot wait has failed.
    pub fn host_away(&mut self, reason: &Problem) -> Vec<(u32, Answer<Box<RawValue>>)> {
        let away: Vec<u64> = self
            .questions
            .iter()
            .filter(|(_, asked)| asked.kind.feed.is_none())
            .map(|(id, _)| *id)
            .collect();
        let away = away.into_iter().filter_map(|id| self.questions.remove(&id));
        away.map(|asked| {
            let error = HostError {
                code: ErrorCode::HostAway,
                message: reason.message.clone(),
                fix: reason.fix.clone(),
                context: None,
                sequence: None,
            };
            (asked.port, failed(asked.id, &error))
        })
        .collect()
    }

    /// The background's state for pages, each for its own tab, if it is new to them.
    pub fn news(&mut self, state: impl Fn(Option<i64>) -> Background) -> Vec<(u32, String)> {
        let mut news = Vec::new();
        for (port, page) in self.pages.iter_mut().filter(|(_, page)| page.opened) {
            let Ok(text) = serde_json::to_string(&Notification::Background(Box::new(state(page.tab)))) else {
                continue;
            };
            if text != page.sent {
                page.sent.clone_from(&text);
                news.push((*port, text));
            }
        }
        news
    }
}

/// [`protocol::wire::inspector::Reply`], as far as it is looked at here: to read and write all of
/// it would be a good part of the background.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Reply<'e> {
    Failed(&'e HostError),
}

/// The rest of a comparison's answer is passed on unread.
#[derive(Deserialize)]
struct Comparison {
    compared: Option<Compared>,
}

#[derive(Deserialize)]
struct Compared {
    done: bool,
}

/// Whether no other answer to a comparison follows.
fn is_last(reply: &RawValue) -> bool {
    let comparison = json::read(reply.get());
    !matches!(
        comparison,
        Ok(Comparison {
            compared: Some(Compared { done: false })
        })
    )
}

/// The answer to a question that has none.
pub fn failed(id: u64, error: &HostError) -> Answer<Box<RawValue>> {
    let reply = serde_json::value::to_raw_value(&Reply::Failed(error)).unwrap_or_default();
    Answer { id, reply }
}

fn too_many() -> HostError {
    HostError {
        code: ErrorCode::QuestionFailed,
        message: format!("{MAX_QUESTIONS} questions wait for their answers already"),
        fix: "Close panels that are not needed, or ask again later.".into(),
        context: None,
        sequence: None,
    }
}
