//! What the kernel says of a process.

use std::fs;

use anyhow::{Context as _, Result};

/// How many bytes of a process lie in memory.
#[derive(Debug, Clone, Copy)]
pub struct Resident {
    /// Now.
    pub now: u64,
    /// At its largest.
    pub peak: u64,
}

/// Of the process of this number.
pub fn resident(id: u32) -> Result<Resident> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kilobytes
            .map(|kilobytes| kilobytes * 1024)
            .with_context(|| format!("no {name} in the status of process {id}"))
    };
    Ok(Resident {
        now: bytes("VmRSS:")?,
        peak: bytes("VmHWM:")?,
    })
}

/// The processor time that a process has taken, all its threads together, in seconds.
pub fn processor_seconds(id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // "pid (name) state …"; the name may hold anything. From the state on, user and system time are
    // fields 12 and 13.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("a short stat")?.parse()?) };
    #[allow(clippy::cast_precision_loss, reason = "a small number")]
    let frequency = rustix::param::clock_ticks_per_second() as f64;
    Ok((ticks(11)? + ticks(12)?) / frequency)
}
