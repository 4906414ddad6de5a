import "./revive.js";
import init, { open_panel } from "../panel/panel.js";

await init({ module_or_path: chrome.runtime.getURL("panel/panel_bg.wasm") });
open_panel();
