// Where this document is: what decides whose databases it has, as far as only its own process can say.
//
// For the isolated world, where `window` and `location` are the browser's own and the page can change neither. What follows from
// it is decided in one place, `background/identity.rs`.

/**
 * The origins of the documents around this one, from its parent to the top; "null" for one that is not named.
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
 * The origin of a window that this document may look into, which are those of its own origin. `document.domain` may let it look
 * into others; their `origin` stays what it was.
 * @param {Window} other
 */
function readableOrigin(other) {
  try {
    return other.origin;
  } catch {
    return undefined;
  }
}

/**
 * Whether the document's databases are thrown away with it, because it or a document around it is in a credentialless frame
 * (https://wicg.github.io/anonymous-iframe/) or in a fenced one (https://wicg.github.io/fenced-frame/).
 */
function isEphemeral() {
  const { credentialless, fence } = /** @type {any} */ (window);
  return credentialless === true || (fence ?? null) !== null;
}

/** `protocol::message::Place`. Taken before a script of the page runs: later, `document.domain` may hide ancestors. */
export const place = { ancestors: ancestorOrigins(), ephemeral: isEphemeral() };
