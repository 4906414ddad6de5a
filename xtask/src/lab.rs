//! The programs that stand on the test crate: the demo and the benchmarks.

use std::{path::Path, process::Command};

use anyhow::Result;

use crate::{
    Browser, Measure, build,
    machine::{self, Need},
    run,
};

/// Makes a command of the lab find the browsers that are installed here.
pub fn with_browsers(command: &mut Command) {
    for (need, variable) in [
        (Need::Chromium, "IDB_RELAY_LAB_CHROMIUM"),
        (Need::Firefox, "IDB_RELAY_LAB_FIREFOX"),
    ] {
        if let Some(program) = machine::browser(need) {
            command.env(variable, program);
        }
    }
}

/// `cargo xtask demo`
pub fn demo(root: &Path, browser: Browser, headless: bool) -> Result<()> {
    machine::ensure(&[Need::WasmTarget, need(browser), Need::Redis, Need::Memcached])?;
    build::build(root, false)?;
    let mut demo = program(root, "demo", false);
    demo.args(["--browser", browser.name()]);
    if headless {
        demo.arg("--headless");
    }
    run::becoming("Starting the demo", demo)
}

/// `cargo xtask picture`
pub fn picture(root: &Path) -> Result<()> {
    machine::ensure(&[Need::WasmTarget, Need::Chromium, Need::Redis, Need::Memcached])?;
    build::build(root, false)?;
    run::becoming("Taking the pictures", program(root, "picture", false))
}

/// `cargo xtask bench`
pub fn bench(
    root: &Path,
    what: Option<Measure>,
    browser: Option<Browser>,
    events: Option<u64>,
) -> Result<()> {
    let browsers = browser.map_or(vec![Browser::Chromium, Browser::Firefox], |browser| vec![browser]);
    let mut needs = vec![Need::Redis, Need::Memcached];
    if what != Some(Measure::Host) {
        needs.push(Need::WasmTarget);
        needs.extend(browsers.iter().map(|browser| need(*browser)));
    }
    if !matches!(
        what,
        Some(Measure::Latency | Measure::Panel | Measure::Meter | Measure::Start)
    ) {
        needs.push(Need::Node);
    }
    machine::ensure(&needs)?;
    if needs.contains(&Need::Node) {
        packages(root, "tests/peer")?;
    }
    if what == Some(Measure::Host) {
        build::host(root, true)?;
    } else {
        site_packages(root)?;
        build::build(root, true)?;
    }
    let mut bench = program(root, "bench", true);
    match what {
        Some(Measure::Page) => bench.arg("page"),
        Some(Measure::Latency) => bench.arg("latency"),
        Some(Measure::Cost) => bench.arg("cost"),
        Some(Measure::Panel) => bench.arg("panel"),
        Some(Measure::Host) => bench.arg("host"),
        Some(Measure::Meter) => bench.arg("meter"),
        Some(Measure::Start) => bench.arg("start"),
        None => &mut bench,
    };
    for browser in browsers {
        bench.args(["--browser", browser.name()]);
    }
    if let Some(events) = events {
        bench.args(["--events", &events.to_string()]);
    }
    run::becoming("Measuring", bench)
}

/// Installs a directory's npm packages, exactly as its lock file says, unless they are there
/// already.
pub fn packages(root: &Path, directory: &str) -> Result<()> {
    let directory = root.join(directory);
    let lock = directory.join("package-lock.json").metadata()?.modified()?;
    let installed = directory
        .join("node_modules/.package-lock.json")
        .metadata()
        .and_then(|file| file.modified());
    if installed.is_ok_and(|installed| installed >= lock) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(directory);
    run::quietly("Installing npm packages", npm)
}

/// Installs the libraries of the pages under test, and bundles `RxDB`: its modules name others as
/// no browser understands. npm removes the bundle along with the packages that it is made of.
pub fn site_packages(root: &Path) -> Result<()> {
    packages(root, "tests/sites")?;
    let sites = root.join("tests/sites");
    let modules = sites.join("applications/rxdb/library.js");
    let bundle = sites.join("node_modules/.bundles/rxdb.js");
    let modified = modules.metadata()?.modified()?;
    let bundled = bundle.metadata().and_then(|file| file.modified());
    if bundled.is_ok_and(|bundled| bundled >= modified) {
        return Ok(());
    }
    let mut esbuild = Command::new("node");
    esbuild
        .arg(sites.join("node_modules/esbuild/bin/esbuild"))
        .arg(modules)
        .args(["--bundle", "--format=esm", "--log-level=warning"])
        .arg(format!("--outfile={}", bundle.display()))
        .current_dir(sites);
    run::quietly("Bundling RxDB", esbuild)
}

fn need(browser: Browser) -> Need {
    match browser {
        Browser::Chromium => Need::Chromium,
        Browser::Firefox => Need::Firefox,
    }
}

fn program(root: &Path, name: &str, release: bool) -> Command {
    let mut cargo = run::cargo(root);
    cargo.args(["run", "--quiet", "--package", "idb-relay-tests", "--bin", name]);
    if release {
        cargo.arg("--release");
    }
    cargo.arg("--");
    with_browsers(&mut cargo);
    cargo
}
