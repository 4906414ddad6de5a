// Which connections are listened to: those on which a transaction may write, for so long.
//
// Chromium does not collect a connection that has listeners, and one that is not collected holds up
// upgrades and deletions until its document ends: a page that forgets its connections must not be
// worse off with us. If the page set one of the usual handlers it is kept anyway; then we stay,
// too, and learn when the browser closes it.

import { listen, unlisten } from "./idb.js";
import { wantSurvey } from "./channel_end.js";
import { getterOf, sealedOff } from "../shared/pristine.js";

/** @type {WeakMap<IDBDatabase, number>} On how many transactions' account. */
const watched = sealedOff(new WeakMap());

const onVersionChange = getterOf(IDBDatabase.prototype, "onversionchange");
const onClose = getterOf(IDBDatabase.prototype, "onclose");

/**
 * @param {Event} event The browser has closed the connection: its data were deleted, most likely.
 */
function closed(event) {
  if (event.isTrusted) wantSurvey();
}

/**
 * @param {IDBDatabase} database
 * @param {(event: Event) => void} ended gets each transaction that ends, before the page if it
 * can
 */
export function watch(database, ended) {
  const others = watched.get(database) ?? 0;
  if (others === 0) {
    listen(database, "complete", ended, true);
    listen(database, "abort", ended, true);
    listen(database, "close", closed);
  }
  watched.set(database, others + 1);
}

/** @type {WeakMap<IDBDatabase, number>} The same for those whose requests' events are observed. */
const observed = sealedOff(new WeakMap());

/**
 * @param {IDBDatabase} database
 * @param {(event: Event) => void} observe gets each request that is done, before the page if it
 * can
 */
export function observeRequests(database, observe) {
  const others = observed.get(database) ?? 0;
  if (others === 0) {
    listen(database, "success", observe, true);
    listen(database, "error", observe, true);
  }
  observed.set(database, others + 1);
}

/**
 * @param {IDBDatabase} database
 * @param {(event: Event) => void} observe
 */
export function stopObserving(database, observe) {
  const others = /** @type {number} */ (observed.get(database)) - 1;
  observed.set(database, others);
  if (others > 0) return;
  unlisten(database, "success", observe, true);
  unlisten(database, "error", observe, true);
}

/**
 * @param {IDBDatabase} database
 * @param {(event: Event) => void} ended
 */
export function unwatch(database, ended) {
  const others = /** @type {number} */ (watched.get(database)) - 1;
  watched.set(database, others);
  if (others > 0 || onVersionChange(database) !== null || onClose(database) !== null) return;
  unlisten(database, "complete", ended, true);
  unlisten(database, "abort", ended, true);
  unlisten(database, "close", closed);
}
