// Transactions that write, from their first write to `complete`: what they did is kept here, and handed over when they commit.
//
// No request gets a listener: whether it succeeded, and with which key, is asked of it at `complete`.

import { bucketOf } from "./buckets.js";
import { encode } from "./encode.js";
import {
  databaseOf,
  errorOf,
  listen,
  nameOfDatabase,
  resultOf,
  targetOf,
  transactionOf,
  versionOf,
} from "./idb.js";
import { active, hand } from "./outlet.js";
import { emptyList, keysOf, now, sealedOff, slice, stringify } from "./pristine.js";

/** How much text one transaction may hold here, in UTF-16 units, before its stores are declared in doubt instead. */
const MAX_COMMIT = 64 * 1024 * 1024;

/**
 * A write request.
 * @typedef {object} Operation
 * @property {"put" | "add" | "delete" | "delete_range" | "clear" | "schema"} name
 * @property {IDBRequest | null} request succeeded or failed by the time of `complete`; a schema change has none
 * @property {string} store the store's name as JSON
 * @property {string} key of a deletion, as typed text; that of a value is the request's result
 * @property {string} text of the value, the range or the schema change
 * @property {import("./encode.js").Hole | null} hole
 */
/**
 * A transaction that writes.
 * @typedef {object} Transaction
 * @property {number} beganAt
 * @property {Operation[]} operations
 * @property {number} length of all texts
 * @property {string} lost why operations were dropped; empty if none were
 * @property {Record<string, true>} stores that were written to, by their names as JSON
 */

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
    transaction = { beganAt: now(), operations: emptyList(), length: 0, lost: "", stores: /** @type {any} */ ({ __proto__: null }) };
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
 * @param {Transaction} transaction
 * @param {string} why
 */
export function lose(transaction, why) {
  transaction.lost = why;
  transaction.operations = emptyList();
}

/**
 * @param {Transaction} transaction
 * @param {Operation} operation
 */
export function record(transaction, operation) {
  const { operations } = transaction;
  transaction.stores[operation.store] = true;
  if (transaction.lost !== "") return;
  operations[operations.length] = operation;
  grow(transaction, operation.text.length);
}

/**
 * @param {Transaction} transaction
 * @param {number} length
 */
export function grow(transaction, length) {
  transaction.length += length;
  if (transaction.length > MAX_COMMIT) lose(transaction, "a transaction wrote more than fits into memory");
}

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
    const body =
      transaction.lost === "" ? commitText(transaction, place, versionOf(database)) : gapText(transaction, place);
    if (body !== "") hand(body);
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
function commitText({ beganAt, operations }, place, version) {
  let text = "";
  for (let index = 0; index < operations.length; index++) {
    const operation = operations[index];
    if (operation.request === null || errorOf(operation.request) === null) {
      text += (text === "" ? "" : ",") + operationText(operation);
    }
  }
  if (text === "") return "";
  return `{"commit":{${place},"version":${version},"began_at":${beganAt},"committed_at":${now()},"operations":[${text}]}}`;
}

/** @param {Operation} operation */
function operationText({ name, request, store, key, text, hole }) {
  switch (name) {
    case "clear":
      return `{"clear":{"store":${store}}}`;
    case "delete":
      return `{"delete":{"store":${store},"key":${key}}}`;
    case "schema":
      return `{"schema":{"store":${store},"change":${text}}}`;
    case "delete_range":
      return `{"delete_range":{"store":${store},"range":${text}}}`;
    default: {
      const generated = encode(resultOf(request), true);
      const value =
        hole === null
          ? text
          : slice(text, 0, hole.at) + hole.before + generated + hole.after + slice(text, hole.at);
      return `{"${name}":{"store":${store},"key":${generated},"value":${value}}}`;
    }
  }
}

/**
 * @param {Transaction} transaction
 * @param {string} place
 */
function gapText({ lost, stores }, place) {
  const names = keysOf(stores);
  let text = "";
  for (let index = 0; index < names.length; index++) {
    text += `${index === 0 ? "" : ","}{${place},"store":${names[index]}}`;
  }
  return `{"gap":{"reason":${stringify(lost)},"stores":[${text}]}}`;
}
