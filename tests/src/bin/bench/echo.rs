//! Native messaging with nothing else: an extension that does no more than pass messages on
//! (`tests/echo/`), and a native program that sends them back: this one, started by the browser.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
};

use anyhow::{Context as _, Result};
use lab::{
    browser::{Kind, Launch, Profile},
    directories,
    site::Site,
};
use serde::Deserialize;
use serde_json::json;

/// Set for the native program, which gets no arguments.
pub const VARIABLE: &str = "IDB_RELAY_LAB_ECHO";

/// The name in `tests/echo/background.js`.
const NAME: &str = "dev.idb_relay.echo";

/// What Chromium makes of the `key` in `tests/echo/manifest.json`.
const CHROMIUM_ORIGIN: &str = "chrome-extension://dkdhdlincilcaioknhefbjdeobdpjijp/";

/// What `tests/echo/manifest.json` says.
const FIREFOX_ID: &str = "echo@idb-relay.dev";

/// Times in milliseconds.
#[derive(Deserialize)]
pub struct RoundTrips {
    /// From the extension's background to the native program and back.
    pub native: Vec<f64>,
    /// From the page's content script through the background to the native program and back.
    pub page: Vec<f64>,
}

/// Sends `count` messages of about 250 bytes to a native program and back.
pub fn measure(kind: Kind, count: usize) -> Result<RoundTrips> {
    let profile = Profile::new(kind)?;
    let site = Site::start()?;
    register(&profile)?;
    let browser = profile.start(&Launch {
        extension: Some(directories::tests_directory().join("echo")),
        ..Launch::default()
    })?;
    let page = browser.open(&site.url("/blank/"))?;
    let echo = |count: usize| {
        page.evaluate(&format!(
            "new Promise((resolve) => {{
                addEventListener('message', ({{data}}) => {{ if (data.echoed) resolve(data.echoed); }});
                postMessage({{echo: {count}}});
            }})"
        ))
    };
    // Warms it up.
    echo(50)?;
    let round_trips = serde_json::from_value(echo(count)?)?;
    browser.quit()?;
    Ok(round_trips)
}

/// Tells the browser of this program; a script sets the variable, for a manifest has no place for
/// it.
fn register(profile: &Profile) -> Result<()> {
    let script = profile.home().join("echo.sh");
    let program = std::env::current_exe()?;
    fs::write(
        &script,
        format!("#!/bin/sh\n{VARIABLE}=1 exec '{}'\n", program.display()),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
    let mut manifest = json!({"name": NAME, "description": "Echo", "type": "stdio", "path": script});
    let directory = match profile.kind() {
        Kind::Chromium => {
            manifest["allowed_origins"] = json!([CHROMIUM_ORIGIN]);
            profile.directory().join("NativeMessagingHosts")
        }
        Kind::Firefox => {
            manifest["allowed_extensions"] = json!([FIREFOX_ID]);
            profile.home().join(".mozilla/native-messaging-hosts")
        }
    };
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(format!("{NAME}.json")), manifest.to_string())?;
    Ok(())
}

/// Sends every frame back until the browser closes the input.
pub fn serve() -> Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut frame = vec![0; u32::from_ne_bytes(length).try_into()?];
        input.read_exact(&mut frame).context("a frame ends early")?;
        output.write_all(&length)?;
        output.write_all(&frame)?;
        output.flush()?;
    }
    Ok(())
}
