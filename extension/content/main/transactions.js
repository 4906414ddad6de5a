// Transactions that may write, from their beginning to `complete`: what they did is kept here, and
// handed over when they commit.
//
// No request gets a listener: whether it succeeded, and with which key, is asked of it at
// `complete`. A transaction whose end is not seen, because its document goes away or the page
// stops the event, is given up: its stores are read again. One in which no write was seen may have
// had some by methods of a window that has no hook: its stores are compared, at leisure.

import { bucketOf } from "./buckets.js";
import { nameOfException } from "../shared/builtins.js";
import { observeRequests, stopObserving, unwatch, watch } from "./connections.js";
import { encode, opaque } from "../shared/encode.js";
import {
  databaseOf,
  errorOf,
  keyPathOf,
  nameOfStore,
  resultOf,
  storeOfCursor,
  storeOfTransaction,
  targetOf,
  transactionOf,
  typeOf,
  versionOf,
} from "./idb.js";
import {
  active,
  announceWriting,
  answerWhether,
  hand,
  leaving,
  tracing,
  wantSurvey,
  WENT_AWAY,
  whenLeaving,
  writer,
} from "./channel_end.js";
import { commitText, gapText, keyMember, operationText, valueMember } from "../shared/messages.js";
import { emptyList, keysOf, now, sealedOff, slice, stringify } from "../shared/pristine.js";
import { MAX_MISSED, missed } from "./replace.js";
import { addNew, compareScope, isSendable, noNames, placeOf, requestResync, storesText } from "./resync.js";
import { stackNow } from "./stacks.js";
import { LOOK_AFTER } from "../shared/timing.js";
import { asGiven } from "./cloned_keys.js";
import { needStack } from "../shared/stack.js";

/**
 * How much text one transaction may hold here and hand over, in UTF-16 units, before its stores are
 * declared in doubt instead. Engines have no strings of more than 512 Mi units.
 */
const MAX_COMMIT = 64 * 1024 * 1024;
/** What an operation takes beside its texts, about. */
const OPERATION_UNITS = 64;
const TOO_MUCH = "a transaction wrote more than fits into memory";
/** Of how many operations of a transaction the stack is taken. */
const MAX_STACKS = 200;

/**
 * A write request.
 * @typedef {object} Operation
 * @property {"put" | "add" | "delete" | "delete_range" | "clear" | "schema"} name
 * @property {IDBRequest | null} request succeeded or failed by the time of `complete`; a schema
 * change has none
 * @property {string} store the store's name as JSON
 * @property {string} key of a `put` or `add` whose key is an object: its text, once it is known;
 * the page has the request's result by the time of `complete`, and may change it
 * @property {number} readBehind how many operations there were when the value was asked for, where
 * its key had to be waited for; 0 elsewhere
 * @property {string} assumed the text of the key under which the value was read back at once; empty
 * if it was not
 * @property {import("../shared/encode.js").Encoded} content the value; for operations without one
 * all members but the store, with a comma before each
 * @property {string} stack where it was called from, if that is wanted
 */
/**
 * A transaction that writes.
 * @typedef {object} Transaction
 * @property {IDBTransaction} native
 * @property {number} openedAt when it was first seen
 * @property {number} beganAt when its first write was seen; 0 before that
 * @property {Operation[]} operations
 * @property {number} length of all texts; past `MAX_COMMIT` nothing is kept
 * @property {import("./resync.js").Names} stores that were written to
 * @property {import("./resync.js").Names} toResync stores that have to be read again, since not all
 * that was written to them is known
 * @property {string} why; empty if there are none
 * @property {boolean} hasEnded whether it had ended when it was looked at; its event may be about
 * to come
 * @property {boolean} readsBack whether one of them was read behind others
 * @property {((event: Event) => void) | null} observe gets its requests before the page does
 * @property {import("./resync.js").Names} announced stores that were announced as possibly written
 * to without a further report
 */
/** @type {Map<IDBTransaction, Transaction>} Those that have not ended. */
const transactions = sealedOff(new Map());

/** @param {IDBObjectStore} store that is written to */
export const transactionFor = (store) => writing(transactionOf(store));

