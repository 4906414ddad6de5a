//! Real browsers behind one type.
//!
//! Chromium speaks the DevTools protocol, Firefox WebDriver BiDi: both are `{id, method, params}`
//! over a WebSocket, so one client ([`rpc`]) serves both and no driver program has to be installed.
//! A [`Profile`] outlives the [`Browser`] that runs on it, so that a killed browser can be started
//! again on the same data.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    process::Process,
    wait::{self, PATIENCE, Seen},
};

mod chromium;
mod firefox;
mod rpc;
mod starts;

/// Which browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Chromium.
    Chromium,
    /// Firefox ESR.
    Firefox,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Chromium, Self::Firefox];

    /// The program to start: Debian's, unless the environment names another.
    fn program(self) -> OsString {
        let (variable, program) = match self {
            Self::Chromium => ("IDB_RELAY_LAB_CHROMIUM", "chromium"),
            Self::Firefox => ("IDB_RELAY_LAB_FIREFOX", "firefox-esr"),
        };
        env::var_os(variable).unwrap_or_else(|| program.into())
    }

    /// The name used on command lines and for directories.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("there are chromium and firefox, not {name:?}"))
    }
}

/// A key that a test presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// One that writes a character.
    Character(char),
    /// Arrow down.
    Down,
    /// Arrow up.
    Up,
    /// End.
    End,
    /// Home.
    Home,
    /// Enter.
    Enter,
    /// Escape.
    Escape,
}

/// A private browser profile, with a private home directory around it.
#[derive(Debug)]
pub struct Profile {
    kind: Kind,
    home: tempfile::TempDir,
}

/// How to start a browser.
#[derive(Debug, Default, Clone)]
pub struct Launch {
    /// The unpacked extension to load.
    pub extension: Option<PathBuf>,
    /// Further environment variables, which native hosts inherit.
    pub environment: Vec<(String, String)>,
    /// Whether to show a window; needs a display.
    pub window: bool,
    /// Further arguments of the command line.
    pub arguments: Vec<String>,
}

impl Profile {
    /// A new profile that has seen no page and no extension. Firefox was started once on what it is
    /// a copy of.
    pub fn new(kind: Kind) -> Result<Self> {
        let profile = Self::empty(kind)?;
        if kind == Kind::Firefox {
            firefox::fill(&profile.directory())?;
        }
        Ok(profile)
    }

    /// A new profile with nothing in it, as a browser that was just installed has it.
    pub fn empty(kind: Kind) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("idb-relay-lab-").tempdir()?;
        fs::create_dir(home.path().join("profile"))?;
        Ok(Self { kind, home })
    }

    /// Which browser it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The browser's `$HOME`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The profile (Firefox) or user data directory (Chromium).
    pub fn directory(&self) -> PathBuf {
        self.home.path().join("profile")
    }

    /// Prescribes a managed policy for the extension: for browsers on this profile only, nothing of
    /// the machine is touched. `false` if the machine does not let us (Chromium looks in one
    /// directory for all its users, and gets one of its own here).
    pub fn prescribe(&self, policy: &Value) -> Result<bool> {
        match self.kind {
            Kind::Chromium => chromium::prescribe(self, policy),
            Kind::Firefox => firefox::prescribe(self, policy).map(|()| true),
        }
    }

    /// Sets one of Firefox's preferences for all later starts on this profile.
    pub fn set_preference(&self, name: &str, value: &Value) -> Result<()> {
        ensure!(self.kind == Kind::Firefox, "only Firefox has preferences");
        firefox::set_preference(self, name, value)
    }

    /// Starts the browser on this profile.
    pub fn start(&self, launch: &Launch) -> Result<Browser> {
        let started = Instant::now();
        let (process, driver): (Process, Box<dyn Driver>) = match self.kind {
            Kind::Chromium => chromium::start(self, launch)?,
            Kind::Firefox => firefox::start(self, launch)?,
        };
        starts::note(self.kind, false, started.elapsed());
        Ok(Browser {
            kind: self.kind,
            started,
            process,
            driver: Mutex::new(driver),
        })
    }

    /// A command with the environment that both browsers share.
    fn command(&self, launch: &Launch) -> Command {
        let mut command = match self.kind {
            Kind::Chromium => chromium::program(self),
            Kind::Firefox => Command::new(self.kind.program()),
        };
        command
            .env("HOME", self.home())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_DATA_HOME")
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .args(&launch.arguments);
        // Without it X11 clients look for it in the home directory, which is not the user's here.
        if env::var_os("XAUTHORITY").is_none()
            && let Some(home) = env::var_os("HOME")
        {
            command.env("XAUTHORITY", Path::new(&home).join(".Xauthority"));
        }
        command
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("browser.log")
    }
}

