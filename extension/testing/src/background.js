// The extension API as far as the extension's pages use it. The test plays the background.

const sent = [];
const permissionRequests = [];
const listeners = [];

const silentEvent = { addListener() {} };

// The API for a page of the extension, with one tab that shows a page at `url`.
export function install(url, id) {
  const tab = { id, url };
  globalThis.chrome = {
    runtime: {
      connect: () => ({
        postMessage: (text) => sent.push(text),
        onMessage: { addListener: (listener) => listeners.push(listener) },
        onDisconnect: silentEvent,
      }),
      getURL: (path) => path,
    },
    permissions: {
      request: async ({ origins }) => (permissionRequests.push(...origins.map((origin) => `+${origin}`)), true),
      remove: async ({ origins }) => (permissionRequests.push(...origins.map((origin) => `-${origin}`)), true),
    },
    storage: { local: { get: async () => ({ secret: Array(32).fill(7) }) } },
    tabs: { get: async () => tab, query: async () => [tab], onUpdated: silentEvent },
  };
}

// Adds what a panel inside DevTools has.
export function addDevtools() {
  const { tabs } = chrome;
  chrome.devtools = {
    inspectedWindow: {
      tabId: 7,
      eval: async (_, onResult) => onResult(new URL((await tabs.get()).url).origin),
    },
    network: { onNavigated: silentEvent },
    panels: { themeName: "dark", onThemeChanged: silentEvent },
  };
}

export const deliver = (text) => listeners.forEach((listener) => listener(text));

export const takeSent = () => sent.splice(0);

export const takePermissionRequests = () => permissionRequests.splice(0);
