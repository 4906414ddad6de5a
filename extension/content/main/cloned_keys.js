// Keys and key paths that are objects, as the database has them: a page may change what it was
// given, and engines give the same object out again. So each is copied when the page first gets it.

import { lowerOf, only } from "./idb.js";
import { active } from "./channel_end.js";
import { sealedOff } from "../shared/pristine.js";
import { observeGets } from "./replace.js";

/** @type {WeakMap<object, any>} */
const copies = sealedOff(new WeakMap());

/**
 * @param {any} given a key or a key path; the names of a compound one are an array of strings, and
 * so a key
 */
function remember(given) {
  if (!active || typeof given !== "object" || given === null || copies.has(given)) return;
  copies.set(given, lowerOf(only(given)));
}

/**
 * What an object was that the engine gave out as a key or a key path.
 * @param {any} given
 */
export function asGiven(given) {
  return typeof given === "object" && given !== null ? (copies.get(given) ?? given) : given;
}

/**
 * Copies what an accessor gives to the page.
 * @param {any} owner
 * @param {string} name
 */
export const copyWhatIsGiven = (owner, name) => observeGets(owner, name, (_self, given) => remember(given));
