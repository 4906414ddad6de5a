// Absolute paths: Chromium resolves them from the extension's root, Firefox from this page.
chrome.devtools.panels.create("IDB Relay", "/icons/32.png", "/ui/panel.html");
