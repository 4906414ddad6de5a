// Keys, key paths and bounds that are objects, as the database has them: engines give the same
// object out again, to the methods of every window, and a page may change what it was given. So
// each is copied before the page can have it, or when it first gets it.

import { encode } from "../shared/encode.js";
import { lowerOf, only, upperOf } from "./idb.js";
import { active } from "./channel_end.js";
import { sealedOff } from "../shared/pristine.js";
import { observeCalls, observeGets } from "./replace.js";

/** @type {WeakMap<object, any>} */
const copies = sealedOff(new WeakMap());

/**
 * Copies a key or a key path that the engine gave out, unless the page had it before and put
 * accessors there: copying would call them.
 * @param {any} given the names of a compound key path are an array of strings, and so a key
 */
export function remember(given) {
  if (!active || isKnown(given) || encode(given, false) === undefined) return;
  copies.set(given, lowerOf(only(given)));
}

/**
 * Whether it is known what a key was when the engine gave it out: it is no object, or was copied.
 * @param {any} given
 */
export const isKnown = (given) => typeof given !== "object" || given === null || copies.has(given);

/**
 * What an object was that the engine gave out as a key or a key path, as far as that is known.
 * @param {any} given
 */
export function asGiven(given) {
  return typeof given === "object" && given !== null ? (copies.get(given) ?? given) : given;
}

/** Copies the key paths of stores when the page asks for them. */
export const copyKeyPaths = () => observeGets(IDBObjectStore.prototype, "keyPath", (_store, given) => remember(given));

/** Copies the bounds of ranges when they are made, where the engine gives them out again. */
export function copyBounds() {
  const range = only([]);
  if (lowerOf(range) !== lowerOf(range)) return;
  for (const name of ["only", "lowerBound", "upperBound", "bound"]) {
    observeCalls(IDBKeyRange, name, (_class, range) => {
      try {
        remember(lowerOf(range));
        remember(upperOf(range));
      } catch {
        // No stack is left: what the bounds were is not known then.
      }
    });
  }
}
