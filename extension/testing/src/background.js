// The extension API as far as the extension's pages use it, with the test at its far end.

const said = [];
const wanted = [];
const listeners = [];

const neverFires = { addListener() {} };

// What a page of the extension finds, with one tab that shows a page at `url`.
export function install(url, id) {
  const tab = { id, url };
  globalThis.chrome = {
    runtime: {
      connect: () => ({
        postMessage: (text) => said.push(text),
        onMessage: { addListener: (listener) => listeners.push(listener) },
        onDisconnect: neverFires,
      }),
      getURL: (path) => path,
    },
    permissions: {
      request: async ({ origins }) => (wanted.push(...origins.map((origin) => `+${origin}`)), true),
      remove: async ({ origins }) => (wanted.push(...origins.map((origin) => `-${origin}`)), true),
    },
    storage: { local: { get: async () => ({ secret: Array(32).fill(7) }) } },
    tabs: { get: async () => tab, query: async () => [tab], onUpdated: neverFires },
  };
}

// Lets the page be one inside DevTools.
export function inspect() {
  const { tabs } = chrome;
  chrome.devtools = {
    inspectedWindow: {
      tabId: 7,
      eval: async (_, told) => told(new URL((await tabs.get()).url).origin),
    },
    network: { onNavigated: neverFires },
    panels: { themeName: "dark", onThemeChanged: neverFires },
  };
}

export const tell = (text) => listeners.forEach((listener) => listener(text));

export const hear = () => said.splice(0);

export const permissions = () => wanted.splice(0);
