// Writes to stores: what a successful call of `put`, `add`, `delete`, `clear` or of a cursor meant.

import { encode, encodeValue } from "../shared/encode.js";
import {
  errorOf,
  generatesKeys,
  getRecord,
  keyPathOf,
  lowerOf,
  lowerOpenOf,
  modeOf,
  nameOfStore,
  only,
  preventDefault,
  primaryKeyOf,
  resultOf,
  stopImmediatePropagation,
  storeOfCursor,
  targetOf,
  transactionOfRequest,
  upperOf,
  upperOpenOf,
} from "./idb.js";
import { kindOf } from "../shared/kinds.js";
import { active } from "./channel_end.js";
import { keyMember, rangeMember } from "../shared/messages.js";
import {
  emptyList,
  getOwnPropertyDescriptor,
  hasOwn,
  isArray,
  sealedOff,
  slice,
  stringify,
} from "../shared/pristine.js";
import { needStack } from "../shared/stack.js";
import { asGiven, isKnown, remember } from "./cloned_keys.js";
import {
  markForResync,
  grow,
  observeFirst,
  known,
  operationOf,
  overwritten,
  record,
  transactionFor,
} from "./transactions.js";

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
      recordKey(storeOfCursor(self), request, keyOfRecord(self));
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
 * `put`, `add` and `cursor.update`. The key is the request's result. One that is a number or a
 * string is asked for at `complete`; one that is an object before the page can have it, for the
 * page may change that, and may have changed what it gave while the value was cloned.
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
  const encoded = encodeValue(value, false, path !== null && path.generates ? path.links[0] : null);
  if (encoded === undefined) {
    readBack(store, transaction, operation, copied(path === null ? explicit : keyIn(value, path)));
  } else {
    operation.content = encoded;
    const key = path === null || path.isArray ? explicit : memberAt(value, path.links[0]);
    if (path?.isArray || typeof key === "object")
      whenDone(transaction, operation, (result) => takeKey(result, transaction, operation));
  }
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
      path.links[index] = path.isArray ? linkedAt(native, index) : linked(native);
    }
    paths.set(store, path);
  }
  return path;
}

/**
 * A path that leads nowhere.
 * @type {any}
 */
const NOWHERE = { name: Symbol(), next: null };

/**
 * One of several paths, in a list that the page may have had, and put accessors into.
 * @param {any[]} paths
 * @param {number} index
 */
function linkedAt(paths, index) {
  const descriptor = getOwnPropertyDescriptor(paths, index);
  if (descriptor === undefined || !hasOwn(descriptor, "value") || typeof descriptor.value !== "string") return NOWHERE;
  return linked(descriptor.value);
}

/** @param {string} path */
function linked(path) {
  /** @type {import("../shared/encode.js").KeyPath | null} */
  let link = null;
  // Not by `split`: a page may decide what it does.
  for (let end = path.length; end >= 0 && path !== "";) {
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
 * What is to be done when a request is done, before the page sees it.
 * @type {WeakMap<IDBRequest, (event: Event, request: IDBRequest) => void>}
 */
const awaited = sealedOff(new WeakMap());

/**
 * Observes requests on their way down, at the connection: neither the transaction nor anything
 * behind it has seen them.
 * @param {Event} event
 */
function observeRequest(event) {
  if (!event.isTrusted) return;
  const request = targetOf(event);
  const action = awaited.get(request);
  if (action === undefined) return;
  try {
    action(event, request);
  } catch {
    // The operation lacks what could not be learned.
  }
}

/**
 * A cursor is opened: the keys that are objects are copied as it comes to them.
 * @param {IDBRequest} request
 */
export function observeCursor(request) {
  if (!active) return;
  try {
    const native = /** @type {IDBTransaction} */ (transactionOfRequest(request));
    if (modeOf(native) === "readonly") return;
    observeFirst(known(native), observeRequest);
    awaited.set(request, rememberPosition);
  } catch {
    // No stack is left: what the keys were is not known then.
  }
}

/**
 * @param {Event} _event
 * @param {IDBRequest} request
 */
function rememberPosition(_event, request) {
  if (errorOf(request) !== null) return;
  const cursor = resultOf(request);
  if (cursor !== null) remember(primaryKeyOf(cursor));
}

/** What no key is, and no copy of one. */
const unknownKey = () => {};

/**
 * The key of the record that a cursor is at, as the database has it.
 * @param {IDBCursor} cursor
 */
function keyOfRecord(cursor) {
  const key = primaryKeyOf(cursor);
  return isKnown(key) ? asGiven(key) : unknownKey;
}

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
    operation.assumed = encode(key, true) ?? "";
    if (typeof key === "object") whenDone(transaction, operation, (result) => takeKey(result, transaction, operation));
    tryToRead(store, key, transaction, operation);
    return;
  }
  whenDone(transaction, operation, (result) => {
    operation.readBehind = transaction.operations.length;
    transaction.readsBack = true;
    if (takeKey(result, transaction, operation)) tryToRead(store, result, transaction, operation);
  });
}

