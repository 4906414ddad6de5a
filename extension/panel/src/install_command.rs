//! The command that registers the host with this browser.

/// The names of browsers: a brand of `navigator.userAgentData` or a part of the user agent, and the
/// name for `idb-relay install --browser`.
const BRANDS: [(&str, &str); 6] = [
    ("Firefox", "firefox"),
    ("Microsoft Edge", "edge"),
    ("Edg/", "edge"),
    ("Brave", "brave"),
    ("Google Chrome", "chrome"),
    ("Chromium", "chromium"),
];

/// The command. `brands`: the brands and the user agent; `platform`: `navigator.platform`.
pub fn install_command(brands: &[String], platform: &str) -> String {
    let browser = BRANDS
        .iter()
        .find(|(brand, _)| brands.iter().any(|known| known.contains(brand)))
        .map_or("all", |(_, browser)| browser);
    let program = if platform.starts_with("Win") {
        "idb-relay.exe"
    } else {
        "idb-relay"
    };
    format!("{program} install --browser {browser}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_browser_has_its_command() {
        let command = |brands: &[&str], platform| {
            let brands: Vec<String> = brands.iter().map(|brand| (*brand).to_owned()).collect();
            install_command(&brands, platform)
        };
        assert_eq!(
            command(&["Not A Brand", "Chromium", "Google Chrome"], "Linux x86_64"),
            "idb-relay install --browser chrome"
        );
        assert_eq!(
            command(&["Chromium", "Microsoft Edge"], "Win32"),
            "idb-relay.exe install --browser edge"
        );
        assert_eq!(
            command(
                &["Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"],
                "Linux x86_64"
            ),
            "idb-relay install --browser firefox"
        );
        assert_eq!(
            command(&["Chromium"], "MacIntel"),
            "idb-relay install --browser chromium"
        );
        assert_eq!(
            command(&["No Such Browser"], ""),
            "idb-relay install --browser all"
        );
    }
}
