// Changes of a database's shape: what upgrades do to stores and indexes, and deleted databases.

import { bucketOfFactory, rememberConnection } from "./buckets.js";
import { encode } from "../shared/encode.js";
import {
  generatesKeys,
  isMultiEntry,
  isUnique,
  keyPathOf,
  keyPathOfIndex,
  listen,
  nameOfIndex,
  nameOfStore,
  resultOf,
  storeOfIndex,
  transactionOf,
  transactionOfRequest,
} from "./idb.js";
import { active, hand, leaving, wantSurvey, whenLeaving, writer } from "./channel_end.js";
import {
  changeMember,
  createIndexText,
  createStoreText,
  databaseText,
  DELETE_STORE,
  deleteIndexText,
  deletionText,
  renameIndexText,
  renameStoreText,
} from "../shared/messages.js";
import { isWellFormed, now, sealedOff, stringify } from "../shared/pristine.js";
import { markForResync, known, operationOf, record, writing } from "./transactions.js";

/** @type {WeakMap<IDBDatabase, IDBTransaction>} The upgrades that are under way, or were. */
const upgrades = sealedOff(new WeakMap());

/**
 * A change of a store's shape, in an upgrade.
 * @param {IDBTransaction} native
 * @param {string} name the store's name before the change
 * @param {string} change a `protocol::schema::SchemaChange`
 * @param {IDBObjectStore | null} store
 */
function recordSchema(native, name, change, store) {
  record(writing(native), operationOf("schema", stringify(name), null, changeMember(change)), store);
}

/**
 * What a setter or a method of an upgrade did.
 * @param {"createObjectStore" | "deleteObjectStore" | "createIndex" | "deleteIndex" | "store.name"
 * | "index.name"} method
 * @param {any} self the database, the store or the index
 * @param {any} result of a method
 * @param {string} name the argument, or a setter's old name
 */
export function observeSchema(method, self, result, name) {
  if (!active) return;
  switch (method) {
    case "createObjectStore": {
      const change = createStoreText(encode(keyPathOf(result), true), generatesKeys(result));
      recordSchema(transactionOf(result), nameOfStore(result), change, null);
      break;
    }
    case "deleteObjectStore":
      recordSchema(/** @type {IDBTransaction} */ (upgrades.get(self)), name, DELETE_STORE, null);
      break;
    case "createIndex": {
      if (!isWellFormed(nameOfIndex(result))) break;
      const path = encode(keyPathOfIndex(result), true);
      const change = createIndexText(nameOfIndex(result), path, isUnique(result), isMultiEntry(result));
      recordSchema(transactionOf(self), nameOfStore(self), change, self);
      break;
    }
    case "deleteIndex":
      if (isWellFormed(name)) recordSchema(transactionOf(self), nameOfStore(self), deleteIndexText(name), self);
      break;
    case "store.name": {
      const to = nameOfStore(self);
      // A store whose name cannot be sent has disappeared for every reader of events.
      const change = isWellFormed(to) ? renameStoreText(to) : DELETE_STORE;
      if (to !== name) recordSchema(transactionOf(self), name, change, self);
      // None of its records was sent under the name before.
      if (!isWellFormed(name))
        markForResync(writing(transactionOf(self)), stringify(to), "a store got a name that can be sent");
      break;
    }
    case "index.name": {
      const to = nameOfIndex(self);
      const store = storeOfIndex(self);
      if (to !== name && isWellFormed(name) && isWellFormed(to)) {
        recordSchema(transactionOf(store), nameOfStore(store), renameIndexText(name, to), store);
      }
    }
  }
}

/**
 * Remembers the upgrade that an `open` may lead to: `deleteObjectStore` has no other way to its
 * transaction.
 * @param {IDBFactory} factory
 * @param {IDBOpenDBRequest} request
 */
export function observeOpen(factory, request) {
  if (!active) return;
  rememberConnection(factory, request);
  listen(request, "upgradeneeded", (/** @type {Event} */ event) => {
    if (!event.isTrusted) return;
    const transaction = /** @type {IDBTransaction} */ (transactionOfRequest(request));
    upgrades.set(resultOf(request), transaction);
    if (active) known(transaction);
  });
}

/** How many databases are being deleted. */
let deletions = 0;

// They go although the document gets no event of it any more.
whenLeaving(() => {
  if (deletions > 0) wantSurvey();
});

/**
 * @param {IDBFactory} factory
 * @param {IDBOpenDBRequest} request of a `deleteDatabase`
 * @param {string} name
 */
export function observeDeletion(factory, request, name) {
  if (!active || !isWellFormed(name)) return;
  const bucket = bucketOfFactory(factory);
  const place = bucket === undefined ? "" : databaseText(bucket, name);
  const beganAt = now();
  deletions += 1;
  if (leaving) wantSurvey();
  listen(request, "error", (/** @type {Event} */ event) => {
    if (event.isTrusted) deletions -= 1;
  });
  listen(request, "success", (/** @type {Event} */ event) => {
    if (!event.isTrusted) return;
    deletions -= 1;
    if (!active) return;
    if (place === "") {
      wantSurvey();
      return;
    }
    hand(deletionText(place, writer(), beganAt, now()), null, "");
  });
}
