// Property names in their quoted form, which are kept: most objects of a store have the same ones.

import { sealedOff, stringify } from "./pristine.js";

/**
 * How many property names are kept in their quoted form, and of what length at most: longer ones
 * are data more often than names.
 */
const MAX_NAMES = 4096;
const MAX_KEPT_NAME = 64;

/** @type {Map<string, string>} */
const quotedNames = sealedOff(new Map());

/**
 * A property name as `"name":`.
 * @param {string} name
 */
export function quoted(name) {
  if (name.length > MAX_KEPT_NAME) return stringify(name) + ":";
  let text = quotedNames.get(name);
  if (text === undefined) {
    text = stringify(name) + ":";
    if (quotedNames.size >= MAX_NAMES) quotedNames.clear();
    quotedNames.set(name, text);
  }
  return text;
}
