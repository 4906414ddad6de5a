// The hook in a worker: observes every IndexedDB write of it, and tells the bridge of the document
// that owns the worker.
//
// What is built of it is one expression without line breaks, a function that takes the name of a
// channel and returns whether the worker is hooked. It is called in front of the worker's own
// script. Invariants as of the page hook (`main/hook.js`); and nothing that fails here ends the
// worker's script: the whole function is in a `try` (`xtask/src/build/content.rs`). Where nothing
// but the channel takes its answer, a hook that fails says so on it.

import "./once.js";
import { observeAll } from "../main/observe_all.js";

observeAll();
