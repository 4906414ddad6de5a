//! The host manifest: where the program is, and which extension may start it.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::InstallError;

const CHROMIUM: (&str, &str) = (
    "manifests/host.chromium.json",
    include_str!("../../../manifests/host.chromium.json"),
);
const FIREFOX: (&str, &str) = (
    "manifests/host.firefox.json",
    include_str!("../../../manifests/host.firefox.json"),
);

/// The manifest's text for a family of browsers.
pub fn host(family: &str, program: &Path) -> Result<String, InstallError> {
    let (file, text) = if family == "firefox" { FIREFOX } else { CHROMIUM };
    let broken = |error: serde_json::Error| InstallError::Template(file, error.to_string());
    let mut manifest: Value = serde_json::from_str(text).map_err(broken)?;
    let path = program
        .to_str()
        .ok_or_else(|| InstallError::Path(program.to_owned()))?;
    manifest["path"] = json!(path);
    if family != "firefox" {
        manifest["allowed_origins"] = json!([format!("chrome-extension://{}/", chromium_id()?)]);
    }
    let mut text = serde_json::to_string_pretty(&manifest).map_err(broken)?;
    text.push('\n');
    Ok(text)
}

/// How a wrapper begins: what tells it from another program's.
pub(crate) const WRAPPER: &str = "#!/bin/sh\n# Written by idb-relay install:";

/// A script that starts the host from inside a Flatpak, outside of it. The host ends with the
/// browser, also one that was killed.
pub fn wrapper(program: &Path) -> Result<String, InstallError> {
    let path = program
        .to_str()
        .ok_or_else(|| InstallError::Path(program.to_owned()))?;
    let quoted = path.replace('\'', r"'\''");
    Ok(format!(
        "{WRAPPER} starts the host outside of this Flatpak's sandbox.\n\
         exec flatpak-spawn --host --watch-bus '{quoted}' \"$@\"\n"
    ))
}

/// The program that a wrapper's text starts.
pub(crate) fn wrapped(text: &str) -> Option<PathBuf> {
    let (_, quoted) = text.split_once(" --watch-bus '")?;
    let (path, _) = quoted.rsplit_once("' \"$@\"")?;
    Some(path.replace(r"'\''", "'").into())
}

const EXTENSION: (&str, &str) = (
    "manifests/extension.chromium.json",
    include_str!("../../../manifests/extension.chromium.json"),
);

/// The extension's id in Chromium, which follows from the public key in its manifest.
pub fn chromium_id() -> Result<String, InstallError> {
    let (file, text) = EXTENSION;
    let manifest: Value =
        serde_json::from_str(text).map_err(|error| InstallError::Template(file, error.to_string()))?;
    let key = manifest["key"]
        .as_str()
        .ok_or_else(|| InstallError::Template(file, "it has no \"key\"".to_owned()))?;
    let key = BASE64
        .decode(key)
        .map_err(|error| InstallError::Template(file, format!("its \"key\" is not base64: {error}")))?;
    Ok(id_of(&key))
}

/// The first 16 bytes of the key's SHA-256, each half byte as a letter from `a` to `p`.
fn id_of(key: &[u8]) -> String {
    Sha256::digest(key)
        .iter()
        .take(16)
        .flat_map(|byte| [byte >> 4, byte & 0xF])
        .map(|half| char::from(b'a' + half))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_32_letters_from_a_to_p() {
        // SHA-256 of nothing starts with e3b0c442 98fc1c14 9afbf4c8 996fb924.
        assert_eq!(id_of(b""), "odlameecjipmbmbejkplpemijjgpljce");
        assert_eq!(chromium_id().expect("a key").len(), 32);
    }

    #[test]
    fn wrapper_says_which_program_it_starts() {
        let program = Path::new("/opt/it's 'mine'/idb-relay");
        let text = wrapper(program).expect("UTF-8");
        assert_eq!(wrapped(&text).as_deref(), Some(program));
        assert_eq!(wrapped("#!/bin/sh\n"), None);
    }

    #[test]
    fn manifests_name_the_program_and_the_extension() {
        let program = Path::new("/opt/a \"b\"/idb-relay");
        for (family, field, allowed) in [
            (
                "firefox",
                "allowed_extensions",
                "idb-relay@idb-relay.dev".to_owned(),
            ),
            (
                "chromium",
                "allowed_origins",
                format!("chrome-extension://{}/", chromium_id().expect("a key")),
            ),
        ] {
            let manifest: Value =
                serde_json::from_str(&host(family, program).expect("a manifest")).expect("JSON");
            assert_eq!(manifest["name"], protocol::HOST_NAME);
            assert_eq!(manifest["path"], json!(program));
            assert_eq!(manifest[field], json!([allowed]));
        }
    }
}
