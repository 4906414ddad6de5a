// Transactions that write, from their first write to `complete`: what they did is kept here, and handed over when they commit.
//
// No request gets a listener: whether it succeeded, and with which key, is asked of it at `complete`.

import { bucketOf } from "./buckets.js";
import { encode } from "./encode.js";
import {
  databaseOf,
  errorOf,
  keyPathOf,
  listen,
  nameOfDatabase,
  resultOf,
  targetOf,
  transactionOf,
  versionOf,
} from "./idb.js";
import { active, hand, tracing } from "./outlet.js";
import { emptyList, keysOf, now, sealedOff, slice, stringify } from "./pristine.js";
import { stackNow } from "./stacks.js";

/** How much text one transaction may hold here, in UTF-16 units, before its stores are declared in doubt instead. */
const MAX_COMMIT = 64 * 1024 * 1024;
/** Of how many operations of a transaction the stack is taken. */
const MAX_STACKS = 200;

/**
 * A write request.
 * @typedef {object} Operation
 * @property {"put" | "add" | "delete" | "delete_range" | "clear" | "schema"} name
 * @property {IDBRequest | null} request succeeded or failed by the time of `complete`; a schema change has none
 * @property {string} store the store's name as JSON
 * @property {import("./encode.js").Encoded} content the value; for operations without one all members but the store, with a comma before each
 * @property {string} stack where it was called from, if that is wanted
 */
/**
 * A transaction that writes.
 * @typedef {object} Transaction
 * @property {number} beganAt
 * @property {Operation[]} operations
 * @property {number} length of all texts; past `MAX_COMMIT` nothing is kept
 * @property {Names} stores that were written to
 * @property {Names} doubtful stores that have to be read again, since not all that was written to them is known
 * @property {string} why; empty if there are none
 */
/** @typedef {Record<string, string>} Names names of stores as JSON, with their key paths; empty where that is not known */

/** @returns {Names} */
const noNames = () => /** @type {any} */ ({ __proto__: null });

/** @type {WeakMap<IDBTransaction, Transaction>} */
const transactions = sealedOff(new WeakMap());
/** @type {WeakMap<IDBDatabase, true>} Connections that are listened to. */
const watched = sealedOff(new WeakMap());

/** @param {IDBObjectStore} store */
export function transactionFor(store) {
  return known(transactionOf(store));
}

/** @param {IDBTransaction} native */
export function known(native) {
  let transaction = transactions.get(native);
  if (transaction === undefined) {
    transaction = { beganAt: now(), operations: emptyList(), length: 0, stores: noNames(), doubtful: noNames(), why: "" };
    transactions.set(native, transaction);
    const database = databaseOf(native);
    if (!watched.has(database)) {
      watched.set(database, true);
      // Capturing on the connection: before any listener of the page on the transaction could stop it.
      listen(database, "complete", completed, true);
    }
  }
  return transaction;
}

/**
 * @param {Operation["name"]} name
 * @param {string} store the store's name as JSON
 * @param {IDBRequest | null} request
 * @param {string} text see `Operation.content`
 * @returns {Operation}
 */
export function operationOf(name, store, request, text) {
  return { name, request, store, content: { text, hole: null, blobs: null, units: text.length }, stack: "" };
}

/**
 * Lets a store be read again after the commit.
 * @param {Transaction} transaction
 * @param {string} store its name as JSON
 * @param {string} why
 */
export function doubt(transaction, store, why) {
  transaction.doubtful[store] = "";
  transaction.why = why;
}

/**
 * @param {Transaction} transaction
 * @param {Operation} operation
 * @param {IDBObjectStore | null} store the operation's, if it is at hand
 */
export function record(transaction, operation, store) {
  const { operations, stores } = transaction;
  if (!stores[operation.store]) stores[operation.store] = store === null ? "" : keyPathText(store);
  if (transaction.length > MAX_COMMIT) return;
  if (tracing && operations.length < MAX_STACKS) operation.stack = stackNow();
  operations[operations.length] = operation;
  grow(transaction, operation.content.units);
}