/** @param {IDBTransaction} native in which something is written */
export function writing(native) {
  const transaction = known(native);
  if (transaction.beganAt === 0) transaction.beganAt = now();
  return transaction;
}

/** @param {IDBTransaction} native */
export function known(native) {
  let transaction = transactions.get(native);
  if (transaction === undefined) {
    giveUpEnded();
    transaction = {
      native,
      openedAt: now(),
      beganAt: 0,
      operations: emptyList(),
      length: 0,
      stores: noNames(),
      toResync: noNames(),
      why: "",
      hasEnded: false,
      readsBack: false,
      observe: null,
      announced: noNames(),
    };
    // In this order: the stack may end at each call.
    watch(databaseOf(native), ended);
    transactions.set(native, transaction);
  }
  return transaction;
}

/**
 * Observes the events of a transaction's requests before the page does, until its end.
 * @param {Transaction} transaction
 * @param {(event: Event) => void} observe
 */
export function observeFirst(transaction, observe) {
  if (transaction.observe !== null) return;
  // Half of it would listen for good.
  needStack(STACK_OF_HEARING);
  observeRequests(databaseOf(transaction.native), observe);
  transaction.observe = observe;
}

/** More calls deep than that. */
const STACK_OF_HEARING = 20;

/**
 * @param {Operation["name"]} name
 * @param {string} store the store's name as JSON
 * @param {IDBRequest | null} request
 * @param {string} text see `Operation.content`
 * @returns {Operation}
 */
export function operationOf(name, store, request, text) {
  const content = { text, hole: null, blobs: null, units: text.length };
  return { name, request, store, key: "", readBehind: 0, assumed: "", content, stack: "" };
}

/**
 * Lets a store be read again after the commit.
 * @param {Transaction} transaction
 * @param {string} store its name as JSON
 * @param {string} why
 */
export function markForResync(transaction, store, why) {
  if (!isSendable(store)) return;
  transaction.toResync[store] = "";
  transaction.why = why;
  announceWriting();
  if (leaving) announce(transaction);
}

/**
 * @param {Transaction} transaction
 * @param {Operation} operation
 * @param {IDBObjectStore | null} store the operation's, if it is at hand
 */
export function record(transaction, operation, store) {
  const { operations, stores } = transaction;
  if (!isSendable(operation.store)) return;
  if (!stores[operation.store]) stores[operation.store] = store === null ? "" : keyPathText(store);
  announceWriting();
  if (leaving) announce(transaction);
  if (transaction.length > MAX_COMMIT) return;
  if (tracing && operations.length < MAX_STACKS) operation.stack = stackNow();
  operations[operations.length] = operation;
  grow(transaction, operation.content.units + operation.store.length + operation.key.length + OPERATION_UNITS);
}

/** @param {IDBObjectStore} store */
function keyPathText(store) {
  const path = asGiven(keyPathOf(store));
  return path === null ? "null" : typeof path === "string" ? stringify(path) : (encode(path, false) ?? "");
}

/**
 * @param {Transaction} transaction
 * @param {number} length
 */
export function grow(transaction, length) {
  transaction.length += length;
  if (transaction.length <= MAX_COMMIT) return;
  markAllForResync(transaction, TOO_MUCH);
}

/**
 * Gives up what a transaction did: all stores that it wrote to are read again.
 * @param {Transaction} transaction
 * @param {string} why
 */
function markAllForResync(transaction, why) {
  transaction.operations = emptyList();
  addNew(keysOf(transaction.toResync), transaction.stores, noNames());
  // One list: what is written to later is in it, too.
  transaction.toResync = transaction.stores;
  transaction.why = why;
}

/** The blobs whose bytes are missing in the text of the commit. */
let handed = emptyList();
/** The stacks of its operations, if they are wanted. */
let stacks = emptyList();

/** @param {Event} event `complete` or `abort` */
function ended(event) {
  try {
    if (!event.isTrusted) return;
    tellMissed();
    const native = targetOf(event);
    const transaction = transactions.get(native);
    if (transaction === undefined) return;
    end(transaction);
    if (active && typeOf(event) === "complete") tell(transaction);
  } catch {
    // Nothing may reach the page. What it was, a look at everything finds.
    tryToWantSurvey();
  }
}

/**
 * Tells of a transaction that has committed.
 * @param {Transaction} transaction
 */
