// One delivery: a body with its number, and what else is known of it on its way.

import { MARK } from "../shared/channel.js";
import { databaseText, gapText, storeNameText } from "../shared/messages.js";

/**
 * @typedef {object} Delivery
 * @property {number} sequence 0 until it is first sent
 * @property {string} body a `protocol::body::Body`, as JSON
 * @property {ArrayLike<Blob> | null} blobs whose bytes the body lacks; they are filled in when it
 * is the delivery's turn
 * @property {string[] | null} stacks of its operations, until it is first sent; null without any
 * @property {boolean} droppable a commit; what is read for the host can be asked for again
 */

/**
 * @param {string} body
 * @param {{ droppable: boolean, blobs?: ArrayLike<Blob> | null, stacks?: string[] | null }} about
 * @returns {Delivery}
 */
export const newDelivery = (body, { droppable, blobs = null, stacks = null }) => ({
  sequence: 0,
  body,
  blobs,
  stacks,
  droppable,
});

/**
 * A gap: these stores are to be read again, each named once.
 * @param {string} reason
 * @param {string[]} stores `protocol::body::StoreName`s, as JSON; all stores are meant if there
 * are none
 */
export const newGap = (reason, stores) =>
  newDelivery(gapText(reason, `[${[...new Set(stores)]}]`), { droppable: true });

/** @param {Delivery[]} deliveries */
export const unitsOf = (deliveries) => deliveries.reduce((units, { body }) => units + body.length, 0);

/**
 * A text without what is missing in it.
 * @param {string} text
 */
export const withoutBlobs = (text) => text.replaceAll(MARK, "");

/**
 * The stores that a body has to do with, as JSON each; none for a body that the page made itself.
 * @param {string} body
 * @returns {string[]}
 */
export function storesOf(body) {
  try {
    return storesIn(JSON.parse(withoutBlobs(body)));
  } catch {
    return [];
  }
}

/**
 * @param {any} body
 * @returns {string[]}
 */
function storesIn({ commit, gap }) {
  if (gap) return gap.stores.map((/** @type {object} */ store) => JSON.stringify(store));
  // A deleted database: the store list that follows a gap finds it gone.
  if (!commit) return [];
  const place = databaseText(commit.bucket, commit.database);
  return commit.operations.map((/** @type {Record<string, { store: string }>} */ operation) =>
    storeNameText(place, JSON.stringify(Object.values(operation)[0].store)),
  );
}

/**
 * What a JSON text of the hook's says; null if the page made it, and it is no JSON.
 * @param {string} text
 * @returns {any}
 */
export function parseOrNull(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Cuts a text into pieces.
 * @param {string} text
 * @param {number} units the longest piece, in UTF-16 units
 */
export function cut(text, units) {
  const parts = [];
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + units, text.length);
    // Not between the halves of a surrogate pair: half a character is no JSON text.
    if (to < text.length && text.codePointAt(to - 1) !== text.charCodeAt(to - 1)) to -= 1;
    parts.push(text.slice(from, to));
    from = to;
  }
  return parts;
}
