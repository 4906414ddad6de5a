// Reads a range of a store, a piece at a time, in key order.
//
// A piece is what one transaction has read, or as much of that as fits into one body. It is read
// again, with less at once, if it is given back.

import { encode } from "../shared/encode.js";
import { readStretch, someTexts, unlessTooMuch } from "./reader.js";

/**
 * A store that is being read.
 * @typedef {object} ReadStore
 * @property {string} bucket
 * @property {string} database
 * @property {string} store
 * @property {number | undefined} version of the database, once it is known
 * @property {import("./pace.js").Pace} pace
 */

/**
 * The end of a range of keys.
 * @typedef {{ key: IDBValidKey, text: string }} Bound
 */

/**
 * The keys behind the one bound, up to and with the other; undefined: from the store's beginning,
 * to its end.
 * @typedef {{ after: Bound | undefined, until: Bound | undefined }} Range
 */

/**
 * @typedef {Range & {
 *   source: import("../shared/messages.js").Source,
 *   keyPathText: string | undefined,
 *   texts: string[],
 *   isLast: boolean,
 * }} Piece with the records' texts; `isLast`: it ends the range
 */

/**
 * What was read at once, and how much of it is in pieces.
 * @typedef {import("./reader.js").Stretch & {
 *   beganAt: number,
 *   readAt: number,
 *   isAll: boolean,
 *   index: number,
 * }} ReadAtOnce `isAll`: nothing of the range is behind it
 */

/** All of a store. */
export const WHOLE = { after: undefined, until: undefined };

export class Stretches {
  #of;
  /** Behind this key the next piece begins. */
  #after;
  #until;
  /** @type {ReadAtOnce | null} */
  #read = null;

  /**
   * @param {ReadStore} of
   * @param {Range} range
   */
  constructor(of, { after, until }) {
    this.#of = of;
    this.#after = after;
    this.#until = until;
  }

  /**
   * The next piece, or the same once more if it was not accepted; null if there is no such
   * database. Fails if the page changes the database's shape or deletes it meanwhile: what follows
   * such a change is another reading's business.
   * @returns {Promise<Piece | null>}
   */
  async next() {
    while (this.#read === null) if (!(await this.#readOn())) return null;
    const { bucket, database, store, version } = this.#of;
    const { keys, values, index, beganAt, readAt, isAll, keyPathText } = this.#read;
    const { texts, next } = await someTexts(keys, values, index);
    this.#read.index = next;
    const isLast = next === keys.length && (isAll || isAt(keys[next - 1], this.#until));
    return {
      source: { bucket, database, version: version ?? 0, store, beganAt, readAt },
      keyPathText,
      after: this.#after,
      until: isLast ? this.#until : { key: keys[next - 1], text: /** @type {string} */ (encode(keys[next - 1], true)) },
      texts,
      isLast,
    };
  }

  /**
   * The last piece is dealt with.
   * @param {Piece} piece
   */
  accept({ texts, until }) {
    this.#of.pace.saw(texts);
    this.#after = until;
    if (this.#read?.index === this.#read?.keys.length) this.#read = null;
  }

  /**
   * There was no room for the last piece.
   * @param {Piece} piece
   */
  giveBack({ texts }) {
    this.#of.pace.halve(texts.length);
    this.#read = null;
  }

  /** Reads on; whether the database is there. */
  async #readOn() {
    const { bucket, database, store, version, pace } = this.#of;
    const beganAt = Date.now();
    const { count } = pace;
    const range = rangeOf(this.#after, this.#until);
    const stretch = await unlessTooMuch(pace, () => readStretch(bucket, database, store, range, count));
    if (stretch === undefined) return true;
    if (stretch === null && version === undefined) return false;
    if (stretch === null || (version ?? stretch.version) !== stretch.version) throw new Error("the database changes");
    this.#of.version = stretch.version;
    this.#read = { ...stretch, beganAt, readAt: Date.now(), isAll: stretch.keys.length < count, index: 0 };
    return true;
  }
}

/**
 * @param {IDBValidKey} key
 * @param {Bound | undefined} bound
 */
const isAt = (key, bound) => bound !== undefined && indexedDB.cmp(key, bound.key) === 0;

/**
 * @param {Bound | undefined} after
 * @param {Bound | undefined} until
 */
function rangeOf(after, until) {
  if (until === undefined) return after && IDBKeyRange.lowerBound(after.key, true);
  return after === undefined ? IDBKeyRange.upperBound(until.key) : IDBKeyRange.bound(after.key, until.key, true);
}
