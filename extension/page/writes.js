// Writes to stores: what a successful call of `put`, `add`, `delete`, `clear` or of a cursor meant.

import { encode, encodeValue, opaque } from "./encode.js";
import {
  databaseOf,
  errorOf,
  generatesKeys,
  getRecord,
  keyPathOf,
  listen,
  lowerOf,
  lowerOpenOf,
  nameOfStore,
  preventDefault,
  primaryKeyOf,
  resultOf,
  sourceOf,
  split,
  stopImmediatePropagation,
  storeOfIndex,
  targetOf,
  transactionOf,
  upperOf,
  upperOpenOf,
} from "./idb.js";
import { active } from "./outlet.js";
import { sealedOff, stringify } from "./pristine.js";
import { doubt, grow, operationOf, record, transactionFor } from "./transactions.js";

/**
 * @typedef {import("./transactions.js").Operation} Operation
 * @typedef {import("./transactions.js").Transaction} Transaction
 */

/**
 * Takes note of a successful call. Never throws: whatever goes wrong in here concerns this document's copies only.
 * @param {"put" | "add" | "update" | "delete" | "clear" | "cursor.delete"} method
 * @param {any} self the store or the cursor
 * @param {IDBRequest} request
 * @param {any} argument
 */
export function observe(method, self, request, argument) {
  if (!active) return;
  try {
    switch (method) {
      case "put":
      case "add":
        recordValue(method, self, request, argument);
        break;
      case "update":
        recordValue("put", storeOfCursor(self), request, argument);
        break;
      case "delete":
        recordDelete(self, request, argument);
        break;
      case "clear":
        record(transactionFor(self), operationOn(self, "clear", request, ""), self);
        break;
      case "cursor.delete":
        recordKey(storeOfCursor(self), request, primaryKeyOf(self), true);
    }
  } catch {
    // Out of stack or memory. The page goes on; its next snapshot finds the difference.
  }
}

/**
 * @param {IDBObjectStore} store
 * @param {Operation["name"]} name
 * @param {IDBRequest} request
 * @param {string} text
 */
const operationOn = (store, name, request, text) => operationOf(name, stringify(nameOfStore(store)), request, text);

/**
 * `put`, `add` and `cursor.update`; the key is the request's result.
 * @param {"put" | "add"} name
 * @param {IDBObjectStore} store
 * @param {IDBRequest} request
 * @param {any} value
 */
function recordValue(name, store, request, value) {
  const transaction = transactionFor(store);
  const operation = operationOn(store, name, request, "");
  const path = generatesKeys(store) ? keyPathOf(store) : null;
  const encoded = encodeValue(value, false, path === null ? null : linked(path));
  if (encoded === undefined) readBack(store, transaction, operation);
  else operation.content = encoded;
  record(transaction, operation, store);
}

/**
 * A key path of a store that generates keys: always a string.
 * @param {string} path
 */
function linked(path) {
  const names = split(path, ".");
  /** @type {import("./encode.js").KeyPath | null} */
  let link = null;
  for (let index = names.length - 1; index >= 0; index--) link = { name: names[index], next: link };
  return link;
}

/**
 * Our own requests, with what they are to fill in.
 * @type {WeakMap<IDBRequest, { transaction: Transaction, operation: Operation }>}
 */
const readBacks = sealedOff(new WeakMap());
/** @type {WeakMap<IDBDatabase, true>} Connections on which our own requests' events are caught. */
const intercepted = sealedOff(new WeakMap());

/**
 * The value could not be known without running the page's accessors a second time: reads the record in the same transaction,
 * as soon as its key is known.
 * @param {IDBObjectStore} store
 * @param {Transaction} transaction
 * @param {Operation} operation
 */
function readBack(store, transaction, operation) {
  operation.content.text = opaque("Object", "overwritten before it could be read");
  listen(operation.request, "success", (/** @type {Event} */ success) => {
    if (!success.isTrusted) return;
    try {
      const database = databaseOf(transactionOf(store));
      if (!intercepted.has(database)) {
        intercepted.set(database, true);
        listen(database, "success", intercept, true);
        listen(database, "error", intercept, true);
      }
      readBacks.set(getRecord(store, resultOf(operation.request)), { transaction, operation });
    } catch {
      doubt(transaction, operation.store, "the page committed before a value with accessors could be read");
    }
  });
}

/**
 * Takes our own requests' events on their way down, at the connection: neither the transaction nor anyone behind it sees them.
 * @param {Event} event
 */
function intercept(event) {
  const request = targetOf(event);
  const pending = readBacks.get(request);
  if (pending === undefined) return;
  stopImmediatePropagation(event);
  preventDefault(event);
  if (errorOf(request) !== null) return;
  const value = resultOf(request);
  if (value === undefined) return;
  const { transaction, operation } = pending;
  operation.content = encodeValue(value, true, null) ?? operation.content;
  grow(transaction, operation.content.units);
}

/**
 * `delete`, by key or by range.
 * @param {IDBObjectStore} store
 * @param {IDBRequest} request
 * @param {any} query
 */
function recordDelete(store, request, query) {
  const range = rangeText(query);
  if (range === undefined) {
    recordKey(store, request, query, false);
    return;
  }
  record(transactionFor(store), operationOn(store, "delete_range", request, `,"range":${range}`), store);
}

/**
 * `delete(key)` and `cursor.delete`.
 * @param {IDBObjectStore} store
 * @param {IDBRequest} request
 * @param {any} key
 * @param {boolean} fromStore
 */
function recordKey(store, request, key, fromStore) {
  const transaction = transactionFor(store);
  const text = encode(key, fromStore);
  if (text !== undefined) record(transaction, operationOn(store, "delete", request, `,"key":${text}`), store);
  else doubt(transaction, stringify(nameOfStore(store)), "the key of a deletion has accessors");
}

/**
 * @param {any} query
 * @returns {string | undefined}
 */
function rangeText(query) {
  let lower;
  try {
    if (typeof query !== "object") return undefined;
    lower = lowerOf(query);
  } catch {
    return undefined;
  }
  const upper = upperOf(query);
  return (
    "{" +
    (lower === undefined ? "" : `"lower":${encode(lower, true)},`) +
    (upper === undefined ? "" : `"upper":${encode(upper, true)},`) +
    `"lower_open":${lowerOpenOf(query)},"upper_open":${upperOpenOf(query)}}`
  );
}

/**
 * @param {IDBCursor} cursor
 * @returns {IDBObjectStore}
 */
function storeOfCursor(cursor) {
  const source = sourceOf(cursor);
  try {
    return storeOfIndex(source);
  } catch {
    return source;
  }
}
