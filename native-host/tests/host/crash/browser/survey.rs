//! What a document reads of its origin.

use std::collections::VecDeque;

use super::Browser;
use crate::crash::model::{Body, Home, Key, buckets, store_list};

/// A document tells everything that is there, a piece at a time.
#[derive(Debug, Default)]
pub(super) struct Survey {
    todo: VecDeque<Piece>,
    /// The delivery that must be on disk before it goes on.
    pub(super) awaited: u64,
    /// It is a question about a stretch: what is read next if the host's mirror has another, and if
    /// it has the same.
    asked: Option<[Option<Piece>; 2]>,
    /// The host has said that it is the same.
    pub(super) is_alike: bool,
}

#[derive(Debug, Clone)]
enum Piece {
    StoreList(&'static str),
    Store {
        home: Home,
        store: String,
        after: Option<Key>,
        version: Option<u64>,
        /// The host has another stretch there: its records are sent.
        differs: bool,
    },
}

impl Browser {
    /// Reads on, if the last piece is on disk.
    pub(super) fn survey(&mut self, index: usize) {
        let origin = self.contexts[index].origin;
        if self.contexts[index].survey.is_none() {
            if !std::mem::take(&mut self.contexts[index].survey_again) {
                return;
            }
            self.clock.pass(400);
            let mut todo = VecDeque::from([Piece::StoreList("")]);
            todo.extend(buckets(&self.world, origin).into_iter().map(Piece::StoreList));
            self.contexts[index].survey = Some(Survey {
                todo,
                ..Survey::default()
            });
        }
        let context = &mut self.contexts[index];
        let Some(survey) = &mut context.survey else {
            return;
        };
        if survey.awaited > context.acknowledged {
            return;
        }
        let is_alike = std::mem::take(&mut survey.is_alike);
        if let Some(next) = survey.asked.take() {
            let next = next.into_iter().nth(usize::from(is_alike)).flatten();
            if let Some(piece) = next {
                survey.todo.push_front(piece);
            }
        }
        let Some(piece) = survey.todo.pop_front() else {
            context.survey = None;
            return;
        };
        let skew = context.skew;
        let (began_at, read_at) = self.span();
        let span = (began_at + skew, read_at + skew);
        if let Some(body) = self.piece(index, piece, span) {
            let sequence = self.deliver(index, body);
            if let Some(survey) = &mut self.contexts[index].survey {
                survey.awaited = sequence;
            }
        }
    }

    /// Reads a piece and puts what follows it on the list. Nothing, if what was to be read has
    /// changed meanwhile.
    fn piece(&mut self, index: usize, piece: Piece, span: (i64, i64)) -> Option<String> {
        let context = &mut self.contexts[index];
        let survey = context.survey.as_mut()?;
        match piece {
            Piece::StoreList(bucket) => {
                let origin = context.origin;
                let stores = self
                    .world
                    .databases
                    .iter()
                    .filter(|(home, _)| home.origin == origin && home.bucket == bucket)
                    .flat_map(|(home, database)| {
                        database.stores.keys().map(|store| Piece::Store {
                            home: *home,
                            store: store.clone(),
                            after: None,
                            version: None,
                            differs: false,
                        })
                    });
                for (place, piece) in stores.enumerate() {
                    survey.todo.insert(place, piece);
                }
                Some(store_list(&self.world, origin, bucket, span))
            }
            Piece::Store {
                home,
                store,
                after,
                version,
                differs,
            } => {
                let found = self.world.databases.get(&home);
                let there = found.filter(|database| {
                    database.stores.contains_key(&store)
                        && version.is_none_or(|version| version == database.version)
                });
                let Some(database) = there else {
                    context.survey_again = true;
                    return None;
                };
                let count = [1, 3, 16, 64, 200][self.rng.usize(..5)];
                let is_asked = !differs && self.rng.bool();
                let body = Body(&home);
                let (body, until) = if is_asked {
                    body.digests(&self.world, &store, after, count, span)
                } else {
                    body.snapshot(&self.world, &store, after, count, span)
                };
                let piece = |after, differs| Piece::Store {
                    home,
                    store: store.clone(),
                    after,
                    version: Some(database.version),
                    differs,
                };
                let next = until.map(|until| piece(Some(until), false));
                if is_asked {
                    survey.is_alike = false;
                    survey.asked = Some([Some(piece(after, true)), next]);
                } else if let Some(next) = next {
                    survey.todo.push_front(next);
                }
                Some(body)
            }
        }
    }
}
