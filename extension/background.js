// Listens before the WASM is there. Browsers deliver the event that woke the background only to
// listeners that are added at once, and a port's messages only to those that are there when they
// come: everything is queued for the Rust side in order.

import init, { Background, __wbg_reset_state as renew } from "./wasm/idb_relay.js";
import { DeepCapture } from "./background/deep_capture.js";
import { blame, documentOf, leftOut, mayEnter, restartDelay } from "./background/restart.js";

/** @type {((background: Background) => void)[] | null} */
let queue = [];
/** @type {Background | undefined} */
let background;
let ports = 0;

/**
 * How many instances of the module there were before this one, and whether this one has trapped.
 */
let instances = 0;
let isOver = false;

/** @type {Map<number, chrome.runtime.Port>} The ports that the module knows. */
const connected = new Map();
/** @type {chrome.runtime.Port | undefined} */
let host;

/**
 * Who is being served: a delivery that the module is working on, else the document that has sent
 * something.
 * @type {string | null}
 */
let inHand = null;

/** @param {(background: Background) => void} event */
const hand = (event) => {
  if (queue !== null) queue.push(event);
  else guarded(() => event(/** @type {Background} */ (background)))();
};

/**
 * The module is about to work on this delivery; without a context on none any more.
 * @param {string} context
 * @param {number} sequence
 */
globalThis.idbRelayInHand = (context, sequence) => {
  inHand = context === "" ? null : JSON.stringify([context, sequence]);
};

/**
 * The port to the host, which has to be closed when the module can't do it.
 * @param {string} name
 */
globalThis.idbRelayConnectHost = (name) => (host = chrome.runtime.connectNative(name));

/**
 * Lets nothing but a restart follow an exception that comes out of the module: its own errors are
 * values, so this is a trap. What it was working on is half done then, and is never put right.
 * @param {(...given: any[]) => any} enter
 */
const guarded = (enter) => {
  const instance = instances;
  return (/** @type {any[]} */ ...given) => {
    // What the one before still had to do is over.
    if (instance !== instances) return;
    try {
      return enter(...given);
    } catch (error) {
      restart(error);
    }
  };
};
globalThis.idbRelayGuarded = guarded;

// Its listeners, too, have to be there at once.
const deepCapture = new DeepCapture({
  report: (tab, state) => hand((to) => to.deep_capture_changed(tab, state)),
  documents: () =>
    [...connected.values()].filter(({ name }) => name.startsWith("bridge")).map(({ sender }) => sender ?? {}),
});

/**
 * A person wants the workers of a tab captured as they write, or no more.
 * @param {number} tab
 * @param {boolean} isWanted
 * @returns {Promise<void>}
 */
globalThis.idbRelayDeepCapture = (tab, isWanted) => deepCapture.set(tab, isWanted);

/** @param {any} error */
const isTrap = (error) =>
  error instanceof WebAssembly.RuntimeError || /call stack|too much recursion/.test(error?.message ?? "");

// What the module does later (its promises) is entered by the engine itself.
addEventListener("error", ({ error }) => isTrap(error) && restart(error));
addEventListener("unhandledrejection", ({ reason }) => isTrap(reason) && restart(reason));

/**
 * Starts with a new instance of the module, as after a pause: bridges connect again and send what
 * is not on disk yet.
 * @param {any} error
 */
function restart(error) {
  // An instance traps once; later messages of it are ignored.
  if (isOver) return;
  isOver = true;
  instances += 1;
  console.error(error);
  blame(inHand);
  inHand = null;
  queue = [];
  background = undefined;
  for (const port of [...connected.values(), host]) port?.disconnect();
  connected.clear();
  host = undefined;
  setTimeout(() => {
    isOver = false;
    try {
      renew();
    } catch (error) {
      // No memory for another instance, most likely: there may be some later.
      showFailure(error);
      isFailureShown = true;
      return restart(error);
    }
    if (isFailureShown) showNothing();
    start().catch(couldNotStart);
  }, restartDelay());
}

/**
 * Hands over what a port has said: `protocol::wire::bridge`.
 * @param {Background} to
 * @param {number} port
 * @param {any} message
 */
function passOn(to, port, message) {
  if (typeof message === "string") return to.port_said(port, message);
  // No bridge of ours sends anything else, but a page's process may.
  const { sequence, bodies, index, count, text } = message ?? {};
  if (!Number.isSafeInteger(sequence) || sequence < 0) return;
  if (Array.isArray(bodies)) {
    // Without holes.
    if (Array.from(bodies).every((body) => typeof body === "string")) to.receive_bodies(port, sequence, bodies);
  } else if (typeof text === "string" && typeof index === "number" && typeof count === "number") {
    to.receive_part(port, sequence, index, count, text);
  }
}

/** Our own pages, as the browser (never they) says. Content scripts have their page's URL. */
const own = chrome.runtime.getURL("");

