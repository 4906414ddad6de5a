// Hooks workers in Firefox: puts the hook in front of a worker's script while that is loaded.
//
// In a captured document a worker's script, and each module that a module worker imports, is asked
// for with a header `Sec-Fetch-Dest: worker`. The bridge of the document names a channel and
// listens on it; then the hook is put in front of the script's first bytes, and the rest passes
// without us. Invariants: nothing else of the script changes; it waits for us for a bounded time,
// then it passes as it is, and its worker is named as not captured.
//
// Only in documents with a bridge is there an answer: the page scripts run where a person, the
// configuration or a policy wants it. Workers of `blob:` and `data:` addresses are not asked for in
// any way that can be seen, shared workers in no tab, and a service worker that is another one with
// each load would be updated without end: what they write is found by comparison.

import { channelIn, originOf } from "./owners.js";
import { startOf } from "./script_start.js";

/** How long a script waits for its document, in milliseconds: that may be busy. */
const PATIENCE = 1000;

/** How often a document that is not reached is asked again, and how long after. */
const MOST_ATTEMPTS = 4;
const ASK_AGAIN = 50;

/** How many bytes of a script are collected to find out whether it is strict. */
const MOST_COLLECTED = 1024 * 1024;

/** The types of scripts (MIME Sniffing, "JavaScript MIME type"). */
const SCRIPT_TYPE = /^\s*(?:text|application)\/(?:x-)?(?:java|ecma|j|live)script/i;

/** Where the match patterns of captured sites are kept: each start adds listeners at once. */
const PATTERNS = "worker_patterns";

const hook = fetch(chrome.runtime.getURL("content/worker_hook.js")).then((answer) => answer.text());
hook.catch(() => {});

/**
 * The workers whose scripts are on their way, by the requests, with the channels that their
 * documents name.
 * @type {Map<string, { url: string, from: string, channel: Promise<string | undefined> }>}
 */
const starting = new Map();

/**
 * Who is asked about a request: its document where the browser names one, not what has come to its
 * place since. Of the requests of workers (for imports, and for workers inside) only the tab is
 * known, the frame is always said to be the top one: all documents of the tab are asked, and the
 * one that knows the worker answers.
 * @param {any} request
 */
const askedAbout = ({ documentId, frameId, frameAncestors }) => {
  if (documentId !== undefined) return { documentId };
  return frameAncestors === undefined ? {} : { frameId };
};

/**
 * A worker runs without a hook: its document names it. If that is gone, or is none whose databases
 * are the origin's own, the tab's documents of this origin do.
 * @param {any} request
 * @param {{ url: string, from: string }} about the worker
 */
async function nameMissed(request, { url, from }) {
  const worker = { url, from, isMissed: true };
  for (const asked of [askedAbout(request), {}]) {
    try {
      if ((await chrome.tabs.sendMessage(request.tabId, { worker }, asked)) === true) return;
    } catch {
      // There is no bridge.
    }
  }
}

/**
 * Asks the bridge of the document for a channel. One that has just begun is not reached at once: a
 * worker may start in its first script.
 * @param {any} request
 * @param {{ from: string }} worker
 * @returns {Promise<string | undefined>} undefined without a bridge
 */
async function askForChannel(request, worker) {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await chrome.tabs.sendMessage(request.tabId, { worker }, askedAbout(request));
      return channelIn(answer, worker.from);
    } catch {
      if (attempt === MOST_ATTEMPTS) return undefined;
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
    }
  }
}

/**
 * @param {{ name: string, value?: string }[]} headers
 * @param {string} wanted
 */
const headerOf = (headers, wanted) => headers.find(({ name }) => name.toLowerCase() === wanted)?.value;

/** @param {any} request whose headers are sent: the document is asked meanwhile. */
function noteRequest(request) {
  const { requestId, tabId, url, documentUrl, incognito, cookieStoreId, requestHeaders } = request;
  if (tabId < 0 || incognito || cookieStoreId !== "firefox-default") return;
  if (headerOf(requestHeaders, "sec-fetch-dest") !== "worker") return;
  // A module is asked for by the worker, a worker's script by the document or the worker around it.
  const isImport = headerOf(requestHeaders, "sec-fetch-mode") !== "same-origin";
  const script = isImport ? documentUrl : url;
  const from = originOf(script);
  // A worker without an address, or without a storage.
  if (from === "null") return;
  const isOfWorker = request.frameAncestors === undefined;
  const worker = { url: script, from, isImport, ...(isOfWorker && { by: documentUrl }) };
  starting.set(requestId, { url: script, from, channel: askForChannel(request, worker) });
}

