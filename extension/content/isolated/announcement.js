// Lets the background know while this document may have committed what it has not sent: its thread
// may be busy, and another document's commit of the same record may come first.
//
// Invariants: the background knows of a write before the page's call returns, so before another
// document can have seen what it wrote; it knows of the rest only behind all commits. A page that
// writes again and again says so once.

import { DOCUMENT_RESTS, DOCUMENT_WRITES } from "../shared/messages.js";
import { REST_CHECK } from "../shared/timing.js";
import { Turn } from "./turn.js";

/**
 * What an announcement has to do with.
 * @typedef {object} Surroundings
 * @property {(message: string) => void} post to the background
 * @property {() => void} ask the hook: `noteRested` follows if it rests
 * @property {() => boolean} isAllSent whether all deliveries have been sent
 * @property {() => boolean} isHidden whether the document is: its timers may be late by a minute
 * @property {(milliseconds: number) => Promise<void>} after
 */

export class Announcement {
  /** Whether the hook has said so, and may still mean it. */
  #isWriting = false;
  /** Whether the background knows. */
  #isPosted = false;
  #isWaiting = false;
  #turn = new Turn(() => this.#check());
  #around;

  /** @param {Surroundings} around */
  constructor(around) {
    this.#around = around;
  }

  /** A transaction writes, or something is to be sent once more. */
  noteWriting() {
    this.#isWriting = true;
    if (!this.#isPosted) this.#around.post(DOCUMENT_WRITES);
    this.#isPosted = true;
    void this.#checkLater();
  }

  /** No transaction writes. */
  noteRested() {
    this.#isWriting = false;
  }

  /** A transaction has committed. */
  noteCommit() {
    if (this.#isPosted && this.#around.isHidden()) this.#turn.give();
  }

  /** A new port is open: nothing was posted over it. */
  restart() {
    this.#isPosted = false;
    if (this.#isWriting || !this.#around.isAllSent()) this.noteWriting();
  }

  async #checkLater() {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    try {
      await this.#around.after(REST_CHECK);
    } catch {
      // The page's stack ended here: the next write or commit leads to a check.
      return;
    } finally {
      this.#isWaiting = false;
    }
    this.#check();
  }

  #check() {
    if (!this.#isPosted) return;
    if (this.#isWriting) this.#around.ask();
    if (this.#isWriting || !this.#around.isAllSent()) return void this.#checkLater();
    this.#isPosted = false;
    this.#around.post(DOCUMENT_RESTS);
  }
}
