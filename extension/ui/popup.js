import init, { open_popup } from "../wasm/idb_relay.js";

await init({ module_or_path: chrome.runtime.getURL("wasm/idb_relay_bg.wasm") });
await open_popup();