/** @param {any} request whose answer begins */
async function hookScript(request) {
  const { requestId, statusCode, responseHeaders } = request;
  // A redirection is followed by another request of the same number.
  if (statusCode >= 300 && statusCode < 400) return {};
  const worker = starting.get(requestId);
  starting.delete(requestId);
  if (worker === undefined || statusCode < 200 || statusCode >= 300) return {};
  // A module may import what is no script.
  if (!SCRIPT_TYPE.test(headerOf(responseHeaders, "content-type") ?? "")) return {};
  const missed = () => void nameMissed(request, worker);
  const isOver = new Promise((resolve) => setTimeout(resolve, PATIENCE, null));
  try {
    const ready = await Promise.race([Promise.all([worker.channel, hook]), isOver]);
    if (ready === null) {
      missed();
    } else if (typeof ready[0] === "string") {
      putInFront(requestId, `${ready[1]}(${JSON.stringify(ready[0])},false,true);`, missed);
    } else {
      // The bridge may have come since.
      missed();
    }
  } catch {
    // The request is over, most likely.
    missed();
  }
  return {};
}

/**
 * @param {string} requestId
 * @param {string} call of the hook
 * @param {() => void} missed
 */
function putInFront(requestId, call, missed) {
  const filter = browser.webRequest.filterResponseData(requestId);
  let bytes = new Uint8Array();
  /** How many there are before it is worth looking again. */
  let enough = 0;
  /** @param {boolean} isWhole */
  const look = (isWhole) => {
    if (!isWhole && bytes.length < enough) return;
    enough = 2 * bytes.length;
    const start = startOf(bytes, isWhole);
    if (start === undefined && bytes.length < MOST_COLLECTED) return;
    if (start === undefined) {
      missed();
      filter.write(bytes);
    } else if (bytes.length > 0) {
      filter.write(bytes.slice(0, start.at));
      filter.write(new TextEncoder().encode((start.isStrict ? '"use strict";' : "") + call));
      filter.write(bytes.slice(start.at));
    }
    // The rest passes without us.
    filter.disconnect();
  };
  /** @param {boolean} isWhole */
  const pass = (isWhole) => {
    try {
      look(isWhole);
    } catch {
      missed();
      filter.write(bytes);
      filter.disconnect();
    }
  };
  filter.ondata = ({ data }) => {
    const more = new Uint8Array(data);
    const joined = new Uint8Array(bytes.length + more.length);
    joined.set(bytes);
    joined.set(more, bytes.length);
    bytes = joined;
    pass(false);
  };
  filter.onstop = () => pass(true);
  // What comes now passes as it is, or the request is over.
  filter.onerror = missed;
}

/** @param {any} request that has failed or is done */
const forget = ({ requestId }) => void starting.delete(requestId);

/** @param {string[]} urls match patterns */
function listen(urls) {
  const { webRequest } = browser;
  webRequest.onSendHeaders.removeListener(noteRequest);
  webRequest.onHeadersReceived.removeListener(hookScript);
  webRequest.onErrorOccurred.removeListener(forget);
  webRequest.onCompleted.removeListener(forget);
  if (urls.length === 0) return;
  const scripts = { urls, types: ["script"] };
  webRequest.onSendHeaders.addListener(noteRequest, scripts, ["requestHeaders"]);
  webRequest.onHeadersReceived.addListener(hookScript, scripts, ["blocking", "responseHeaders"]);
  webRequest.onErrorOccurred.addListener(forget, scripts);
  webRequest.onCompleted.addListener(forget, scripts);
}

/** The patterns that page scripts were registered under when this was asked last. */
function patternsKept() {
  try {
    return localStorage.getItem(PATTERNS) ?? "[]";
  } catch {
    // A setting of Firefox denies it.
    return "[]";
  }
}

let patterns = patternsKept();
listen(JSON.parse(patterns));

/** Page scripts were registered, perhaps under other patterns: scripts of their sites are seen. */
globalThis.watchWorkers = async () => {
  const scripts = await chrome.scripting.getRegisteredContentScripts();
  const found = JSON.stringify([...new Set(scripts.flatMap(({ matches }) => matches))].sort());
  if (found === patterns) return;
  patterns = found;
  listen(JSON.parse(found));
  try {
    localStorage.setItem(PATTERNS, found);
  } catch {
    // The next start listens once it has asked.
  }
};
void globalThis.watchWorkers().catch(() => {});
