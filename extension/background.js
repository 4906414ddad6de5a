// Listens before the WASM is there. Browsers deliver the event that woke the background only to listeners that are added at
// once, and a port's messages only to those that are there when they come: everything is queued for the Rust side in order.

import init, { Background } from "./wasm/idb_relay.js";

/** @type {((background: Background) => void)[] | null} */
let queue = [];
/** @type {Background | undefined} */
let background;
let ports = 0;

/** @param {(background: Background) => void} event */
const hand = (event) => {
  if (queue !== null) queue.push(event);
  else event(/** @type {Background} */ (background));
};

/** Our own pages, as the browser (never they) says. Content scripts have their page's URL. */
const own = chrome.runtime.getURL("");

chrome.runtime.onConnect.addListener((port) => {
  const number = ++ports;
  const { origin, tab, frameId, url } = port.sender;
  const sender = JSON.stringify({
    origin: origin ?? "",
    tab: tab?.id ?? -1,
    frame: frameId ?? -1,
    incognito: tab?.incognito ?? false,
    top: tab?.url ?? null,
    inspector: url?.startsWith(own) ?? false,
  });
  port.onMessage.addListener((text) => hand((to) => to.port_said(number, text)));
  port.onDisconnect.addListener(() => {
    // Chromium wants the reason to be looked at (a page in the back/forward cache, most often).
    void chrome.runtime.lastError;
    hand((to) => to.port_closed(number));
  });
  hand((to) => to.port_opened(number, port, sender));
});

/** How long a page may take to be looked into, in milliseconds: one that is frozen never answers. */
const PATIENCE = 10_000;

/**
 * Asks a page what its databases hold, in its isolated world. What runs there has to be JavaScript.
 * @param {{ tab: number, frame: number | null }} place
 * @param {string} request for `page/peek.js`, as JSON
 * @returns {Promise<string | undefined>}
 */
globalThis.lookInto = async ({ tab: tabId, frame }, request) => {
  const target = frame === null ? { tabId, allFrames: true } : { tabId, frameIds: [frame] };
  const look = async () => {
    // Absolute: Firefox resolves it from this script.
    await chrome.scripting.executeScript({ target, files: ["/page/peek.js"] });
    const func = (/** @type {string} */ request) => globalThis.idbRelayLook(JSON.parse(request));
    const answers = await chrome.scripting.executeScript({ target, func, args: [request] });
    return answers.map(({ result }) => result).find((result) => typeof result === "string");
  };
  return Promise.race([look(), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
};

chrome.permissions.onAdded.addListener(() => hand((to) => to.permissions_changed()));
chrome.permissions.onRemoved.addListener(() => hand((to) => to.permissions_changed()));
chrome.storage.onChanged.addListener((_changes, area) => {
  if (area === "managed") hand((to) => void to.policy_changed());
});

// These wake the background: at the browser's start and after an installation, before any page needs it.
chrome.runtime.onStartup.addListener(() => {});
chrome.runtime.onInstalled.addListener(() => {});
// Until the page scripts are registered, a background that was ended would stay so: any tab that
// loads wakes it.
const wake = () => {};
chrome.tabs.onUpdated.addListener(wake);
/** From now on the page scripts wake it, and other sites' tabs no longer do. */
globalThis.scriptsRegistered = () => chrome.tabs.onUpdated.removeListener(wake);

init({ module_or_path: chrome.runtime.getURL("wasm/idb_relay_bg.wasm") })
  .then(() => Background.start())
  .then((started) => {
    background = started;
    const waiting = queue ?? [];
    queue = null;
    // One that fails takes no other along.
    for (const event of waiting) queueMicrotask(() => event(started));
  })
  .catch((error) => {
    queue = [];
    void chrome.action.setBadgeText({ text: "!" });
    void chrome.action.setTitle({
      title: `idb-relay: The background could not start: ${error}. Switch the extension off and on again.`,
    });
  });
