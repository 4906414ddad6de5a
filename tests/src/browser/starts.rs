//! What starts of browsers cost, for the table that `cargo xtask test` ends with.

use std::{env, fs::File, io::Write as _, time::Duration};

use serde_json::json;

use super::Kind;

/// Names the file that the lines go to, one a start; `xtask/src/report.rs` reads it.
const VARIABLE: &str = "IDB_RELAY_LAB_STARTS";

/// A browser has started: it can be driven, or, if `is_ready`, pages that it opens are captured.
/// Nothing is noted unless `cargo xtask test` asks for it.
pub(super) fn note(kind: Kind, is_ready: bool, took: Duration) {
    let Some(path) = env::var_os(VARIABLE) else {
        return;
    };
    let line = format!(
        "{}\n",
        json!({"browser": kind.name(), "ready": is_ready, "seconds": took.as_secs_f64()})
    );
    // One write, so that tests side by side do not mix their lines. Without it a line is missing in
    // the table.
    let _unnoted = File::options()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
}
