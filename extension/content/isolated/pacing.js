// When small commits wait for each other, as small segments do in TCP (RFC 896): each message costs
// the machine more than what is in it, all the way to the caches.

import { LONGEST_WAIT, STREAM } from "../shared/timing.js";

/** Less than this many UTF-16 units wait to travel together. */
const BATCH_UNITS = 64 * 1024;

export class Pacing {
  /** When a delivery was last sent, by `performance.now()`. */
  #sentAt = 0;
  /** When the last one came in, and whether it came right after another. */
  #addedAt = 0;
  #isStream = false;
  /** Whether `send` follows when the time has come. */
  #isWaiting = false;
  #isHidden;
  #after;

  /**
   * @param {() => boolean} isHidden whether the document is: its timers may be late by seconds
   * @param {(milliseconds: number) => Promise<void>} after
   */
  constructor(isHidden, after) {
    this.#isHidden = isHidden;
    this.#after = after;
  }

  noteAdded() {
    const now = performance.now();
    this.#isStream = now - this.#addedAt < STREAM;
    this.#addedAt = now;
  }

  noteSent() {
    this.#sentAt = performance.now();
  }

  /**
   * Whether what is unsent had better wait for company; then `send` is called in time.
   * @param {{ isAnySent: boolean, unsentUnits: number }} state of which something is unsent
   * @param {() => void} send
   */
  hasToWait({ isAnySent, unsentUnits }, send) {
    if ((!isAnySent && !this.#isStream) || this.#isHidden() || unsentUnits >= BATCH_UNITS) return false;
    const wait = this.#sentAt + LONGEST_WAIT - performance.now();
    if (wait > 0) void this.#sendAfter(wait, send);
    return wait > 0;
  }

  /**
   * @param {number} wait in milliseconds
   * @param {() => void} send
   */
  async #sendAfter(wait, send) {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    try {
      await this.#after(wait);
    } catch {
      // The page's stack ended here. The next delivery takes along what waits.
      return;
    } finally {
      this.#isWaiting = false;
    }
    send();
  }
}