/// What the two protocols have to offer. Pages are named by the protocol's own identifier.
trait Driver: Send {
    /// Opens a tab on a URL and waits for its `load`.
    fn open(&mut self, url: &str) -> Result<String>;
    /// The same in a private window.
    fn open_private(&mut self, url: &str) -> Result<String>;
    /// The same in a tab of a new container, where the browser has them.
    fn open_in_container(&mut self, url: &str) -> Result<String>;
    /// Loads a URL in a tab and waits for its `load`.
    fn navigate(&mut self, page: &str, url: &str) -> Result<()>;
    /// Reloads a tab and waits for its `load`.
    fn reload(&mut self, page: &str) -> Result<()>;
    /// Closes a tab.
    fn close(&mut self, page: &str) -> Result<()>;
    /// Brings a tab to the front.
    fn activate(&mut self, page: &str) -> Result<()>;
    /// Evaluates an expression that yields a string or a promise of one.
    fn evaluate(&mut self, page: &str, expression: &str) -> Result<String>;
    /// Makes the page think its window has this size, in pixels.
    fn resize(&mut self, page: &str, width: u32, height: u32) -> Result<()>;
    /// Ends the process of a tab, which crashes or is killed.
    fn crash(&mut self, page: &str) -> Result<()>;
    /// Does what a person does in the developer tools, in Chromium.
    fn devtools(&mut self, page: &str, method: &str, params: &Value) -> Result<()>;
    /// Presses a key and lets it go, as a keyboard does; `control` is held meanwhile.
    fn press(&mut self, page: &str, key: Key, control: bool) -> Result<()>;
    /// Runs a script in the page that opens a dialog, and waits until it is open.
    fn open_dialog(&mut self, page: &str, script: &str) -> Result<()>;
    /// Closes the dialog that is open in a tab.
    fn close_dialog(&mut self, page: &str) -> Result<()>;
    /// The visible part of the tab as PNG, in base64.
    fn screenshot(&mut self, page: &str) -> Result<String>;
    /// How many content scripts idb-relay's extension has registered.
    fn registered_scripts(&mut self) -> Result<u64>;
    /// What distinguishes the background of idb-relay's extension from that of another version;
    /// `None` while none runs.
    fn running_background(&mut self) -> Result<Option<String>>;
    /// Ends the background of idb-relay's extension, as browsers do when it rests; whether one was
    /// running.
    fn end_background(&mut self) -> Result<bool>;
    /// Evaluates in the background of idb-relay's extension an expression that yields a string or a
    /// promise of one; `None` where only pages of the extension reach it.
    fn evaluate_in_background(&mut self, expression: &str) -> Result<Option<String>>;
    /// Asks the browser to end.
    fn quit(&mut self) -> Result<()>;
}

/// A running browser. Dropping it kills it.
pub struct Browser {
    kind: Kind,
    started: Instant,
    process: Process,
    driver: Mutex<Box<dyn Driver>>,
}

