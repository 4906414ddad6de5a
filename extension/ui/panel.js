import init, { open_panel } from "../panel/panel.js";

// What runs in a page has to be JavaScript: reads one record in the isolated world of the inspected tab.
globalThis.readRecord = async (tabId, read) => {
  const target = { tabId, allFrames: true };
  await chrome.scripting.executeScript({ target, func: (read) => void (globalThis.idbRelayRead = read), args: [read] });
  // Absolute: Chromium resolves it from the extension's root, Firefox from this page.
  await chrome.scripting.executeScript({ target, files: ["/page/peek.js"] });
  const answers = await chrome.scripting.executeScript({ target, func: () => globalThis.idbRelayRecords });
  return answers.map(({ result }) => result).find((result) => typeof result === "string");
};

await init({ module_or_path: chrome.runtime.getURL("panel/panel_bg.wasm") });
open_panel();
