// The page hook: observes every IndexedDB write of this document, and tells the bridge of each
// transaction that committed.
//
// Runs in the page's own world before its scripts. Invariants: the native method runs first and its
// outcome is the page's own; nothing here throws into the page, holds policy, or can be seen by it.
// A write costs one encoding and one record in a list: no request of ours, no listener of its own;
// its success is read when the transaction completes, and so is its key, unless that is an object
// (`writes.js`).

import { meetBridge } from "./channel_end.js";
import { observeAll } from "./observe_all.js";

try {
  if (meetBridge()) observeAll();
} catch {
  // The window is older than the document (a frame's), and the page that opened it has changed the
  // built-ins that we set up with.
}
