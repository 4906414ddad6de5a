// Stores that have to be read again, or compared, since not every write to them is known.

import { bucketOf } from "./buckets.js";
import { databaseOf, lengthOfNames, modeOf, nameAt, nameOfDatabase, scopeOf } from "./idb.js";
import { hand, leaving, wantComparison, wantSurvey } from "./channel_end.js";
import { databaseText, gapText, storeNameText } from "../shared/messages.js";
import { indexOf, isWellFormed, keysOf, MAX_NAME, parse, stringify } from "../shared/pristine.js";

/**
 * @typedef {Record<string, string>} Names names of stores as JSON, with their key paths; empty
 * where that is not known
 */

/** @returns {Names} */
export const noNames = () => /** @type {any} */ ({ __proto__: null });

/**
 * @param {string[]} names
 * @param {Names} known
 * @param {Names} fresh to which those are added that are not known
 */
export function addNew(names, known, fresh) {
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    if (known[name] === undefined) fresh[name] = "";
  }
}

/**
 * Whether a name can be sent: stores of others are left out.
 * @param {string} name as JSON
 */
export const isSendable = (name) => (name.length <= MAX_NAME && indexOf(name, "\\ud") < 0) || isWellFormed(parse(name));

/**
 * The members that name a database; empty if its name can't be sent. A bucket that is not known is
 * null, which only comparisons understand.
 * @param {IDBDatabase} database
 */
export function placeOf(database) {
  const name = nameOfDatabase(database);
  return isWellFormed(name) ? databaseText(bucketOf(database) ?? null, name) : "";
}

/**
 * Lets some stores of a transaction be read again; if its bucket is not known, all of its scope in
 * every bucket.
 * @param {IDBTransaction} native
 * @param {string} why
 * @param {Names} stores
 * @param {string} place not empty
 */
export function requestResync(native, why, stores, place) {
  if (bucketOf(databaseOf(native)) === undefined) compareScope(native, place);
  else hand(gapText(why, storesText(stores, place)), null, "");
}

/**
 * Lets the stores be compared that a transaction could have written to, unseen by us.
 * @param {IDBTransaction} native
 * @param {string} place
 */
export function compareScope(native, place) {
  // An upgrade may have changed which stores there are. What leaves with the document is for
  // another one, which gets no null.
  if (modeOf(native) === "versionchange" || (leaving && bucketOf(databaseOf(native)) === undefined)) {
    wantSurvey();
    return;
  }
  const scope = scopeOf(native);
  const stores = noNames();
  for (let index = 0; index < lengthOfNames(scope); index++) {
    const name = nameAt(scope, index);
    if (isWellFormed(name)) stores[stringify(name)] = "";
  }
  wantComparison(storesText(stores, place));
}

/**
 * @param {Names} stores
 * @param {string} place
 */
export function storesText(stores, place) {
  const names = keysOf(stores);
  let text = "";
  for (let index = 0; index < names.length; index++) {
    text += (index === 0 ? "" : ",") + storeNameText(place, names[index]);
  }
  return `[${text}]`;
}
