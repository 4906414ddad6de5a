//! What a machine that fails may leave of SQLite's write-ahead log
//! (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).
//!
//! The host syncs the log with each batch of deliveries, but not where a sink only saves how far it
//! is. So all that is behind the last batch may be missing, or in part, or other bytes. What was
//! synced is found by its content: cutting the log in front of a batch would change what the
//! journal says.

use std::{fs, path::Path};

use fastrand::Rng;
use rusqlite::Connection;

use super::schedule::Tear;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Past this the log may have been brought into the file in part; then nothing is known of it here.
const MAX_FRAMES: usize = 3500;

/// Tears the end of a journal's log. Returns what it did, which helps to explain a failure.
pub fn tear(journal: &Path, scratch: &Path, how: Tear, rng: &mut Rng) -> String {
    let log = journal.with_extension("sqlite-wal");
    let Ok(mut bytes) = fs::read(&log) else {
        return "there is no log".to_owned();
    };
    let commits = commits(&bytes);
    let Some(synced) = synced(journal, scratch, &bytes, &commits) else {
        return "the log is too long, or has no commit".to_owned();
    };
    let length = bytes.len();
    match how {
        Tear::Cut => bytes.truncate(rng.usize(synced..=length)),
        Tear::Garbled if synced < length => {
            for _ in 0..rng.usize(1..20) {
                let at = rng.usize(synced..length);
                bytes[at] = rng.u8(..);
            }
        }
        Tear::Hole if synced < length => {
            let from = rng.usize(synced..length);
            let to = (from + 4096).min(length);
            bytes[from..to].fill(0);
        }
        Tear::Garbled | Tear::Hole | Tear::Grown => {
            let more = rng.usize(1..9000);
            // Often what a frame would begin with.
            if rng.bool() && synced >= HEADER + FRAME_HEADER {
                let frame = bytes[HEADER..(HEADER + 2000).min(length)].to_vec();
                bytes.extend(frame);
            }
            bytes.extend(std::iter::repeat_with(|| rng.u8(..)).take(more));
        }
    }
    fs::write(&log, &bytes).expect("written");
    // The index of the log is in shared memory, which no machine keeps.
    let _there_was_none = fs::remove_file(journal.with_extension("sqlite-shm"));
    format!(
        "{} of {length} bytes were synced, {} commits behind them were not",
        synced,
        commits.iter().filter(|end| **end > synced).count()
    )
}

/// Where the last commit ends that the host has waited for.
fn synced(journal: &Path, scratch: &Path, bytes: &[u8], commits: &[usize]) -> Option<usize> {
    let mut ends = commits.iter().rev().copied();
    let last = ends.next()?;
    let whole = said(journal, scratch, &bytes[..last]);
    let mut synced = last;
    for end in ends {
        if said(journal, scratch, &bytes[..end]) != whole {
            break;
        }
        synced = end;
    }
    Some(synced)
}

/// Contexts with their last deliveries, the number of events, and of doubts.
type Said = (Vec<(String, i64)>, i64, i64);

/// What the journal would say with this log: everything that is written by the thread that syncs.
fn said(journal: &Path, scratch: &Path, log: &[u8]) -> Option<Said> {
    let copy = scratch.join("copy.sqlite");
    let _there_was_none = fs::remove_file(copy.with_extension("sqlite-shm"));
    fs::copy(journal, &copy).expect("copied");
    fs::write(copy.with_extension("sqlite-wal"), log).expect("written");
    let connection = Connection::open(&copy).expect("a database");
    // Without tables nothing is said.
    let mut contexts = connection
        .prepare("SELECT name, last_sequence FROM context ORDER BY name")
        .ok()?;
    let contexts = contexts
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .expect("rows");
    let (events, pending_reads) = connection
        .query_row(
            "SELECT (SELECT count(*) FROM journal), (SELECT sum(pending_reads) FROM store)",
            [],
            |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.unwrap_or(0))),
        )
        .expect("a row");
    Some((contexts, events, pending_reads))
}

/// Where the commits end, in bytes: as far as the frames are whole, and of this log.
fn commits(bytes: &[u8]) -> Vec<usize> {
    let word = |at: usize| {
        let four = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(four.try_into().ok()?))
    };
    let mut ends = Vec::new();
    let (Some(magic), Some(size)) = (word(0), word(8)) else {
        return ends;
    };
    let big_endian = magic & 1 == 1;
    let frame = FRAME_HEADER + size as usize;
    let mut sum = checksum(&bytes[..24], big_endian, (0, 0));
    if bytes.len() < HEADER || bytes.len() / frame > MAX_FRAMES {
        return ends;
    }
    for (start, bytes) in (HEADER..).step_by(frame).zip(bytes[HEADER..].chunks_exact(frame)) {
        sum = checksum(&bytes[..8], big_endian, sum);
        sum = checksum(&bytes[FRAME_HEADER..], big_endian, sum);
        if word(start + 8) != word(16)
            || word(start + 12) != word(20)
            || (word(start + 16), word(start + 20)) != (Some(sum.0), Some(sum.1))
        {
            break;
        }
        if word(start + 4) != Some(0) {
            ends.push(start + frame);
        }
    }
    ends
}

fn checksum(bytes: &[u8], big_endian: bool, (mut a, mut b): (u32, u32)) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| {
            let four = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
            if big_endian {
                u32::from_be_bytes(four)
            } else {
                u32::from_le_bytes(four)
            }
        };
        a = a.wrapping_add(word(0)).wrapping_add(b);
        b = b.wrapping_add(word(4)).wrapping_add(a);
    }
    (a, b)
}
