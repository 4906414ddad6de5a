//! The inspector's panel as a page of its own: what a person sees there, and does.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    browser::{Browser, Key, Page},
    directories,
    pages::accessible,
};

/// The panel in a tab.
pub struct Panel<'browser> {
    /// Its page.
    pub page: Page<'browser>,
}

impl<'browser> Panel<'browser> {
    /// Opens the panel that inspects the tab with this address.
    pub fn of(browser: &'browser Browser, url: &str) -> Result<Self> {
        let panel = Self::open(browser, "")?;
        let tab = panel.page.evaluate(&format!(
            "chrome.tabs.query({{}}).then((tabs) => tabs.find((tab) => tab.url === {url:?})?.id)"
        ))?;
        let tab = tab.as_i64().context("the tab is not there")?;
        panel
            .page
            .navigate(&browser.extension_url(&format!("ui/panel.html?tab={tab}")))?;
        panel.ready()?;
        Ok(panel)
    }

    /// Opens the panel with these parameters.
    pub fn open(browser: &'browser Browser, parameters: &str) -> Result<Self> {
        let page = browser.open(&browser.extension_url(&format!("ui/panel.html{parameters}")))?;
        let panel = Self { page };
        panel.ready()?;
        Ok(panel)
    }

    fn ready(&self) -> Result<()> {
        self.page
            .wait_for("document.querySelector('.health .chip') !== null")
    }

    /// Waits until an expression holds, in which `$` is `querySelector` and `$$` all that fit.
    pub fn wait_for(&self, condition: &str) -> Result<()> {
        let waited = self.page.wait_for(&with_selectors(condition));
        if waited.is_err() {
            // The picture shows what there was instead.
            self.picture("failed")?;
            let shown = self.text("body")?;
            return waited.with_context(|| format!("{condition}; the panel shows: {shown}"));
        }
        waited
    }

    /// Evaluates such an expression.
    pub fn evaluate(&self, expression: &str) -> Result<Value> {
        self.page.evaluate(&with_selectors(expression))
    }

    /// The text of the first element that fits; its white space is one space.
    pub fn text(&self, selector: &str) -> Result<String> {
        let text = self.evaluate(&format!("$({selector:?})?.textContent ?? ''"))?;
        let text = text.as_str().context("text is a string")?;
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Presses the first element that fits.
    pub fn click(&self, selector: &str) -> Result<()> {
        self.evaluate(&format!("$({selector:?}).click()")).map(drop)
    }

    /// Presses the button with this text.
    pub fn press(&self, text: &str) -> Result<()> {
        self.evaluate(&format!(
            "$$('button').find((button) => button.textContent.trim() === {text:?}).click()"
        ))
        .map(drop)
    }

    /// Writes into a field, as if all of it were typed at once.
    pub fn write(&self, selector: &str, text: &str) -> Result<()> {
        self.evaluate(&format!(
            "(($({selector:?}).value = {text:?}), $({selector:?}).dispatchEvent(new InputEvent('input', {{ bubbles: true }})), undefined)"
        ))
        .map(drop)
    }

    /// Writes a filter.
    pub fn filter(&self, text: &str) -> Result<()> {
        self.write("#search", text)
    }

    /// Opens a file of this name as a recording.
    pub fn import(&self, name: &str, text: &str) -> Result<()> {
        self.evaluate(&format!(
            "(() => {{ const files = new DataTransfer(); files.items.add(new File([{text:?}], {name:?})); \
             const input = $('.file'); input.files = files.files; input.dispatchEvent(new Event('change')); }})()"
        ))
        .map(drop)
    }

    /// The events in sight: operation, store and key of each.
    pub fn lines(&self) -> Result<Vec<String>> {
        let lines = self.evaluate(
            "$$('.row').map((row) => ['.op', '.store', '.key'].map((part) => row.querySelector(part).textContent).join(' '))",
        )?;
        Ok(serde_json::from_value(lines)?)
    }

    /// Waits until so many events are listed as in sight.
    pub fn wait_for_lines(&self, count: usize) -> Result<()> {
        self.wait_for(&format!("$$('.row').length === {count}"))
    }

    /// Takes what an element copies when the Enter key presses it: browsers let only a person's
    /// doing copy.
    pub fn copied(&self, selector: &str) -> Result<String> {
        self.evaluate(&format!(
            "((window.copied = null), addEventListener('copy', (event) => (window.copied = event.target.value), {{ once: true }}), $({selector:?}).focus())"
        ))?;
        self.page.press(Key::Enter)?;
        self.wait_for("window.copied !== null")?;
        let copied = self.evaluate("window.copied")?;
        Ok(copied.as_str().context("a text")?.to_owned())
    }

    /// Makes the panel dark or light, regardless of the system's theme.
    pub fn theme(&self, theme: &str) -> Result<()> {
        self.evaluate(&format!(
            "void (document.documentElement.dataset.theme = {theme:?})"
        ))
        .map(drop)
    }

    /// Waits until nothing is wider than the window.
    pub fn fits(&self) -> Result<()> {
        self.wait_for(
            "document.documentElement.scrollWidth <= innerWidth && $$('header, .toolbar, .chips, .columns, .row, section').every((part) => part.getBoundingClientRect().right <= innerWidth + 0.5)",
        )
    }

    /// Makes sure that axe-core has nothing serious to say, in both themes.
    pub fn accessible(&self) -> Result<()> {
        for theme in ["light", "dark"] {
            self.theme(theme)?;
            accessible(&self.page).context(theme)?;
        }
        Ok(())
    }

    /// Keeps pictures in both themes under `target/panel/`, for people to look at.
    pub fn picture(&self, name: &str) -> Result<()> {
        let directory = pictures()?;
        for theme in ["light", "dark"] {
            self.theme(theme)?;
            let path = directory.join(format!("{name}-{theme}.png"));
            fs::write(path, self.page.screenshot()?)?;
        }
        Ok(())
    }
}

/// Where pictures are kept.
pub fn pictures() -> Result<PathBuf> {
    let root = directories::tests_directory()
        .parent()
        .context("the tests lie in the tree")?;
    let directory = root.join("target/panel");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn with_selectors(expression: &str) -> String {
    format!(
        "(($, $$) => ({expression}))((selector) => document.querySelector(selector), (selector) => [...document.querySelectorAll(selector)])"
    )
}
