import "./revive.js";
import init, { open_popup } from "../pages/pages.js";

await init({ module_or_path: chrome.runtime.getURL("pages/pages_bg.wasm") });
await open_popup();