/**
 * For writes whose key is known only then, or safe from the page only until then.
 * @param {Transaction} transaction
 * @param {Operation} operation
 * @param {(result: any) => void} action
 */
function whenDone(transaction, operation, action) {
  observeFirst(transaction, observeRequest);
  awaited.set(/** @type {IDBRequest} */ (operation.request), (_event, request) => {
    if (errorOf(request) === null) action(resultOf(request));
  });
}

/**
 * Whether the key could be known without running code of the page; otherwise the operation is given
 * up at `complete`.
 * @param {any} result
 * @param {Transaction} transaction
 * @param {Operation} operation
 */
function takeKey(result, transaction, operation) {
  if (typeof result !== "object") return true;
  operation.key = encode(result, false) ?? "";
  grow(transaction, operation.key.length);
  return operation.key !== "";
}

/**
 * @param {IDBObjectStore} store
 * @param {IDBValidKey} key
 * @param {Transaction} transaction
 * @param {Operation} operation
 */
function tryToRead(store, key, transaction, operation) {
  // A request of ours that could not be taken note of would be visible to the page.
  needStack(STACK_OF_READING);
  observeFirst(transaction, observeRequest);
  let request;
  try {
    request = getRecord(store, key);
  } catch {
    markForResync(transaction, operation.store, "the page committed before a value with accessors could be read");
    return;
  }
  awaited.set(request, (event, request) => takeValue(event, request, transaction, operation));
}

/** More calls deep than reading a record back is. */
const STACK_OF_READING = 50;

/**
 * Keeps the event of a request of ours from the page, and takes the value.
 * @param {Event} event
 * @param {IDBRequest} request
 * @param {Transaction} transaction
 * @param {Operation} operation
 */
function takeValue(event, request, transaction, operation) {
  stopImmediatePropagation(event);
  preventDefault(event);
  if (errorOf(request) !== null) return;
  const value = resultOf(request);
  if (value === undefined) return;
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
  // As the engine gives it back for a write: without what lies around a view, and with a buffer for
  // each place where the page had the same one.
  const own = copied(key);
  const text = own === undefined ? undefined : encode(own, true);
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
  else markForResync(transaction, stringify(nameOfStore(store)), "the key of a deletion is not certain");
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
  const from = lower === undefined ? "" : boundText(lower, lowerOf, query);
  const upper = upperOf(query);
  const to = upper === undefined ? "" : boundText(upper, upperOf, query);
  if (from === undefined || to === undefined) return "";
  return rangeMember(from, to, lowerOpenOf(query), upperOpenOf(query));
}

/**
 * The text of a range's bound; undefined if the page may have changed it by another window's
 * accessors.
 * @param {any} bound
 * @param {(range: IDBKeyRange) => any} of its getter: a fresh object is as the database has it
 * @param {IDBKeyRange} range
 */
const boundText = (bound, of, range) =>
  isKnown(bound) || of(range) !== bound ? encode(asGiven(of(range)), false) : undefined;
