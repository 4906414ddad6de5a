// Whether captured commits explain that the storage meter has moved.
//
// Invariants: a movement that comes without a commit is unexplained, no matter how many commits
// follow; a movement is never explained by a commit that the meter showed before. What is written
// unseen between two readings with a commit between them looks the same as it.

import { CLEANUP, OTHERS_PATIENCE, OWN_PATIENCE } from "../shared/timing.js";

/** A commit this short, in UTF-16 units, may fit into pages that are counted already. */
const SMALL = 1024;
/** So many that leave the meter where it was show that others may, too. */
const ENOUGH_MISSES = 2;
/** How the bodies begin of commits that put something, of those that delete a database. */
const PUT = '{"put":{';
const DELETION = '{"deletion":';

/** @typedef {"still" | "moving" | "explained" | "unexplained"} Verdict */

export class Meter {
  /**
   * @type {number | null} What is accounted for.
   */
  #bytes = null;
  /** Captured commits since the last reading began: of this document, and of others. */
  #own = false;
  #others = false;
  /** Whether one of this document's puts something, and is small. */
  #hasSmallPut = false;
  /** Until when the browser may remove files, by `performance.now()`. */
  #cleanupUntil = 0;
  /**
   * @type {number | null} When a movement was first seen that nothing explains so far.
   */
  #movedAt = null;
  #isExact = false;
  #isEmpty = false;
  #isReading = false;
  /** How many commits have left the meter where it was. */
  #misses = 0;

  /** Whether there may be commits that do not move the meter. */
  get missesCommits() {
    return this.#misses >= ENOUGH_MISSES || !(this.#isExact || this.#isEmpty);
  }

  /**
   * Goes on from what another document has read.
   * @param {{ bytes: number, committed: boolean } | null} from
   */
  goOnFrom(from) {
    this.#movedAt = null;
    // The other document may have read what this one has committed.
    this.#hasSmallPut = false;
    if (from === null) return;
    this.#bytes = from.bytes;
    this.#others ||= from.committed;
  }

  /** What the document that goes on needs to know; null before the first reading. */
  get handover() {
    return this.#bytes === null ? null : { bytes: this.#bytes, committed: this.#own || this.#others };
  }

  /**
   * This document has committed.
   * @param {string} body
   */
  noteOwn(body) {
    this.#own = true;
    // What is being read may have it, and the next reading show no movement.
    this.#hasSmallPut ||= !this.#isReading && body.length < SMALL && body.includes(PUT);
    if (body.startsWith(DELETION)) this.#cleanupUntil = performance.now() + CLEANUP;
  }

  /** Another document has. */
  noteOthers() {
    this.#others = true;
  }

  /**
   * Reads the meter.
   * @param {() => Promise<import("./usage.js").Usage | null>} read
   * @returns {Promise<Verdict>}
   */
  async look(read) {
    const before = { own: this.#own, others: this.#others, hasSmallPut: this.#hasSmallPut };
    this.#own = this.#others = this.#hasSmallPut = false;
    this.#isReading = true;
    const usage = await read();
    this.#isReading = false;
    if (usage === null) return "still";
    this.#isExact ||= usage.unit === "exact";
    this.#isEmpty = usage.unit === "empty";
    const { bytes } = usage;
    // What was committed meanwhile may be in it, or in the next reading.
    const own = before.own || this.#own;
    const others = before.others || this.#others;
    if (bytes === (this.#bytes ?? bytes)) {
      if (this.#bytes !== null && before.hasSmallPut) this.#misses += 1;
      return this.#accountFor(bytes, "still");
    }
    // Pages are given back at any time.
    if (!this.#isExact && !this.#isEmpty && bytes < (this.#bytes ?? 0)) return this.#accountFor(bytes, "still");
    const now = performance.now();
    this.#movedAt ??= now;
    const age = now - this.#movedAt;
    if (others || (own && age <= OWN_PATIENCE) || now < this.#cleanupUntil) {
      return this.#accountFor(bytes, "explained");
    }
    return age < OTHERS_PATIENCE ? "moving" : this.#accountFor(bytes, "unexplained");
  }

  /**
   * @param {number} bytes
   * @param {Verdict} verdict
   */
  #accountFor(bytes, verdict) {
    this.#bytes = bytes;
    this.#movedAt = null;
    return verdict;
  }
}