impl Browser {
    /// Which browser it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Opens a tab and waits until the page is loaded.
    pub fn open(&self, url: &str) -> Result<Page<'_>> {
        let id = self
            .driver()
            .open(url)
            .with_context(|| format!("cannot open {url}"))?;
        Ok(Page { browser: self, id })
    }

    /// Opens the page in a private window.
    pub fn open_private(&self, url: &str) -> Result<Page<'_>> {
        let id = self
            .driver()
            .open_private(url)
            .with_context(|| format!("cannot open {url} in a private window"))?;
        Ok(Page { browser: self, id })
    }

    /// Opens the page in a tab of a new container. Only Firefox has containers.
    pub fn open_in_container(&self, url: &str) -> Result<Page<'_>> {
        let id = self
            .driver()
            .open_in_container(url)
            .with_context(|| format!("cannot open {url} in a container"))?;
        Ok(Page { browser: self, id })
    }

    /// Waits until idb-relay's extension has registered its page scripts: pages opened from then on
    /// are captured from their first script on.
    pub fn ready_to_capture(&self) -> Result<()> {
        wait::until("the extension to register its page scripts", PATIENCE, || {
            Ok(match self.driver().registered_scripts()? {
                0 => Seen::Not("none".to_owned()),
                _ => Seen::Ready(()),
            })
        })
    }

    /// Notes for the table of `cargo xtask test` how long it took from the start until pages are
    /// captured.
    pub(crate) fn note_ready(&self) {
        starts::note(self.kind, true, self.started.elapsed());
    }

    /// Ends the background of idb-relay's extension, as the browser does when it has rested for a
    /// while.
    pub fn end_background(&self) -> Result<()> {
        self.end_running_background().map(drop)
    }

    /// What distinguishes the background that runs from that of another version of the extension;
    /// `None` while none runs.
    pub fn running_background(&self) -> Result<Option<String>> {
        self.driver().running_background()
    }

    /// Ends the background; whether one was running.
    pub fn end_running_background(&self) -> Result<bool> {
        self.driver()
            .end_background()
            .context("cannot end the extension's background")
    }

    /// The background of idb-relay's extension, to be called into.
    pub fn background(&self) -> Result<Background<'_>> {
        let page = match self.kind {
            Kind::Chromium => None,
            Kind::Firefox => Some(self.open(&self.extension_url("ui/options.html"))?),
        };
        Ok(Background { browser: self, page })
    }

    /// The address of one of the extension's own pages.
    pub fn extension_url(&self, path: &str) -> String {
        match self.kind {
            Kind::Chromium => format!("chrome-extension://{}/{path}", chromium::EXTENSION),
            Kind::Firefox => format!("moz-extension://{}/{path}", firefox::ADDRESS),
        }
    }

    /// Closes it as a user does, and waits for its end.
    pub fn quit(mut self) -> Result<()> {
        self.driver().quit()?;
        self.process.wait_or_kill()
    }

    /// Kills all its processes at once.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }

    /// Whether its window was closed or it ended otherwise.
    pub fn ended(&mut self) -> Result<bool> {
        Ok(self.process.exit_status()?.is_some())
    }

    fn driver(&self) -> MutexGuard<'_, Box<dyn Driver>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The background of the extension.
pub struct Background<'browser> {
    browser: &'browser Browser,
    /// A page of the extension that reaches it, where the protocol does not.
    page: Option<Page<'browser>>,
}

impl Background<'_> {
    /// Calls a JavaScript function with the background's global object, awaits it, and returns it
    /// as JSON (`undefined` as `null`).
    pub fn call(&self, function: &str) -> Result<Value> {
        if let Some(page) = &self.page {
            return page.evaluate(&format!("chrome.runtime.getBackgroundPage().then({function})"));
        }
        let wrapped = format!("(async () => JSON.stringify((await ({function}\n)(globalThis)) ?? null))()");
        let text = self
            .browser
            .driver()
            .evaluate_in_background(&wrapped)
            .with_context(|| format!("the background called {}", shown(function)))?
            .context("the background is out of reach")?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// Has the background call a JavaScript function, too, with each message that a document sends
    /// from now on: with its global object, the port, and the message, a `FromBridge` or what
    /// carries bodies (`protocol::wire`).
    pub fn observe_documents(&self, function: &str) -> Result<()> {
        self.call(&format!(
            "(background) => {{
                const observe = {function};
                background.chrome.runtime.onConnect.addListener((port) => {{
                    if (!port.name.startsWith('bridge')) return;
                    port.onMessage.addListener((message) => {{
                        observe(background, port, typeof message === 'string' ? JSON.parse(message) : message);
                    }});
                }});
            }}"
        ))?;
        Ok(())
    }
}

