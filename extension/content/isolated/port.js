// The port to the background: opened when there is something to say, and again after a break, with
// a growing delay.

import { FIRST_DELAY, LAST_DELAY } from "../shared/timing.js";
import { isFirefox } from "./engine.js";
import { randomName } from "./random_name.js";

/**
 * What the bridge says: JSON (`protocol::wire::bridge::FromBridge`), or bodies whose numbers follow
 * each other, or a piece of one that is too long for one message. Bodies are data: nothing in them
 * reaches into what is around them, and they are checked where no page waits for it.
 * @typedef {{ sequence: number, bodies: string[] }} Bodies
 * @typedef {{ sequence: number, index: number, count: number, text: string }} Part
 * @typedef {string | Bodies | Part} Message
 */

/**
 * What a port has to tell of.
 * @typedef {object} Listener
 * @property {() => void} opened a new port is open, and nothing has been posted over it
 * @property {(text: string) => void} received
 * @property {() => void} refused the extension accepts nothing more from this document
 */

/**
 * @typedef {{ worker?: StartingWorker, areWorkersFree?: boolean }} Question
 * @typedef {import("./worker_questions.js").StartingWorker} StartingWorker
 */

/**
 * Answers what the background asks this document alone, without a port: it may ask before one is
 * open. Only the extension's own pages and its background can ask.
 * @param {(question: Question) => unknown} answer
 * undefined: there is none. `areWorkersFree`: those that start from now on have no hook
 */
export function hearBackground(answer) {
  chrome.runtime.onMessage.addListener((question, _sender, respond) => {
    const given = answer(question);
    if (given !== undefined) respond(given);
  });
}

export class BackgroundPort {
  /** @type {chrome.runtime.Port | null} */
  #port = null;
  #delay = FIRST_DELAY;
  #isStopped = false;
  #isBrief = false;
  /** The same for all ports of this document. */
  #name = `bridge ${randomName()}`;
  #listener;
  #after;

  /**
   * @param {Listener} listener
   * @param {(milliseconds: number) => Promise<void>} after
   */
  constructor(listener, after) {
    this.#listener = listener;
    this.#after = after;
  }

  get isOpen() {
    return this.#port !== null;
  }

  /**
   * Whether it lasts as long as its document. In Firefox it does, and the messages of a new one may
   * come too late.
   */
  get lasts() {
    return isFirefox;
  }

  get isStopped() {
    return this.#isStopped;
  }

  open() {
    if (this.#isStopped || this.#port !== null) return;
    /** @type {chrome.runtime.Port} */
    let port;
    try {
      port = chrome.runtime.connect({ name: this.#name });
      port.onMessage.addListener((text) => this.#listener.received(text));
      // The end of an older port may be reported late.
      port.onDisconnect.addListener(() => this.#port === port && this.#reopenLater());
    } catch {
      // The extension was updated or removed, so it accepts nothing more from this document.
      this.#listener.refused();
      return;
    }
    // A port without listeners would be open for good, and deaf.
    this.#port = port;
    this.#listener.opened();
  }

  /** @param {Message} message is lost without a port that is open */
  post(message) {
    try {
      this.#port?.postMessage(message);
    } catch {
      // The port broke just now; `onDisconnect` follows, or the extension is gone.
      this.#reopenLater();
    }
  }

  close() {
    this.#port?.disconnect();
    this.#port = null;
  }

  /** The background has answered: after the next break, it is asked soon. */
  forgetBreaks() {
    this.#delay = FIRST_DELAY;
  }

  /** Closes the port for good. */
  stop() {
    this.#isStopped = true;
    this.close();
  }

  /**
   * The document goes away, but may come back. In Chromium it keeps no port open: the browser has
   * cut it already where the next page is another site's, without telling us, and takes a document
   * out of its cache when a port brings a message. What is still said gets a port for as long as
   * that takes.
   */
  becomeBrief() {
    if (this.lasts) return;
    this.#isBrief = true;
    this.close();
  }

  /** The document is back. The old port may have lost messages meanwhile: a new one is needed. */
  becomeLasting() {
    this.#isBrief = false;
    this.close();
  }

  /** Closes the port of a document that keeps none, when the script that runs is done. */
  async closeIfBrief() {
    if (!this.#isBrief) return;
    await null;
    if (this.#isBrief) this.close();
  }

  #reopenLater() {
    if (this.#port === null) return;
    this.#port = null;
    if (this.#isStopped || this.#isBrief) return;
    void this.#after(this.#delay).then(() => this.open());
    this.#delay = Math.min(this.#delay * 2, LAST_DELAY);
  }
}