/**
 * The container of a tab; empty for the default one. Only Firefox has containers. A tab whose
 * container it does not name is in none that we know.
 * @param {chrome.tabs.Tab | undefined} tab
 */
function containerOf(tab) {
  const named = tab?.cookieStoreId ?? (own.startsWith("moz-extension:") ? "unknown" : "firefox-default");
  return named === "firefox-default" ? "" : named;
}

chrome.runtime.onConnect.addListener((port) => {
  const number = ++ports;
  const { origin, tab, frameId, url, documentLifecycle } = port.sender;
  const sender = JSON.stringify({
    origin: origin ?? "",
    tab: tab?.id ?? -1,
    frame: frameId ?? -1,
    incognito: tab?.incognito ?? false,
    container: containerOf(tab),
    top: tab?.url ?? null,
    // Chromium alone says so; elsewhere documents are what their tab shows.
    inactive: (documentLifecycle ?? "active") !== "active",
    inspector: url?.startsWith(own) ?? false,
  });
  const ours = url?.startsWith(own) ?? false;
  const blamed = documentOf(port, sender);
  if (!mayEnter(blamed)) {
    port.disconnect();
    // Its tab says so.
    if (!ours) hand((to) => to.document_cut_off(sender));
    return;
  }
  connected.set(number, port);
  // After a restart, what a port that was cut off had said is no longer for anyone.
  const handFromPort = (/** @type {(background: Background) => void} */ event) =>
    hand((to) => {
      if (connected.get(number) === port) event(to);
    });
  port.onMessage.addListener((message) =>
    handFromPort((to) => {
      inHand = ours ? null : blamed;
      passOn(to, number, message);
      inHand = null;
    }),
  );
  port.onDisconnect.addListener(() => {
    // Chromium cuts the port of a page that it puts into the back/forward cache. What the page says
    // of that may not arrive.
    const isCached = chrome.runtime.lastError?.message?.includes("back/forward cache") ?? false;
    connected.delete(number);
    hand((to) => to.port_closed(number, isCached));
  });
  handFromPort((to) => to.port_opened(number, port, sender));
  if (!ours && tab !== undefined) deepCapture.documentOpened(tab.id, frameId ?? 0, origin ?? "");
});

/**
 * How long a page may take to be looked into, in milliseconds: one that is frozen never answers.
 */
const PATIENCE = 10_000;

/**
 * Asks a document what its databases hold, in its isolated world. What runs there has to be
 * JavaScript.
 * @param {{ tab: number, frame: number }} place
 * @param {string} request for `content/inspect.js`, as JSON
 * @returns {Promise<string | undefined>}
 */
globalThis.lookInto = async ({ tab: tabId, frame }, request) => {
  const target = { tabId, frameIds: [frame] };
  const look = async () => {
    // There the databases are others, of the same names.
    const tab = await chrome.tabs.get(tabId);
    if (tab.incognito || containerOf(tab) !== "") return undefined;
    // Absolute: Firefox resolves it from this script.
    await chrome.scripting.executeScript({ target, files: ["/content/inspect.js"] });
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

// These wake the background: at the browser's start and after an installation, before any page
// needs it.
chrome.runtime.onStartup.addListener(() => {});
chrome.runtime.onInstalled.addListener(() => {});
// Until the page scripts are registered, a background that was ended would stay so: any tab that
// loads wakes it.
const wake = () => {};
chrome.tabs.onUpdated.addListener(wake);
/** From now on the page scripts wake it, and other sites' tabs no longer do. */
globalThis.scriptsRegistered = () => {
  chrome.tabs.onUpdated.removeListener(wake);
  // In Firefox: `background/worker_scripts.js`.
  void globalThis.watchWorkers?.();
};

/** Begins with what is stored; what came meanwhile is handed over. */
async function start() {
  const instance = instances;
  const started = await Background.start(JSON.stringify(leftOut()));
  if (instance !== instances) return;
  background = started;
  const waiting = queue ?? [];
  queue = null;
  // One that fails takes no other along.
  for (const event of waiting) queueMicrotask(() => hand(event));
  deepCapture.reportAll();
}

/** @param {any} error */
function couldNotStart(error) {
  queue = [];
  showFailure(error);
}

let isFailureShown = false;

/** What is wrong from now on the module says. */
function showNothing() {
  isFailureShown = false;
  void chrome.action.setBadgeText({ text: "" });
  void chrome.action.setTitle({ title: "idb-relay" });
}

/** @param {any} error */
function showFailure(error) {
  void chrome.action.setBadgeText({ text: "!" });
  void chrome.action.setTitle({
    title: `idb-relay: The background could not start: ${error}. Switch the extension off and on again.`,
  });
}

init({ module_or_path: chrome.runtime.getURL("wasm/idb_relay_bg.wasm") })
  .then(start)
  .catch(couldNotStart);
