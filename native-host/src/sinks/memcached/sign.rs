//! Signs of life of hosts, as they are found on the servers.

use memcache::exp::Error;

use super::{owner::is_sign_of_host, servers::Servers};
use crate::{
    memcached::{Answer, CommandBatch},
    sinks::runner::StepError,
};

/// An item under the name of a sign.
pub(super) struct Sign {
    /// The item's number.
    pub cas: u64,
    pub value: Vec<u8>,
    /// A host may have given it. Else it would never end, or not in time.
    pub is_of_host: bool,
}

impl Servers {
    /// The sign of this name, if there is one.
    pub(super) fn sign(&mut self, name: &str) -> Result<Option<Sign>, StepError> {
        let index = self.home(name);
        let mut parcel = CommandBatch::default();
        parcel.push("mg", name, " v c t", None);
        let answer = self.ask_once(index, &parcel)?;
        let Some(answer) = answer.filter(|answer| !answer.says("EN")) else {
            return Ok(None);
        };
        let refusal = answer.refusal();
        match (refusal, flag(&answer, 'c'), flag(&answer, 't'), answer.value) {
            (None, Some(cas), ttl, Some(value)) => Ok(Some(Sign {
                cas,
                value,
                is_of_host: is_sign_of_host(ttl),
            })),
            (refusal, ..) => {
                let error = refusal
                    .unwrap_or_else(|| Error::Protocol(format!("{:?} is no answer to mg", answer.line)));
                Err(self.failed(index, &error))
            }
        }
    }
}

/// The number behind a flag of an answer.
fn flag<T: std::str::FromStr>(answer: &Answer, name: char) -> Option<T> {
    let mut flags = answer.line.split(' ').skip(1);
    flags.find_map(|flag| flag.strip_prefix(name)?.parse().ok())
}
