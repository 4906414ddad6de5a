// What a hook has to tell, in a page or in a worker, as data of the page's origin: a script of the
// page may have made it, so nothing in it is taken to be what it should be.

import { parseOrNull } from "./delivery.js";

/**
 * What a hook has to tell of.
 * @typedef {object} HookListener
 * @property {(text: string, blobs: ArrayLike<Blob> | null, stacks: string[] | null) => void} commit
 * @property {(stores: import("./read_origin.js").Store[]) => void} compare stores may have been
 * written to unseen
 * @property {() => void} survey something changed that only a look at everything can tell
 */

/**
 * @param {string | import("./blobs.js").Marked & { stacks: string }} data see `channel.js`
 * @param {HookListener} listener
 */
export function takeBody(data, listener) {
  const { text, blobs, stacks } = typeof data === "string" ? { text: data, blobs: null, stacks: "" } : data;
  if (typeof text === "string") listener.commit(text, blobs, stacks === "" ? null : stacksIn(stacks));
}

/**
 * @param {unknown} data see `channel.js`
 * @param {HookListener} listener
 */
export function takeStores(data, listener) {
  const stores = typeof data === "string" ? parseOrNull(data) : null;
  if (Array.isArray(stores)) listener.compare(stores);
}

/**
 * Stacks are for a person to look at: what is no list of texts is left out.
 * @param {string} text
 * @returns {string[] | null}
 */
function stacksIn(text) {
  const stacks = parseOrNull(text);
  return Array.isArray(stacks) && stacks.every((stack) => typeof stack === "string") ? stacks : null;
}
