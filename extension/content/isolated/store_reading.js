// Reads a store, and tells the host what its mirror has otherwise.
//
// Most stores are as the host knows them. So it is asked first, by the digests of long stretches,
// which of them its mirror has alike. One that differs is read again and divided: the host is asked
// about each of its pieces, and only a piece that differs is read once more and sent. Where the
// answers say that nothing is alike (a store that is new to the host, or one that a redaction rule
// concerns), records are sent at once, and it is asked ever more rarely.
//
// Invariants: stretches are dealt with in the order of their keys, so that the host can follow a
// reading from the store's beginning to its end; every piece that no answer calls equal is sent; no
// more text than that of one stretch is kept while the host is asked.

import { digestsText, snapshotText, stretchText } from "../shared/messages.js";
import { DIGESTS_TIME, FIRST_PAUSE, LAST_PAUSE, STRETCH_TIME } from "../shared/timing.js";
import { digestOf } from "./digest.js";
import { newPace } from "./pace.js";
import { Stretches, WHOLE } from "./stretches.js";
import { after, idle } from "./time.js";

/** How much a stretch that is reported by its digest has at most, unless it is one piece. */
const STRETCH_RECORDS = 2048;
const STRETCH_UNITS = 512 * 1024;
const STRETCH_PIECES = 32;
/** How many stretches, and how much text of them, one question is about at most. */
const ASKED_STRETCHES = 64;
const ASKED_UNITS = 16 * 1024 * 1024;
/** A store with less text than that is sent: its digest would take as much. */
const SHORT_UNITS = 512;
/** After so many answers in a row that call nothing equal the pieces in question are sent. */
const ASKED_IN_VAIN = 4;
/** How many pieces are sent at most between two questions that find nothing equal. */
const SENT_AT_ONCE = 63;

/** @typedef {import("./stretches.js").Piece} Piece */

/**
 * A stretch that was read and is reported by its digest.
 * @typedef {import("./stretches.js").Range & {
 *   text: string,
 *   units: number,
 *   pieces: number,
 * }} DigestedStretch
 */

/**
 * Tells the host what it lacks of a store.
 * @param {import("./read_origin.js").Store} store
 * @param {boolean} isLittle what `usesLittle` says of the origin
 * @param {import("./read_origin.js").Host} host
 * @returns {Promise<void>}
 */
export async function readStore(store, isLittle, host) {
  await new StoreReading({ ...store, version: undefined, pace: newPace(isLittle) }, host).run();
}

class StoreReading {
  #of;
  #host;
  /** The stretch that is being put together. @type {Piece[]} */
  #pieces = [];
  #pieceUnits = 0;
  /** The stretches that the host is to be asked about. @type {DigestedStretch[]} */
  #stretches = [];
  #since = 0;
  /** How many stretches the next question is about; 0: one piece. */
  #toAsk = 0;
  /** How many answers in a row did not. */
  #inVain = 0;
  /** How many pieces are sent before the host is asked again. */
  #toSend = 0;
  #delay = FIRST_PAUSE;

  /**
   * @param {import("./stretches.js").ReadStore} of
   * @param {import("./read_origin.js").Host} host
   */
  constructor(of, host) {
    this.#of = of;
    this.#host = host;
  }

  async run() {
    try {
      await this.#readAll();
    } catch (error) {
      // What was read until then is not lost; why there is no more is said.
      await this.#askCollected().catch(() => {});
      throw error;
    }
  }

