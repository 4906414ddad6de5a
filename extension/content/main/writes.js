// Writes to stores: what a successful call of `put`, `add`, `delete`, `clear` or of a cursor meant.

import { encode, encodeValue } from "../shared/encode.js";
import {
  currentTargetOf,
  databaseOf,
  errorOf,
  generatesKeys,
  getRecord,
  keyPathOf,
  listen,
  lowerOf,
  lowerOpenOf,
  nameOfStore,
  only,
  preventDefault,
  primaryKeyOf,
  resultOf,
  stopImmediatePropagation,
  storeOfCursor,
  targetOf,
  transactionOf,
  unlisten,
  upperOf,
  upperOpenOf,
} from "./idb.js";
import { kindOf } from "../shared/kinds.js";
import { active } from "./channel_end.js";
import { keyMember, rangeMember } from "../shared/messages.js";
import { emptyList, getOwnPropertyDescriptor, hasOwn, isArray, sealedOff, slice, stringify } from "../shared/pristine.js";
import { needStack } from "../shared/stack.js";
import { asGiven } from "./cloned_keys.js";
import { doubt, grow, operationOf, overwritten, record, transactionFor } from "./transactions.js";

/**
 * @typedef {import("./transactions.js").Operation} Operation
 * @typedef {import("./transactions.js").Transaction} Transaction
 */

/**
 * Takes note of a successful call.
 * @param {"put" | "add" | "update" | "delete" | "clear" | "cursor.delete"} method
 * @param {any} self the store or the cursor
 * @param {IDBRequest} request
 * @param {any} argument
 * @param {any} [key] the second argument
 */