function tell(transaction) {
  const { native } = transaction;
  const database = databaseOf(native);
  const place = placeOf(database);
  if (place === "") return;
  if (bucketOf(database) === undefined) {
    compareScope(native, place);
    return;
  }
  try {
    // Here, so that a commit which can't be sent leaves nothing to the next one.
    handed = emptyList();
    stacks = emptyList();
    const text = bodyOf(transaction, place, versionOf(database));
    if (text !== "") hand(text, handed, stacks.length === 0 ? "" : stringify(stacks));
  } catch {
    markAllForResync(transaction, "a commit could not be put into words");
  }
  handed = emptyList();
  const { why, toResync } = transaction;
  if (why !== "") hand(gapText(why, storesText(toResync, place)), null, "");
  else if (transaction.beganAt === 0) compareScope(native, place);
}

function tryToWantSurvey() {
  try {
    wantSurvey();
  } catch {
    // There is no stack left even for this. The next page load's snapshot finds it.
  }
}

/** @param {Transaction} transaction */
function end({ native, observe }) {
  transactions.delete(native);
  unwatch(databaseOf(native), ended);
  if (observe !== null) stopObserving(databaseOf(native), observe);
}

/**
 * Lets all stores be read again that a transaction wrote to.
 * @param {Transaction} transaction
 * @param {IDBTransaction} native
 * @param {string} why
 */
function giveUp(transaction, native, why) {
  markAllForResync(transaction, why);
  const place = placeOf(databaseOf(native));
  if (!active || place === "") return;
  if (keysOf(transaction.stores).length > 0) requestResync(native, why, transaction.stores, place);
  else compareScope(native, place);
}

/**
 * Has the stores read again that a transaction may yet write to. For documents that go away: they
 * get no more of its events, most likely.
 * @param {Transaction} transaction
 */
function announce({ native, stores, toResync, announced }) {
  const fresh = noNames();
  addNew(keysOf(stores), announced, fresh);
  addNew(keysOf(toResync), announced, fresh);
  const place = placeOf(databaseOf(native));
  const names = keysOf(fresh);
  if (active && place !== "" && names.length > 0) requestResync(native, WENT_AWAY, fresh, place);
  // Last: Firefox may have ended the script before that.
  addNew(names, noNames(), announced);
}

/** Takes note of the calls for which there was no stack left; for events, where there is some. */
function tellMissed() {
  // There may have been more than it holds.
  if (missed.length === MAX_MISSED) wantSurvey();
  while (missed.length > 0) {
    const self = missed[missed.length - 1];
    missed.length -= 1;
    const store = storeOf(self);
    if (store === null) wantSurvey();
    else missWrite(store);
  }
}

/** @param {IDBObjectStore} store */
function missWrite(store) {
  const native = transactionOf(store);
  const name = stringify(nameOfStore(store));
  const why = "a write was called with no stack left to take note of it";
  const place = placeOf(databaseOf(native));
  const transaction = transactions.get(native);
  if (transaction !== undefined) {
    markForResync(transaction, name, why);
  } else if (place !== "" && isSendable(name)) {
    const toResync = noNames();
    toResync[name] = "";
    requestResync(native, why, toResync, place);
  }
}

/**
 * The store that something was called for, if it was for one.
 * @param {any} self
 * @returns {IDBObjectStore | null}
 */
function storeOf(self) {
  try {
    nameOfStore(self);
    return self;
  } catch {
    try {
      return storeOfCursor(self);
    } catch {
      return null;
    }
  }
}

/** When `giveUpEnded` looked last. */
let lookedAt = 0;

/** Transactions that have ended unseen: the page stopped the event. */
function giveUpEnded() {
  const before = now() - LOOK_AFTER;
  // Each that waits costs an exception: a page with thousands of them would pay for it with each
  // new one.
  if (lookedAt > before) return;
  lookedAt = now();
  transactions.forEach((transaction, native) => {
    if (transaction.openedAt > before || !hasEnded(native)) return;
    if (!transaction.hasEnded) {
      // The page was busy, perhaps, and the event comes next.
      transaction.hasEnded = true;
      return;
    }
    end(transaction);
    giveUp(transaction, native, "the page stopped a transaction's events");
  });
}

