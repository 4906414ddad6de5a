// The hook's end of the way to the bridge.
//
// A detached node that the two worlds share: nobody else can reach it. Its events carry the messages, synchronously, so that a
// commit is on its way out of this process before the page can go away.

import { BODY, COMPARE, EXPORT, HANDSHAKE, LATE_HANDSHAKE, LEAVE, READY, STOP, SURVEY, TRACE, UNTRACE } from "./channel.js";
import { dispatch, listen, Message, PlainEvent } from "./idb.js";

const node = document.createElement("b");

/** Whether the bridge wants to hear of writes. */
export let active = false;

listen(node, READY, () => {
  active = true;
});
listen(node, STOP, () => {
  active = false;
});

/** Whether somebody wants to see the stacks of writes. */
export let tracing = false;

listen(node, TRACE, () => {
  tracing = true;
});
listen(node, UNTRACE, () => {
  tracing = false;
});

/**
 * Lets something be done while the document can still be heard.
 * @param {() => void} action
 */
export const whenLeaving = (action) => listen(node, LEAVE, action);

/** Looks for the bridge; says whether there is one that has no hook yet. */
export function meetBridge() {
  const name = document.head === null ? HANDSHAKE : LATE_HANDSHAKE;
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
 * Lets the bridge compare some stores, in a while.
 * @param {string} stores as JSON
 */
export const wantComparison = (stores) => message(COMPARE, stores);

/** Lets the bridge look, in a while, at what is there. */
export function wantSurvey() {
  if (active) dispatch(node, new PlainEvent(SURVEY));
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