export function observe(method, self, request, argument, key) {
  if (!active) return;
  switch (method) {
    case "put":
    case "add":
      recordValue(method, self, request, argument, key);
      break;
    case "update":
      recordValue("put", storeOfCursor(self), request, argument, asGiven(primaryKeyOf(self)));
      break;
    case "delete":
      recordDelete(self, request, argument);
      break;
    case "clear":
      record(transactionFor(self), operationOn(self, "clear", request, ""), self);
      break;
    case "cursor.delete":
      recordKey(storeOfCursor(self), request, asGiven(primaryKeyOf(self)));
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
 * `put`, `add` and `cursor.update`. A key that is a number or a string is the request's result,
 * asked for at `complete`; one that is an object is taken now, for the page may change what it gave
 * and what it gets.
 * @param {"put" | "add"} name
 * @param {IDBObjectStore} store
 * @param {IDBRequest} request
 * @param {any} value
 * @param {any} explicit the key, where it is not in the value
 */
function recordValue(name, store, request, value, explicit) {
  const transaction = transactionFor(store);
  const operation = operationOn(store, name, request, "");
  const path = pathOf(store);
  const key = copied(path === null ? explicit : keyIn(value, path));
  const encoded = encodeValue(value, false, path !== null && path.generates ? path.links[0] : null);
  if (encoded === undefined) {
    readBack(store, transaction, operation, key);
  } else {
    operation.content = encoded;
    // Accessors in it, or an array of what is no own property (the length of a string): its text is
    // taken when there is one.
    if (key === undefined && (explicit !== undefined || path?.isArray)) whenDone(operation, takeKey);
  }
  if (typeof key === "object" && key !== null) operation.key = encode(key, true) ?? "";
  record(transaction, operation, store);
}

/**
 * The key path of a store.
 * @typedef {object} Path
 * @property {(import("../shared/encode.js").KeyPath | null)[]} links one path, or each of
 * several; null is the value itself
 * @property {boolean} isArray whether the key is an array of what is found there
 * @property {boolean} generates whether the database makes keys that are missing
 */
/** @type {WeakMap<IDBObjectStore, Path | null>} */
const paths = sealedOff(new WeakMap());

/**
 * `null` for a store whose keys are not in its values.
 * @param {IDBObjectStore} store
 */
function pathOf(store) {
  let path = paths.get(store);
  if (path === undefined) {
    const native = asGiven(keyPathOf(store));
    path = native === null ? null : { links: emptyList(), isArray: isArray(native), generates: generatesKeys(store) };
    for (let index = 0; path !== null && index < (path.isArray ? native.length : 1); index++) {
      path.links[index] = linked(path.isArray ? native[index] : native);
    }
    paths.set(store, path);
  }
  return path;
}

/** @param {string} path */
function linked(path) {
  /** @type {import("../shared/encode.js").KeyPath | null} */
  let link = null;
  // Not by `split`: a page may decide what it does.
  for (let end = path.length; end >= 0 && path !== ""; ) {
    let start = end;
    while (start > 0 && path[start - 1] !== ".") start -= 1;
    link = { name: slice(path, start, end), next: link };
    end = start - 1;
  }
  return link;
}

/**
 * What stands in a value where a key path leads: undefined if it is no value's own, and so neither
 * a date, bytes nor an array.
 * @param {any} value
 * @param {Path} path
 */
function keyIn(value, { links, isArray: isCompound }) {
  if (!isCompound) return memberAt(value, links[0]);
  const key = emptyList();
  for (let index = 0; index < links.length; index++) {
    const part = memberAt(value, links[index]);
    if (part === undefined) return undefined;
    key[index] = part;
  }
  return key;
}

/**
 * @param {any} value
 * @param {import("../shared/encode.js").KeyPath | null} path
 */
function memberAt(value, path) {
  let found = value;
  for (let link = path; link !== null; link = link.next) {
    if (typeof found !== "object" || found === null) return undefined;
    // Of a map or an error the clone has no such member, nor has anything of what is not
    // enumerable.
    if (!isArray(found) && kindOf(found) !== null) return undefined;
    const descriptor = getOwnPropertyDescriptor(found, link.name);
    if (descriptor === undefined || !descriptor.enumerable || !hasOwn(descriptor, "value")) return undefined;
    found = descriptor.value;
  }
  return found;
}

/**
 * A key that is an object as the database takes it, in a copy that is ours; undefined if that takes
 * running code of the page.
 * @param {any} key
 */
function copied(key) {
  if (typeof key !== "object" || key === null) return key;
  try {
    return encode(key, false) === undefined ? undefined : lowerOf(only(key));
  } catch {
    // It is not what it was when it was taken.
    return undefined;
  }
}

/**
 * Our own requests, with what they are to fill in.
 * @type {WeakMap<IDBRequest, { transaction: Transaction, operation: Operation }>}
 */
const readBacks = sealedOff(new WeakMap());
/**
 * @type {WeakMap<IDBDatabase, number>} Connections on which our own requests' events are caught,
 * and how many are to come.
 */
const intercepted = sealedOff(new WeakMap());

/**
 * The value could not be known without running the page's accessors a second time: reads the record
 * in the same transaction, as soon as its key is known.
 * @param {IDBObjectStore} store
 * @param {Transaction} transaction
 * @param {Operation} operation
 * @param {any} key if it is known
 */
function readBack(store, transaction, operation, key) {
  operation.content = overwritten();
  if (typeof key === "number" || typeof key === "string" || (typeof key === "object" && key !== null)) {
    // Right behind the write, before anything else is written there.
    operation.assumed = key;
    tryToRead(store, key, { transaction, operation });
    return;
  }
  whenDone(operation, (result) => {
    operation.readBehind = transaction.operations.length;
    transaction.readsBack = true;
    if (takeKey(result, operation)) tryToRead(store, result, { transaction, operation });
  });
}

/**
 * For the few writes whose key is known only then: before any listener of the page at the request.
 * @param {Operation} operation
 * @param {(result: any, operation: Operation) => void} action
 */
function whenDone(operation, action) {
  listen(operation.request, "success", (/** @type {Event} */ event) => {
    if (!event.isTrusted) return;
    try {
      action(resultOf(operation.request), operation);
    } catch {
      // The operation says what it lacks.
    }
  });
}

/**
 * Whether the key could be known without running code of the page; otherwise the operation is given
 * up at `complete`.
 * @param {any} result
 * @param {Operation} operation
 */
function takeKey(result, operation) {
  if (typeof result === "object") operation.key = encode(result, false) ?? "";
  return typeof result !== "object" || operation.key !== "";
}

/**
 * @param {IDBObjectStore} store
 * @param {IDBValidKey} key
 * @param {{ transaction: Transaction, operation: Operation }} pending
 */
function tryToRead(store, key, pending) {
  // A request of ours that could not be taken note of would be the page's to hear of.
  needStack(STACK_OF_READING);
  const database = databaseOf(transactionOf(store));
  const others = intercepted.get(database) ?? 0;
  if (others === 0) {
    listen(database, "success", intercept, true);
    listen(database, "error", intercept, true);
  }
  let request;
  try {
    request = getRecord(store, key);
  } catch {
    if (others === 0) stopIntercepting(database);
    doubt(pending.transaction, pending.operation.store, "the page committed before a value with accessors could be read");
    return;
  }
  readBacks.set(request, pending);
  intercepted.set(database, others + 1);
}

/** More calls deep than reading a record back is. */
const STACK_OF_READING = 50;

/** @param {IDBDatabase} database */
function stopIntercepting(database) {
  unlisten(database, "success", intercept, true);
  unlisten(database, "error", intercept, true);
}

/**
 * Takes our own requests' events on their way down, at the connection: neither the transaction nor
 * anyone behind it sees them.
 * @param {Event} event
 */
function intercept(event) {
  const request = targetOf(event);
  const pending = readBacks.get(request);
  if (pending === undefined) return;
  stopImmediatePropagation(event);
  preventDefault(event);
  forgetListeners(event);
  if (errorOf(request) !== null) return;
  const value = resultOf(request);
  if (value === undefined) return;
  const { transaction, operation } = pending;
  operation.content = encodeValue(value, true, null) ?? operation.content;
  grow(transaction, operation.content.units);
}

/**
 * A connection with listeners is not collected in Chromium: they go with the last request.
 * @param {Event} event
 */
function forgetListeners(event) {
  const database = currentTargetOf(event);
  const others = /** @type {number} */ (intercepted.get(database)) - 1;
  intercepted.set(database, others);
  if (others === 0) stopIntercepting(database);
}

/**
 * `delete`, by key or by range.
 * @param {IDBObjectStore} store
 * @param {IDBRequest} request
 * @param {any} query
 */
function recordDelete(store, request, query) {
  const members = rangeMembers(query);
  if (members === undefined) recordKey(store, request, query);
  else recordDeletion(store, "delete_range", request, members);
}

/**
 * `delete(key)` and `cursor.delete`.
 * @param {IDBObjectStore} store
 * @param {IDBRequest} request
 * @param {any} key
 */
function recordKey(store, request, key) {
  const text = encode(key, false);
  recordDeletion(store, "delete", request, text === undefined ? "" : keyMember(text));
}

/**
 * @param {IDBObjectStore} store
 * @param {"delete" | "delete_range"} name
 * @param {IDBRequest} request
 * @param {string} members empty if what is deleted can't be known without running code of the page
 */
function recordDeletion(store, name, request, members) {
  const transaction = transactionFor(store);
  if (members !== "") record(transaction, operationOn(store, name, request, members), store);
  else doubt(transaction, stringify(nameOfStore(store)), "the key of a deletion has accessors");
}

/**
 * The members of a deletion by a range: undefined if the query is no range, empty if they are not
 * known.
 * @param {any} query
 * @returns {string | undefined}
 */
function rangeMembers(query) {
  let lower;
  try {
    if (typeof query !== "object") return undefined;
    lower = lowerOf(query);
  } catch {
    return undefined;
  }
  const upper = upperOf(query);
  // A frame's getters may have given these objects out, too, with accessors in them since.
  const from = lower === undefined ? "" : encode(asGiven(lower), false);
  const to = upper === undefined ? "" : encode(asGiven(upper), false);
  if (from === undefined || to === undefined) return "";
  return rangeMember(from, to, lowerOpenOf(query), upperOpenOf(query));
}