answerWhether(() => {
  let isWriting = false;
  try {
    giveUpEnded();
    transactions.forEach(({ beganAt }) => {
      if (beganAt !== 0) isWriting = true;
    });
  } catch {
    // No stack. It is asked again.
    return true;
  }
  return isWriting;
});

/** @param {IDBTransaction} native */
function hasEnded(native) {
  try {
    storeOfTransaction(native, "");
    return false;
  } catch (error) {
    return nameOfException(error) === "InvalidStateError";
  }
}

// A transaction may commit when the hook can no longer see it, for example after its frame was
// taken out of the page.
whenLeaving(() => {
  try {
    tellMissed();
    transactions.forEach((transaction) => announce(transaction));
  } catch {
    tryToWantSurvey();
  }
});

/**
 * The body of the delivery; empty if every request failed.
 * @param {Transaction} transaction
 * @param {string} place the bucket and the database
 * @param {number} version
 */
function bodyOf(transaction, place, version) {
  const { beganAt, operations, stores } = transaction;
  if (transaction.readsBack) forgetOverwritten(operations);
  let text = "";
  for (let index = 0; index < operations.length; index++) {
    const operation = operations[index];
    if (operation.request === null || errorOf(operation.request) === null) {
      const members = membersOf(operation);
      if (members === undefined) {
        markForResync(transaction, operation.store, "the key of a write could not be read before the page had it");
        continue;
      }
      text += (text === "" ? "" : ",") + operationText(operation.name, operation.store, members);
      // Keys are known only now.
      if (text.length > MAX_COMMIT) {
        markAllForResync(transaction, TOO_MUCH);
        return "";
      }
      if (tracing && stacks.length < MAX_STACKS) stacks[stacks.length] = operation.stack;
      const { blobs } = operation.content;
      for (let each = 0; blobs !== null && each < blobs.length; each++) handed[handed.length] = blobs[each];
    }
  }
  if (text === "") return "";
  return commitText(place, writer(), version, { beganAt, committedAt: now() }, keyPathsText(stores), text);
}

/** @type {Map<string, number>} Of each record the next write; for `forgetOverwritten` only. */
const nextWrites = sealedOff(new Map());

/**
 * Forgets values that were read when another write of the same record may have been done already.
 * @param {Operation[]} operations
 */
function forgetOverwritten(operations) {
  nextWrites.clear();
  for (let index = operations.length - 1; index >= 0; index--) {
    const { name, store, request, key, readBehind } = operations[index];
    if ((name !== "put" && name !== "add") || request === null || errorOf(request) !== null) continue;
    const result = key === "" ? resultOf(request) : null;
    // An object that the page has, too: its value is not sent at all.
    if (typeof result === "object" && key === "") continue;
    const record = `${store} ${key === "" ? encode(result, false) : key}`;
    if (readBehind > (nextWrites.get(record) ?? operations.length)) operations[index].content = overwritten();
    nextWrites.set(record, index);
  }
  nextWrites.clear();
}

/** @returns {import("../shared/encode.js").Encoded} */
export function overwritten() {
  const text = opaque("Object", "overwritten before it could be read");
  return { text, hole: null, blobs: null, units: text.length };
}

/**
 * The key paths that there are, by store.
 * @param {import("./resync.js").Names} stores
 */
function keyPathsText(stores) {
  const names = keysOf(stores);
  let text = "";
  for (let index = 0; index < names.length; index++) {
    const path = stores[names[index]];
    if (path !== "" && path !== "null") text += `${text === "" ? "" : ","}${names[index]}:${path}`;
  }
  return text;
}

/**
 * What there is to say of an operation besides its store; undefined if that is not known.
 * @param {Operation} operation
 */
function membersOf({ name, request, key: known, assumed, content: { text, hole } }) {
  if (name !== "put" && name !== "add") return text;
  const result = resultOf(request);
  if (known === "" && typeof result === "object") return undefined;
  const key = known === "" ? encode(result, false) : known;
  // An accessor may have changed the key that it was read by.
  if (assumed !== "" && assumed !== key) return undefined;
  const value = hole === null ? text : slice(text, 0, hole.at) + hole.before + key + hole.after + slice(text, hole.at);
  return keyMember(key) + valueMember(value);
}