/// A tab.
pub struct Page<'browser> {
    browser: &'browser Browser,
    id: String,
}

impl Page<'_> {
    /// Which browser shows it.
    pub fn kind(&self) -> Kind {
        self.browser.kind
    }

    /// Evaluates a JavaScript expression in the page's world, awaits it, and returns it as JSON
    /// (`undefined` as `null`). What it throws becomes the error.
    pub fn evaluate(&self, expression: &str) -> Result<Value> {
        let wrapped = format!("(async () => JSON.stringify((await ({expression}\n)) ?? null))()");
        let text = self
            .browser
            .driver()
            .evaluate(&self.id, &wrapped)
            .with_context(|| format!("{} evaluated {}", self.browser.kind.name(), shown(expression)))?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// Waits until an expression is true. While the page is between documents nothing can be
    /// evaluated, and nothing is true.
    pub fn wait_for(&self, condition: &str) -> Result<()> {
        wait::until(condition, PATIENCE, || {
            Ok(match self.evaluate(condition) {
                Ok(Value::Bool(true)) => Seen::Ready(()),
                Ok(other) => Seen::Not(other.to_string()),
                Err(error) => Seen::Not(format!("{error:#}")),
            })
        })
    }

    /// Loads another URL.
    pub fn navigate(&self, url: &str) -> Result<()> {
        self.browser.driver().navigate(&self.id, url)
    }

    /// Loads it again.
    pub fn reload(&self) -> Result<()> {
        self.browser.driver().reload(&self.id)
    }

    /// Brings the tab to the front: one behind another draws no frames.
    pub fn activate(&self) -> Result<()> {
        self.browser.driver().activate(&self.id)
    }

    /// Closes the tab.
    pub fn close(self) -> Result<()> {
        self.browser.driver().close(&self.id)
    }

    /// Makes the page think its window has this size, in pixels.
    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.browser.driver().resize(&self.id, width, height)
    }

    /// Presses a key and lets it go, as a keyboard does.
    pub fn press(&self, key: Key) -> Result<()> {
        self.browser.driver().press(&self.id, key, false)
    }

    /// The same with the control key held.
    pub fn press_with_control(&self, key: Key) -> Result<()> {
        self.browser.driver().press(&self.id, key, true)
    }

    /// Ends the process of the tab, which crashes or is killed.
    pub fn crash(self) -> Result<()> {
        self.browser.driver().crash(&self.id)
    }

    /// Does what a person does in the developer tools, in Chromium: a command of their protocol.
    pub fn devtools(&self, method: &str, params: &Value) -> Result<()> {
        self.browser.driver().devtools(&self.id, method, params)
    }

    /// Runs a script that opens a dialog, such as an `alert`, and waits until it is open. The
    /// script goes on when the dialog is closed.
    pub fn open_dialog(&self, script: &str) -> Result<()> {
        let behind_the_answer = format!("void setTimeout(() => {{ {script} }})");
        self.browser.driver().open_dialog(&self.id, &behind_the_answer)
    }

    /// Closes the dialog.
    pub fn close_dialog(&self) -> Result<()> {
        self.browser.driver().close_dialog(&self.id)
    }

    /// The visible part as PNG.
    pub fn screenshot(&self) -> Result<Vec<u8>> {
        use base64::Engine as _;
        let text = self.browser.driver().screenshot(&self.id)?;
        Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
    }
}

/// The beginning of an expression, for error messages.
fn shown(expression: &str) -> &str {
    let end = expression
        .char_indices()
        .nth(200)
        .map_or(expression.len(), |(end, _)| end);
    &expression[..end]
}
