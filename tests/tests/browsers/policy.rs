//! The extension's own pages load nothing from elsewhere and send nothing there, even if a script
//! of others ran in them.

use anyhow::{Context as _, Result};
use lab::{Rig, browser::Kind};

/// Tries all that a page could do to reach another place, and notes what the policy forbids.
const TRY: &str = r#"
    globalThis.forbidden = new Set();
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) => forbidden.add(effectiveDirective));
    fetch(OUTSIDE).catch(() => {});
    const add = (name, properties) => document.body.append(Object.assign(document.createElement(name), properties));
    add("img", { src: OUTSIDE });
    add("video", { src: OUTSIDE });
    add("iframe", { src: OUTSIDE });
    add("iframe", { src: "options.html" });
    add("script", { src: OUTSIDE });
    add("script", { textContent: "globalThis.ran = true" });
    add("style", { textContent: "body { color: red }" });
    add("base", { href: OUTSIDE });
    new FontFace("elsewhere", `url(${OUTSIDE})`).load().catch(() => {});
    const form = Object.assign(document.createElement("form"), { action: OUTSIDE });
    document.body.append(form);
    try {
        form.submit();
    } catch {
        // How Firefox tells that it is forbidden.
        forbidden.add("form-action");
    }
"#;

const FORBIDDEN: [&str; 9] = [
    "connect-src",
    "img-src",
    "media-src",
    "frame-src",
    "script-src-elem",
    "style-src-elem",
    "base-uri",
    "font-src",
    "form-action",
];

fn extension_pages_reach_no_other_place(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let outside = rig.site.url("/writer/");
    for name in ["ui/options.html", "ui/popup.html", "ui/panel.html"] {
        let page = browser.open(&browser.extension_url(name))?;
        // What the page itself needs is allowed.
        page.wait_for("document.readyState === 'complete' && document.querySelector('button') !== null")?;
        let script = TRY.replace("OUTSIDE", &format!("{outside:?}"));
        page.evaluate(&format!("void (() => {{ {script} }})()"))?;
        for directive in FORBIDDEN {
            page.wait_for(&format!("forbidden.has({directive:?})"))
                .with_context(|| format!("{name}: {directive}"))?;
        }
        page.wait_for("globalThis.ran === undefined")?;
        page.close()?;
    }
    Ok(())
}

lab::in_both_browsers!(extension_pages_reach_no_other_place);
