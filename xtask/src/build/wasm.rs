//! The Rust side of the extension, as WASM with its JavaScript bindings.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;

use crate::{run, sizes};

/// Where rustup knows the target by.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// A module of the extension.
struct Module {
    /// What it is, for a person.
    title: &'static str,
    package: &'static str,
    /// What cargo calls the file.
    library: &'static str,
    /// Its directory in the extension.
    directory: &'static str,
    /// What its files are called there.
    name: &'static str,
    /// Whether a new instance can take the place of one that has trapped.
    renewable: bool,
}

const MODULES: [Module; 3] = [
    Module {
        title: "background",
        package: "idb-relay-extension",
        library: "idb_relay_extension",
        directory: "wasm",
        name: "idb_relay",
        renewable: true,
    },
    Module {
        title: "popup and options",
        package: "idb-relay-pages",
        library: "idb_relay_pages",
        directory: "pages",
        name: "pages",
        renewable: false,
    },
    Module {
        title: "panel",
        package: "idb-relay-panel",
        library: "idb_relay_panel",
        directory: "panel",
        name: "panel",
        renewable: false,
    },
];

/// The packages that the modules are made of.
pub fn packages() -> [&'static str; 3] {
    MODULES.each_ref().map(|module| module.package)
}

/// Builds the modules and their bindings; the directories that hold both.
pub fn build(root: &Path, target: &Path, release: bool) -> Result<Vec<PathBuf>> {
    let profile = if release { "wasm" } else { "dev" };
    let mut cargo = run::cargo(root);
    cargo.args(["build", "--lib"]);
    for module in &MODULES {
        cargo.args(["--package", module.package]);
    }
    cargo.args(["--target", TARGET, "--profile", profile]);
    if release {
        for flag in remapped()? {
            cargo.arg("--config");
            cargo.arg(format!(
                "target.{TARGET}.rustflags=['--remap-path-prefix={flag}=']"
            ));
        }
    }
    run::visibly("Building the extension", cargo)?;
    let built = target.join(TARGET).join(if release { "wasm" } else { "debug" });
    let built = &built;
    let bound: Vec<Bound> = run::step("Making the bindings", || {
        thread::scope(|scope| {
            let modules: Vec<_> = MODULES
                .iter()
                .map(|module| scope.spawn(move || bindings(module, built, target, release)))
                .collect();
            let bound = modules.into_iter().map(|module| {
                let panicked = |_| anyhow!("making the bindings panicked");
                module.join().map_err(panicked).flatten()
            });
            bound.collect::<Result<_>>()
        })
    })?;
    if release {
        let sizes: Vec<_> = MODULES
            .iter()
            .zip(&bound)
            .map(|(module, bound)| (module.title, bound.size))
            .collect();
        sizes::record(root, target, &sizes)?;
    }
    Ok(bound.into_iter().map(|bound| bound.directory).collect())
}

/// A module with its bindings.
struct Bound {
    directory: PathBuf,
    /// In bytes, gzipped.
    size: usize,
}

/// Where cargo keeps its packages: what is shipped names their files without the directories of the
/// machine that built it.
pub(crate) fn remapped() -> Result<Vec<String>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let Some(home) = home.or_else(|| Some(env::home_dir()?.join(".cargo"))) else {
        return Ok(Vec::new());
    };
    let sources = home.join("registry/src");
    if !sources.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    entries
        .map(|entry| Ok(format!("{}/", entry?.path().display())))
        .collect()
}

fn bindings(module: &Module, built: &Path, target: &Path, release: bool) -> Result<Bound> {
    let path = built.join(module.library).with_extension("wasm");
    let bindings = target.join("extension").join(module.directory);
    if bindings.exists() {
        fs::remove_dir_all(&bindings).with_context(|| format!("cannot clear {}", bindings.display()))?;
    }
    let bind = || -> Result<()> {
        let mut bindgen = Bindgen::new();
        bindgen
            .input_path(&path)
            .out_name(module.name)
            .web(true)?
            .typescript(false)
            .reset_state_function(module.renewable)
            // Most of an unoptimised module is for debuggers; every browser that a test starts
            // would read it.
            .keep_debug(false)
            .remove_name_section(release)
            .remove_producers_section(release);
        let mut output = bindgen.generate_output()?;
        if release {
            prune(output.wasm_mut());
        }
        output.emit(&bindings)?;
        parse_markup(&bindings.join(format!("{}.js", module.name)))
    };
    bind().with_context(|| format!("cannot make the bindings of {}", path.display()))?;
    let file = bindings.join(format!("{}_bg.wasm", module.name));
    let file = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let size = if release { sizes::gzipped(&file)? } else { 0 };
    if release {
        run::announce(&format!("{} {} KB gzipped", module.title, size.div_ceil(1000)));
    }
    Ok(Bound {
        directory: bindings,
        size,
    })
}

/// What the bindings of Leptos's fixed pieces of markup do, which Mozilla's linter refuses.
const INNER_HTML: &str = "arg0.innerHTML = getStringFromWasm0(arg1, arg2);";

/// The same by a parser, in whose documents nothing runs and nothing loads. All of the markup is
/// literals of our views.
const PARSED: &str = "const text = getStringFromWasm0(arg1, arg2);
            const parsed = new DOMParser().parseFromString(`<template>${text}</template>`, \"text/html\");
            (arg0.content ?? arg0).replaceChildren(parsed.querySelector(\"template\").content);";

fn parse_markup(bindings: &Path) -> Result<()> {
    let text = fs::read_to_string(bindings)?;
    if text.contains(INNER_HTML) {
        fs::write(bindings, text.replace(INNER_HTML, PARSED))?;
    }
    Ok(())
}

/// Takes out exports that are never called, with all that only they need: Leptos brings the streams
/// of its server functions, which the panel has none of.
fn prune(module: &mut walrus::Module) {
    let exports = module.exports.iter();
    let unused: Vec<_> = exports
        .filter(|export| export.name.contains("intounderlying"))
        .map(walrus::Export::id)
        .collect();
    for export in unused {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(module);
    // For wasm-bindgen, which has read it; browsers do not.
    module.customs.remove_raw("target_features");
}
