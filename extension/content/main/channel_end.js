// The hook's end of the way to the bridge, in a page. In a worker the build puts
// `worker/channel_end.js` in the place of this module; both export the same names.
//
// A detached node that the two worlds share: no other script can reach it, except as `channel.js`
// says. Its events carry the messages, synchronously, so that a commit is on its way out of this
// process before the page can go away.

import {
  ASK,
  BODY,
  COMPARE,
  EXPORT,
  HANDSHAKE,
  LATE_HANDSHAKE,
  LEAVE,
  NO_BUCKETS,
  READY,
  RESTED,
  STAY,
  STOP,
  SURVEY,
  TRACE,
  UNTRACE,
  WRITING,
} from "../shared/channel.js";
import { dispatch, listen, Message, PlainEvent } from "./idb.js";
import { gapText } from "../shared/messages.js";
import { createElement, isLate } from "../shared/unnamed.js";

const node = createElement("b");

/** Whether the bridge wants writes. */
export let active = false;

listen(node, READY, () => {
  active = true;
});
listen(node, STOP, () => {
  active = false;
});

/** Whether what this window had before the hook came is the default storage bucket's. */
export let isOldDefault = false;

listen(node, NO_BUCKETS, () => {
  isOldDefault = true;
});

/** Whether an inspector wants to see the stacks of writes. */
export let tracing = false;

listen(node, TRACE, () => {
  tracing = true;
});
listen(node, UNTRACE, () => {
  tracing = false;
});

/**
 * Whether the document goes away. A write is now sent at its call: the end of its transaction will
 * most likely not be seen.
 */
export let leaving = false;

listen(node, LEAVE, () => {
  leaving = true;
});
listen(node, STAY, () => {
  leaving = false;
});

/**
 * Runs something while the document can still send.
 * @param {() => void} action
 */
export const whenLeaving = (action) => listen(node, LEAVE, action);

/** Whether the bridge knows that a transaction writes. */
let isAnnounced = false;

/**
 * A transaction writes. The background learns of it at once: until it has the commit, it takes no
 * other document's word for what a record held before.
 */
export function announceWriting() {
  // What is written by a document that goes away is sent as a gap.
  if (isAnnounced || leaving || !active) return;
  dispatch(node, new PlainEvent(WRITING));
  isAnnounced = true;
}

/** @param {() => boolean} isWriting whether a transaction still writes */
export const answerWhether = (isWriting) =>
  listen(node, ASK, () => {
    if (isWriting()) return;
    isAnnounced = false;
    dispatch(node, new PlainEvent(RESTED));
  });

/** Who writes, as a member of bodies; empty for the page. */
export const writer = () => "";

/** The reason of a gap that a document leaves behind. */
export const WENT_AWAY = "a transaction's document went away";

/** Looks for the bridge; says whether there is one that has no hook yet. */
export function meetBridge() {
  const name = isLate ? LATE_HANDSHAKE : HANDSHAKE;
  dispatch(document, new SubmitEvent(name, /** @type {any} */ ({ __proto__: null, submitter: node })));
  return active;
}

/**
 * @param {string} name
 * @param {unknown} data
 */
const message = (name, data) => dispatch(node, new Message(name, /** @type {any} */ ({ __proto__: null, data })));

/**
 * A native function that calls the method; the method itself where the bridge makes none.
 * @param {Function} method
 * @param {string} name
 */
export function exported(method, name) {
  /** @type {any} */
  const data = { __proto__: null, method, name };
  message(EXPORT, data);
  return data[name] ?? method;
}

/**
 * Lets the bridge compare some stores, in a while; another document, if this one has no such time.
 * @param {string} stores as JSON
 */
export function wantComparison(stores) {
  if (leaving) hand(gapText(WENT_AWAY, stores), null, "");
  else message(COMPARE, stores);
}

/** Lets the bridge look, in a while, at what is there; another document likewise. */
export function wantSurvey() {
  if (!active) return;
  if (leaving) hand(gapText(WENT_AWAY, "[]"), null, "");
  else dispatch(node, new PlainEvent(SURVEY));
}

/**
 * Gives a body to the bridge, synchronously.
 * @param {string} text
 * @param {Blob[] | null} blobs whose bytes are missing in it
 * @param {string} stacks of its operations, as JSON; empty without any
 */
export function hand(text, blobs, stacks) {
  const missing = blobs === null || blobs.length === 0 ? null : blobs;
  const data = missing === null && stacks === "" ? text : { __proto__: null, text, blobs: missing, stacks };
  message(BODY, data);
}
