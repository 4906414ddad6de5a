// Where a write was called from, when a person asked for it in the panel. Off, it costs a look at
// `tracing`.
//
// Invariant: no code of the page runs. Engines build a stack's text from what a page can overwrite:
// V8 asks `Error.prepareStackTrace`, and the object for its name and message. So the former is out
// of the way meanwhile, and the object is one of ours.

import { getOwnPropertyDescriptor } from "../shared/pristine.js";

const Failure = /** @type {any} */ (Error);
const { captureStackTrace } = Failure;
const { defineProperty: define, deleteProperty: remove, setPrototypeOf: inherit } = Reflect;

/** How many calls a stack has at most; ours are among them. */
const MAX_FRAMES = 40;

/**
 * Lets a member of `Error` have another value.
 * @param {string} name
 * @param {unknown} value
 * @returns {PropertyDescriptor | null | undefined} what was there before, if there was something;
 * null if it can't be changed
 */
function lend(name, value) {
  const before = getOwnPropertyDescriptor(Failure, name);
  if (before !== undefined) inherit(before, null);
  /** @type {any} */
  const now = { __proto__: null, value, writable: true };
  if (before === undefined) now.configurable = true;
  return define(Failure, name, now) ? before : null;
}

/**
 * @param {string} name
 * @param {PropertyDescriptor | null | undefined} before
 */
function giveBack(name, before) {
  if (before === undefined) remove(Failure, name);
  else if (before !== null) define(Failure, name, before);
}

/** The stack as the engine words it; empty if it can't be had unseen. */
export function stackNow() {
  if (captureStackTrace === undefined) return "";
  const prepare = lend("prepareStackTrace", undefined);
  if (prepare === null) return "";
  const limit = lend("stackTraceLimit", MAX_FRAMES);
  try {
    /** @type {any} */
    const holder = { __proto__: null, name: "", message: "" };
    captureStackTrace(holder);
    const { stack } = holder;
    return typeof stack === "string" ? stack : "";
  } finally {
    giveBack("stackTraceLimit", limit);
    giveBack("prepareStackTrace", prepare);
  }
}
