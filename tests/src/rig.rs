//! Servers, site, relay and profile, put together.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    artifacts,
    browser::{Browser, Kind, Launch, Page, Profile},
    observe::{self, Subscriber},
    relay::{Relay, STREAM},
    servers::{MemcachedServer, RedisServer},
    site::Site,
    wait::{self, PATIENCE, Seen},
};

/// Everything but the browser itself, which comes and goes during a test.
#[derive(Debug)]
pub struct Rig {
    /// The private Redis.
    pub redis: RedisServer,
    /// The private Memcached.
    pub memcached: MemcachedServer,
    /// The site whose origin is captured.
    pub site: Site,
    /// The installed relay.
    pub relay: Relay,
    /// The browser's profile.
    pub profile: Profile,
}

impl Rig {
    /// Sets everything up for one browser.
    pub fn new(kind: Kind) -> Result<Self> {
        Self::of(Profile::new(kind)?, true)
    }

    /// The same, with a configuration that enables no origin.
    pub fn without_consent(kind: Kind) -> Result<Self> {
        Self::of(Profile::new(kind)?, false)
    }

    /// For a browser that was never started before.
    pub fn on_empty_profile(kind: Kind) -> Result<Self> {
        Self::of(Profile::empty(kind)?, true)
    }

    fn of(profile: Profile, consent: bool) -> Result<Self> {
        let redis = RedisServer::start()?;
        let memcached = MemcachedServer::start()?;
        let site = Site::start()?;
        let origins: Vec<String> = consent.then(|| site.origin()).into_iter().collect();
        let relay = Relay::install(&profile, &origins, &redis, &memcached)?;
        Ok(Self {
            redis,
            memcached,
            site,
            relay,
            profile,
        })
    }

    /// Starts the browser with the extension, and waits until the extension is ready.
    pub fn browser(&self) -> Result<Browser> {
        self.browser_in(false)
    }

    /// The same with the extension in another directory.
    pub fn browser_with(&self, extension: &Path) -> Result<Browser> {
        let browser = self.start(extension.to_owned(), false, &[])?;
        browser.ready_to_capture()?;
        Ok(browser)
    }

    /// The same, in a window if asked to.
    pub fn browser_in(&self, window: bool) -> Result<Browser> {
        let browser = self.browser_at_once(window)?;
        browser.ready_to_capture()?;
        browser.note_ready();
        Ok(browser)
    }

    /// Starts the browser with the extension and waits for nothing.
    pub fn browser_at_once(&self, window: bool) -> Result<Browser> {
        self.start(artifacts::extension(self.profile.kind())?, window, &[])
    }

    /// Starts the browser with further arguments on its command line.
    pub fn browser_with_arguments(&self, arguments: &[&str]) -> Result<Browser> {
        let browser = self.start(artifacts::extension(self.profile.kind())?, false, arguments)?;
        browser.ready_to_capture()?;
        Ok(browser)
    }

    fn start(&self, extension: PathBuf, window: bool, arguments: &[&str]) -> Result<Browser> {
        self.profile.start(&Launch {
            extension: Some(extension),
            environment: self.relay.environment(),
            window,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        })
    }

    /// Subscribes to everything that is published from now on.
    pub fn subscribe(&self) -> Result<Subscriber> {
        Subscriber::start(&self.redis)
    }

    /// Waits until the stream holds at least `count` events, and returns all it holds.
    pub fn stream_of(&self, count: usize) -> Result<Vec<observe::Event>> {
        wait::until(&format!("{count} events in the stream"), PATIENCE, || {
            let events = self.stream()?;
            Ok(if events.len() >= count {
                Seen::Ready(events)
            } else {
                Seen::Not(format!("{} events", events.len()))
            })
        })
    }

    /// Waits until Memcached equals the page's IndexedDB, then checks that the stream leads to the
    /// same.
    pub fn settled(&self, page: &Page<'_>) -> Result<Vec<observe::Event>> {
        let records = observe::converged(page, &self.site.origin(), &self.memcached)?;
        wait::until("the stream to lead to the same records", PATIENCE, || {
            let events = self.stream()?;
            Ok(match observe::checks::lead_to(&events, &records) {
                Ok(()) => Seen::Ready(events),
                Err(error) => Seen::Not(format!("{error:#}")),
            })
        })
    }

    /// What the stream holds.
    pub fn stream(&self) -> Result<Vec<observe::Event>> {
        observe::stream(&self.redis, STREAM)
    }
}
