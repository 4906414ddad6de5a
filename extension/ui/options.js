import init, { open_options } from "../wasm/idb_relay.js";

await init({ module_or_path: chrome.runtime.getURL("wasm/idb_relay_bg.wasm") });
await open_options();