  async #readAll() {
    const stretches = new Stretches(this.#of, WHOLE);
    for (;;) {
      const piece = await stretches.next();
      if (piece === null) return;
      const isWhole = piece.after === undefined && piece.until === undefined;
      if (this.#toSend > 0 || (isWhole && unitsOfPiece(piece) < SHORT_UNITS)) {
        if (!(await this.#tell(stretches, piece))) continue;
        this.#toSend -= 1;
      } else {
        stretches.accept(piece);
        await this.#add(piece);
      }
      if (piece.isLast) return;
      await idle();
    }
  }

  /**
   * Adds a piece to the stretch that is being put together, and asks the host once there is enough
   * to ask about: at first one piece, then ever more stretches while all are alike. Behind one that
   * differs it begins again: a page that goes on writing would make most stretches differ from what
   * was read seconds before the question.
   * @param {Piece} piece
   */
  async #add(piece) {
    const now = performance.now();
    if (this.#pieces.length === 0 && this.#stretches.length === 0) this.#since = now;
    this.#pieces.push(piece);
    this.#pieceUnits += unitsOfPiece(piece);
    const isDue = piece.isLast || this.#toAsk === 0 || now - this.#since > DIGESTS_TIME;
    if (isDue || this.#isStretchFull(piece)) {
      const pieces = this.#pieces;
      this.#pieces = [];
      this.#pieceUnits = 0;
      this.#stretches.push(await digested(pieces));
    }
    const units = this.#stretches.reduce((units, stretch) => units + stretch.units, 0);
    if (!isDue && this.#stretches.length < this.#toAsk && units < ASKED_UNITS) return;
    const asked = this.#stretches;
    this.#stretches = [];
    const isAlike = await this.#compare(asked);
    this.#toAsk = isAlike ? Math.min(Math.max(this.#toAsk * 2, 1), ASKED_STRETCHES) : 0;
    this.#toSend = Math.min(2 ** Math.max(this.#inVain - 1, 0) - 1, SENT_AT_ONCE);
  }

  /** Asks about the stretches that have been put together, and about what there is of the next. */
  async #askCollected() {
    if (this.#pieces.length > 0) this.#stretches.push(await digested(this.#pieces));
    this.#pieces = [];
    await this.#compare(this.#stretches);
  }

  /** @param {Piece} piece the last one of the stretch */
  #isStretchFull({ source }) {
    const records = this.#pieces.reduce((records, { texts }) => records + texts.length, 0);
    return (
      records >= STRETCH_RECORDS ||
      this.#pieceUnits >= STRETCH_UNITS ||
      this.#pieces.length >= STRETCH_PIECES ||
      source.readAt - this.#pieces[0].source.beganAt > STRETCH_TIME
    );
  }

  /**
   * Asks the host about stretches that follow each other, and tells what differs in each.
   * @param {DigestedStretch[]} stretches
   * @returns {Promise<boolean>} whether all are alike
   */
  async #compare(stretches) {
    let isAlike = true;
    let inVain = 0;
    while (stretches.length > 0) {
      const alike = inVain < ASKED_IN_VAIN ? await this.#ask(stretches.slice(0, ASKED_STRETCHES)) : 0;
      stretches.splice(0, alike);
      if (alike > 0) this.#inVain = inVain = 0;
      // Perhaps more were asked for than are in one question.
      if (alike >= ASKED_STRETCHES) continue;
      const differing = stretches.shift();
      if (differing === undefined) break;
      isAlike = false;
      this.#inVain += 1;
      inVain += 1;
      if (differing.pieces > 1 && inVain < ASKED_IN_VAIN) await this.#divide(differing);
      else await this.#tellAll(differing);
    }
    return isAlike;
  }

  /** @param {DigestedStretch[]} stretches */
  #ask(stretches) {
    const { bucket, database, store, version = 0 } = this.#of;
    const texts = stretches.map(({ text }) => text);
    return this.#host.compare(digestsText({ bucket, database, version, store }, stretches[0].after?.text, texts));
  }

  /** @param {import("./stretches.js").Range} range */
  async #divide(range) {
    /** @type {DigestedStretch[]} */
    const parts = [];
    await this.#each(range, async (stretches, piece) => {
      stretches.accept(piece);
      parts.push(await digested([piece]));
      return true;
    });
    await this.#compare(parts);
  }

  /** @param {import("./stretches.js").Range} range */
  #tellAll(range) {
    return this.#each(range, (stretches, piece) => this.#tell(stretches, piece));
  }

  /**
   * @param {import("./stretches.js").Range} range
   * @param {(stretches: Stretches, piece: Piece) => Promise<boolean>} deal whether the next one
   * follows
   */
  async #each(range, deal) {
    const stretches = new Stretches(this.#of, range);
    for (;;) {
      const piece = await stretches.next();
      if (piece === null) return;
      if (!(await deal(stretches, piece))) continue;
      if (piece.isLast) return;
      await idle();
    }
  }

  /**
   * Tells the host what a piece holds; `false` if there was no room for it on the way.
   * @param {Stretches} stretches
   * @param {Piece} piece
   */
  async #tell(stretches, piece) {
    const { source, keyPathText, texts } = piece;
    const range = { keyPathText, afterText: piece.after?.text, untilText: piece.until?.text };
    if (await this.#host.tell(snapshotText(source, range, texts))) {
      this.#delay = FIRST_PAUSE;
      stretches.accept(piece);
      return true;
    }
    stretches.giveBack(piece);
    await after(this.#delay);
    this.#delay = Math.min(this.#delay * 2, LAST_PAUSE);
    return false;
  }
}

/** @param {Piece} piece */
const unitsOfPiece = ({ texts }) => texts.reduce((units, text) => units + text.length, 0);

/**
 * Pieces that follow each other, as one stretch.
 * @param {Piece[]} pieces
 * @returns {Promise<DigestedStretch>}
 */
async function digested(pieces) {
  const records = pieces.flatMap(({ texts }) => texts);
  const joined = records.join(",");
  const { after, source } = pieces[0];
  const { until, source: lastSource } = pieces[pieces.length - 1];
  const text = stretchText({
    untilText: until?.text,
    beganAt: source.beganAt,
    readAt: lastSource.readAt,
    records: records.length,
    digest: await digestOf(joined),
  });
  return { after, until, text, units: joined.length, pieces: pieces.length };
}
