//! The extension's manifest: `manifests/extension.json` with `manifests/extension.<browser>.json`
//! laid over it, and perhaps one more.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The text of a browser's manifest, with an overlay. Its version is the workspace's.
pub fn manifest(directory: &Path, browser: &str, overlay: Option<&str>) -> Result<String> {
    let mut manifest = read(&directory.join("extension.json"))?;
    for overlay in [Some(browser), overlay].into_iter().flatten() {
        lay_over(
            &mut manifest,
            read(&directory.join(format!("extension.{overlay}.json")))?,
        );
    }
    manifest["version"] = env!("CARGO_PKG_VERSION").into();
    Ok(serde_json::to_string_pretty(&manifest)? + "\n")
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// Members of objects are merged, everything else is replaced (RFC 7396 without its removals).
fn lay_over(base: &mut Value, overlay: Value) {
    match (base, overlay) {
        (Value::Object(base), Value::Object(overlay)) => {
            for (name, value) in overlay {
                lay_over(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, overlay) => *base = overlay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_overlay_adds_members_and_replaces_values() {
        let mut base = json!({"a": {"b": 1, "c": [1]}, "d": 1});
        lay_over(&mut base, json!({"a": {"c": [2], "e": 3}, "d": {"f": 4}}));
        assert_eq!(base, json!({"a": {"b": 1, "c": [2], "e": 3}, "d": {"f": 4}}));
    }
}