/** @param {IDBObjectStore} store */
function keyPathText(store) {
  const path = keyPathOf(store);
  return path === null ? "null" : typeof path === "string" ? stringify(path) : (encode(path, false) ?? "");
}

/**
 * @param {Transaction} transaction
 * @param {number} length
 */
export function grow(transaction, length) {
  transaction.length += length;
  if (transaction.length <= MAX_COMMIT) return;
  transaction.operations = emptyList();
  transaction.doubtful = transaction.stores;
  transaction.why = "a transaction wrote more than fits into memory";
}

/** The blobs whose bytes are missing in the text of the commit. */
let handed = emptyList();
/** The stacks of its operations, if they are wanted. */
let stacks = emptyList();

/** @param {Event} event */
function completed(event) {
  try {
    if (!event.isTrusted || !active) return;
    const native = targetOf(event);
    const transaction = transactions.get(native);
    if (transaction === undefined) return;
    transactions.delete(native);
    const database = databaseOf(native);
    const bucket = stringify(bucketOf(database));
    const place = `"bucket":${bucket},"database":${stringify(nameOfDatabase(database))}`;
    const text = commitText(transaction, place, versionOf(database));
    if (text !== "") hand(text, handed, stacks.length === 0 ? "" : stringify(stacks));
    handed = emptyList();
    stacks = emptyList();
    if (transaction.why !== "") hand(gapText(transaction, place), handed, "");
  } catch {
    // Nothing may reach the page. What was missed here is found by the next page load's snapshot.
  }
}

/**
 * The body of the delivery; empty if every request failed.
 * @param {Transaction} transaction
 * @param {string} place the bucket and the database
 * @param {number} version
 */
function commitText({ beganAt, operations, stores }, place, version) {
  let text = "";
  for (let index = 0; index < operations.length; index++) {
    const operation = operations[index];
    if (operation.request === null || errorOf(operation.request) === null) {
      text += (text === "" ? "" : ",") + operationText(operation);
      if (tracing) stacks[stacks.length] = operation.stack;
      const { blobs } = operation.content;
      for (let each = 0; blobs !== null && each < blobs.length; each++) handed[handed.length] = blobs[each];
    }
  }
  if (text === "") return "";
  const times = `"began_at":${beganAt},"committed_at":${now()}`;
  return `{"commit":{${place},"version":${version},${times},${keyPathsText(stores)}"operations":[${text}]}}`;
}

/**
 * The key paths that there are, with a comma behind.
 * @param {Names} stores
 */
function keyPathsText(stores) {
  const names = keysOf(stores);
  let text = "";
  for (let index = 0; index < names.length; index++) {
    const path = stores[names[index]];
    if (path !== "" && path !== "null") text += `${text === "" ? "" : ","}${names[index]}:${path}`;
  }
  return text === "" ? "" : `"key_paths":{${text}},`;
}

/** @param {Operation} operation */
function operationText({ name, request, store, content: { text, hole } }) {
  let members = text;
  if (name === "put" || name === "add") {
    const key = encode(resultOf(request), true);
    const value =
      hole === null ? text : slice(text, 0, hole.at) + hole.before + key + hole.after + slice(text, hole.at);
    members = `,"key":${key},"value":${value}`;
  }
  return `{"${name}":{"store":${store}${members}}}`;
}

/**
 * @param {Transaction} transaction
 * @param {string} place
 */
function gapText({ why, doubtful }, place) {
  const names = keysOf(doubtful);
  let text = "";
  for (let index = 0; index < names.length; index++) {
    text += `${index === 0 ? "" : ","}{${place},"store":${names[index]}}`;
  }
  return `{"gap":{"reason":${stringify(why)},"stores":[${text}]}}`;
}
