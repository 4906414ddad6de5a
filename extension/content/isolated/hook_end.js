// The bridge's end of the way to the hook: takes the hook's node, and listens on it.

import {
  ASK,
  BODY,
  COMPARE,
  EXPORT,
  HANDSHAKE,
  LATE_HANDSHAKE,
  NO_BUCKETS,
  READY,
  RESTED,
  STOP,
  SURVEY,
  WRITING,
} from "../shared/channel.js";
import { globalFunction } from "../shared/pristine.js";
import { needStack } from "../shared/stack.js";
import { isLate, listenTo, stopListeningTo } from "../shared/unnamed.js";
import { takeBody, takeStores } from "./hook_messages.js";

/** More calls deep than taking a message of the hook's is. */
const STACK_OF_TAKING = 100;

/** In Firefox only: makes a function of the page's world that calls another one. */
const makeNative = globalFunction("exportFunction");

/** @typedef {import("./hook_messages.js").HookListener} HookListener */

export class HookEnd {
  /** @type {HTMLElement | null} */
  #node = null;
  #listener;
  #writer;
  #met;

  /**
   * @param {HookListener} listener
   * @param {{ writing: () => void, rested: () => void }} writer notices that the page writes, and
   * that it does not any more
   * @param {() => void} met the hook is there
   */
  constructor(listener, writer, met) {
    this.#listener = listener;
    this.#writer = writer;
    this.#met = met;
    for (const name of [HANDSHAKE, LATE_HANDSHAKE]) listenTo(document, name, this.#meet);
  }

  /** @param {string} name an event of `channel.js` without data */
  tell(name) {
    this.#node?.dispatchEvent(new Event(name));
  }

  /** Asks whether the page writes. */
  ask() {
    if (this.#node === null) this.#writer.rested();
    else this.tell(ASK);
  }

  /** Nothing is wanted any more. */
  stop() {
    this.tell(STOP);
    this.#node = null;
  }

  /** @type {(event: Event) => void} */
  #meet = (event) => {
    const { submitter } = /** @type {SubmitEvent} */ (event);
    // Without a hook (a sandbox without scripts) such an event has another sender.
    if (this.#node !== null || !(submitter instanceof HTMLElement)) return;
    for (const name of [HANDSHAKE, LATE_HANDSHAKE]) stopListeningTo(document, name, this.#meet);
    const node = submitter;
    this.#node = node;
    for (const [name, take] of /** @type {const} */ ([
      [BODY, this.#takeBody],
      [COMPARE, this.#takeStores],
      [SURVEY, this.#listener.survey],
      [WRITING, this.#writer.writing],
    ])) {
      node.addEventListener(name, (message) => this.#takeWhole(take, message));
    }
    node.addEventListener(RESTED, this.#writer.rested);
    if (makeNative !== undefined) node.addEventListener(EXPORT, giveNative);
    this.tell(READY);
    void tellOfBuckets(node).then(this.#met);
  };

  /**
   * Takes a message of the hook's, or has everything read. The call that it comes with may be one
   * of the page's at the end of its stack, and half a delivery would be worse than none.
   * @param {(message: Event) => void} take
   * @param {Event} message
   */
  #takeWhole(take, message) {
    try {
      needStack(STACK_OF_TAKING);
      take(message);
    } catch {
      // No stack, or no memory.
      void this.#surveyLater();
    }
  }

  /** When the page's call is over, and its stack free. */
  async #surveyLater() {
    await null;
    this.#listener.survey();
  }

  /** @type {(message: Event) => void} */
  #takeBody = (message) => {
    takeBody(/** @type {MessageEvent} */ (message).data, this.#listener);
  };

  /** @type {(message: Event) => void} */
  #takeStores = (message) => {
    takeStores(/** @type {MessageEvent} */ (message).data, this.#listener);
  };
}

/** @param {Event} event */
function giveNative(event) {
  try {
    // As the page has it, not as Firefox shows it to us.
    const asked = /** @type {any} */ (event).data.wrappedJSObject;
    makeNative(asked.method, asked, { defineAs: asked.name, allowCrossOriginArguments: true });
  } catch {
    // The hook goes on without.
  }
}

/**
 * Tells a late hook if there are no buckets but the default one: then that one has what the window
 * opened before.
 * @param {HTMLElement} node
 */
async function tellOfBuckets(node) {
  // A hook that was there first has seen all that the window opened.
  if (!isLate) return;
  const { storageBuckets } = /** @type {any} */ (navigator);
  try {
    if (storageBuckets !== undefined && (await storageBuckets.keys()).length > 0) return;
    node.dispatchEvent(new Event(NO_BUCKETS));
  } catch {
    // It is not known.
  }
}
