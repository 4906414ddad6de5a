// Where this document is: what decides whose databases it has, as far as only its own process can
// say.
//
// For the isolated world, where `window` and `location` are the browser's own and the page can
// change neither. What follows from it is decided in one place, `background/identity.rs`.

import { getterOf } from "../shared/pristine.js";

/**
 * The origins of the documents around this one, from its parent to the top; "null" for one that is
 * not named.
 * @returns {string[]}
 */
function ancestorOrigins() {
  // A browser may lack the list, or leave out who asked for no referrer.
  const { ancestorOrigins: named } = /** @type {{ ancestorOrigins?: DOMStringList }} */ (location);
  const origins = [];
  for (let at = window; at !== at.parent; at = /** @type {any} */ (at.parent)) {
    origins.push(readableOrigin(at.parent) ?? named?.[origins.length] ?? "null");
  }
  return origins;
}

/**
 * The origin of a window that this document may look into, which are those of its own origin.
 * `document.domain` may let it look into others; their `origin` stays what it was.
 * @param {Window} other
 */
function readableOrigin(other) {
  try {
    // Of another origin's window, a frame in it may have the name.
    const { origin } = other;
    return typeof origin === "string" ? origin : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What an accessor of the window says; undefined where this engine has none, for there an element
 * of the page may have the name.
 * @param {string} name
 */
const askWindow = (name) => getterOf(window, name)?.(window);

/**
 * Whether the document's databases are thrown away with it, because it or a document around it is
 * in a credentialless frame (https://wicg.github.io/anonymous-iframe/) or in a fenced one
 * (https://wicg.github.io/fenced-frame/).
 */
function isEphemeral() {
  return askWindow("credentialless") === true || (askWindow("fence") ?? null) !== null;
}

/**
 * `protocol::wire::bridge::Place`. Taken before a script of the page runs: later, `document.domain`
 * may hide ancestors.
 */
export const place = { ancestors: ancestorOrigins(), ephemeral: isEphemeral() };
