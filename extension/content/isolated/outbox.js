// The outbox: numbers each delivery, keeps it until the host has it on disk, and sends it again
// after every break.
//
// Invariants: the queue holds what is not acknowledged, in order, and its first `#sentCount`
// deliveries are on their way over the port that is open; a delivery gets its number when it is
// first sent, and keeps it; what is sent and not acknowledged fits into the background's window, or
// is one delivery; the page has its turn after each `TASK_UNITS` of text. What there is no room for
// is given up for a gap that names its stores.

import { SKIPPED, traceText } from "../shared/messages.js";
import { cut, newDelivery, newGap, storesOf, unitsOf, withoutBlobs } from "./delivery.js";
import { Turn } from "./turn.js";

/** How much text waits here at most, in UTF-16 units, before commits are given up. */
const MAX_QUEUE = 64 * 1024 * 1024;
/** How many UTF-16 units are sent before the page has its turn again: some milliseconds' worth. */
const TASK_UNITS = 512 * 1024;
/**
 * Shorter deliveries of a document that goes away leave in any case:
 * `protocol::wire::bridge::SMALLEST_WINDOW`.
 */
const NOTE_UNITS = 64 * 1024;

/** @typedef {import("./delivery.js").Delivery} Delivery */

/**
 * The way to the background, as far as the outbox has to do with it.
 * @typedef {{ isOpen: boolean, post: (message: import("./port.js").Message) => void }} Port
 */

export class Outbox {
  /**
   * Until the background says otherwise: `protocol::wire::bridge::BRIDGE_WINDOW`, `MAX_PART_UNITS`.
   */
  limits = { window: 4 * 1024 * 1024, part_units: 4 * 1024 * 1024 };

  /** @type {Delivery[]} */
  #queue = [];
  #sentCount = 0;
  #queuedUnits = 0;
  #sentUnits = 0;
  #lastSequence = 0;
  /**
   * @type {{ parts: string[], index: number } | null} What is left of the delivery whose turn it
   * is, if some of it is on its way.
   */
  #partial = null;
  /**
   * @type {Delivery | null} The one that waits for the bytes of its blobs; what comes after it
   * waits for it.
   */
  #filling = null;
  /** Whether the document is on its way out, frozen or in the back/forward cache. */
  #isLeaving = false;
  /** Whether something has left without the bytes of its blobs. */
  #lacksBlobs = false;
  /**
   * The readers that wait for a delivery: whether the host has it, or there was no room for it.
   * @type {Map<Delivery, (has: boolean) => void>}
   */
  #readers = new Map();
  /**
   * Of how many stretches of a delivery the host has said that its mirror has them alike.
   * @type {WeakMap<Delivery, number>}
   */
  #matches = new WeakMap();
  #turn = new Turn(() => this.send());
  #port;
  #pacing;
  #fill;

  /**
   * @param {Port} port
   * @param {import("./pacing.js").Pacing} pacing
   * @param {(text: string, blobs: ArrayLike<Blob>) => Promise<string>} fill resolves with the text
   * with the bytes of its blobs
   */
  constructor(port, pacing, fill) {
    this.#port = port;
    this.#pacing = pacing;
    this.#fill = fill;
  }

  /** Whether all deliveries have been sent over the port that is open. */
  get isAllSent() {
    return this.#sentCount === this.#queue.length;
  }

  get isEmpty() {
    return this.#queue.length === 0;
  }

  /**
   * Adds a delivery; `send` sends it.
   * @param {string} body
   * @param {{ droppable: boolean, blobs?: ArrayLike<Blob> | null, stacks?: string[] | null }} about
   */
  add(body, about) {
    this.#pacing.noteAdded();
    const delivery = newDelivery(body, about);
    this.#queue.push(delivery);
    this.#queuedUnits += body.length;
    if (this.#queuedUnits > MAX_QUEUE && delivery.droppable) this.#giveUpUnsent();
    if (body.length > TASK_UNITS) this.#givePageItsTurn();
    return delivery;
  }

  /**
   * Resolves when the fate of a delivery is known: whether the host has it; `false` if there was no
   * room for it on the way.
   * @param {Delivery} delivery
   * @returns {Promise<boolean>}
   */
  fateOf(delivery) {
    return new Promise((resolve) => this.#readers.set(delivery, resolve));
  }

  /**
   * The host's mirror has so many stretches of a delivery alike.
   * @param {number} sequence
   * @param {number} stretches
   */
  noteMatched(sequence, stretches) {
    const delivery = this.#queue.find((delivery) => delivery.sequence === sequence);
    if (delivery !== undefined) this.#matches.set(delivery, stretches);
  }

  /**
   * How many stretches of a delivery the host's mirror has alike, once the delivery's fate is
   * known. None if no answer has come: it may have been lost on the way.
   * @param {Delivery} delivery
   */
  matchesOf(delivery) {
    return this.#matches.get(delivery) ?? 0;
  }

  /** A new port is open: all that is not acknowledged is to be sent over it. */
  restart() {
    this.#rewindTo(0);
  }

  /** Sends what may be sent now. */
  send() {
    if (this.#turn.isGiven || this.#hasToWait()) return;
    /** @type {{ sequence: number, bodies: string[] }} */
    let together = { sequence: 0, bodies: [] };
    let unitsTogether = 0;
    const postTogether = () => {
      if (together.bodies.length > 0) this.#port.post(together);
      together = { sequence: 0, bodies: [] };
      unitsTogether = 0;
    };
    let units = 0;
    while (this.#port.isOpen && this.#sentCount < this.#queue.length) {
      const delivery = this.#queue[this.#sentCount];
      if (delivery.blobs !== null) {
        if (!this.#isLeaving) {
          if (this.#filling !== delivery) void this.#fillBlobs(delivery, delivery.blobs);
          break;
        }
        this.#leaveBlobs(delivery);
      }
      const { body } = delivery;
      if (this.#partial === null && !this.#fitsWindow(body)) break;
      if (units + Math.min(body.length, this.#partUnits()) > TASK_UNITS && this.#givePageItsTurn()) break;
      this.#pacing.noteSent();
      if (delivery.sequence === 0) delivery.sequence = ++this.#lastSequence;
      if (delivery.stacks !== null) this.#port.post(traceText(delivery.sequence, delivery.stacks));
      delivery.stacks = null;
      if (body.length > this.#partUnits()) {
        postTogether();
        const { sent, isWhole } = this.#postPart(delivery);
        units += sent;
        if (!isWhole) continue;
      } else {
        if (unitsTogether + body.length > this.limits.part_units) postTogether();
        if (together.bodies.length === 0) together.sequence = delivery.sequence;
        together.bodies.push(body);
        unitsTogether += body.length;
        units += body.length;
      }
      this.#sentCount += 1;
      this.#sentUnits += body.length;
    }
    postTogether();
  }

  /** @param {number} upTo the host has all deliveries up to this number */
  acknowledge(upTo) {
    while (this.#queue.length > 0 && this.#queue[0].sequence !== 0 && this.#queue[0].sequence <= upTo) {
      const delivery = /** @type {Delivery} */ (this.#queue.shift());
      const units = delivery.body.length;
      this.#queuedUnits -= units;
      if (this.#sentCount > 0) {
        this.#sentCount -= 1;
        this.#sentUnits -= units;
      } else {
        // It was being sent once more: its parts must not go on under the number of the next one.
        this.#partial = null;
      }
      this.#answerReader(delivery, true);
    }
    this.send();
  }

  /**
   * The background has no room for a delivery: a gap takes its place that has all stores read,
   * which goes piece by piece. What was read is read once more by its reader, in smaller pieces: a
   * gap would have the same read again.
   * @param {number} sequence
   */
  giveUp(sequence) {
    const index = this.#queue.findIndex((delivery) => delivery.sequence === sequence);
    if (index < 0) return;
    const delivery = this.#queue[index];
    const wasRead = this.#readers.has(delivery);
    this.#replaceBody(delivery, wasRead ? SKIPPED : newGap("the extension had no room for a large commit", []).body);
    this.#answerReader(delivery, false);
    // What was sent behind it may not have been taken either.
    this.#rewindTo(index);
    this.send();
  }

  /**
   * The document goes away: what is added from now on leaves at once.
   *
   * Before much leaves with the document, a gap does that has everything read: Firefox stops
   * scripts of a closed tab after some milliseconds. What is more than may be on its way is given
   * up for it, for its room comes back only to a document that stays.
   */
  leave() {
    this.#isLeaving = true;
    this.#turn.takeBack();
    const from = this.#firstUnsent();
    let units = unitsOf(this.#queue.slice(0, from));
    if (this.#queuedUnits - units <= TASK_UNITS) return;
    const rest = this.#queue.slice(from).filter(({ droppable, body }) => {
      units += body.length;
      return !droppable || units <= this.limits.window;
    });
    this.#replaceUnsent([newGap("a document went away with much to tell", []), ...rest]);
  }

  /** The document is here again; whether something left without the bytes of its blobs. */
  comeBack() {
    const lacksBlobs = this.#lacksBlobs;
    this.#isLeaving = this.#lacksBlobs = false;
    return lacksBlobs;
  }

  /** Nothing is wanted any more. */
  clear() {
    this.#queue = [];
    this.#queuedUnits = 0;
    this.#readers.clear();
    this.#rewindTo(0);
  }

  #hasToWait() {
    const isAnyUnsent = this.#sentCount < this.#queue.length;
    if (!isAnyUnsent || this.#isLeaving) return false;
    const state = { isAnySent: this.#sentCount > 0, unsentUnits: this.#queuedUnits - this.#sentUnits };
    return this.#pacing.hasToWait(state, () => this.send());
  }

  /** @param {string} body of a delivery of which nothing is on its way */
  #fitsWindow(body) {
    if (this.#sentUnits === 0 || this.#sentUnits + body.length <= this.limits.window) return true;
    return this.#isLeaving && body.length <= NOTE_UNITS;
  }

  #partUnits() {
    return Math.min(this.limits.part_units, TASK_UNITS);
  }

  /** Lets the page have its turn before more is sent; `false` if there is no time for that. */
  #givePageItsTurn() {
    if (this.#isLeaving) return false;
    this.#turn.give();
    return true;
  }

  /** @param {Delivery} delivery whose turn it is, longer than a part */
  #postPart({ sequence, body }) {
    this.#partial ??= { parts: cut(body, this.#partUnits()), index: 0 };
    const { parts, index } = this.#partial;
    this.#port.post({ sequence, index, count: parts.length, text: parts[index] });
    // A port that broke just now is followed by another, which starts from the beginning.
    const isWhole = ++this.#partial.index === parts.length;
    if (isWhole) this.#partial = null;
    return { sent: parts[index].length, isWhole };
  }

  /** Where in the queue the first delivery is of which nothing has been sent. */
  #firstUnsent() {
    const index = this.#queue.findIndex(({ sequence }) => sequence === 0);
    return index === -1 ? this.#queue.length : index;
  }

  /** @param {number} index the first delivery in the queue that is to be sent again */
  #rewindTo(index) {
    this.#sentCount = index;
    this.#sentUnits = unitsOf(this.#queue.slice(0, index));
    this.#partial = null;
  }

  /** Gives up commits that have not been sent for one gap that names their stores. */
  #giveUpUnsent() {
    const unsent = this.#queue.slice(this.#firstUnsent());
    const stores = unsent.filter(({ droppable }) => droppable).flatMap(({ body }) => storesOf(body));
    const gap = newGap("the host did not keep up, or was away for too long", stores);
    this.#replaceUnsent([gap, ...unsent.filter(({ droppable }) => !droppable)]);
  }

  /** @param {Delivery[]} deliveries in the place of all of which nothing has been sent */
  #replaceUnsent(deliveries) {
    this.#queue = [...this.#queue.slice(0, this.#firstUnsent()), ...deliveries];
    this.#queuedUnits = unitsOf(this.#queue);
  }

  /**
   * @param {Delivery} delivery
   * @param {boolean} has
   */
  #answerReader(delivery, has) {
    this.#readers.get(delivery)?.(has);
    this.#readers.delete(delivery);
  }

  /**
   * @param {Delivery} delivery
   * @param {ArrayLike<Blob>} blobs
   */
  async #fillBlobs(delivery, blobs) {
    this.#filling = delivery;
    let body;
    try {
      body = await this.#fill(delivery.body, blobs);
    } catch {
      // Out of memory, most likely. What follows must not wait for it.
      body = withoutBlobs(delivery.body);
      const gap = newGap("the bytes of blobs could not be read", storesOf(delivery.body));
      this.add(gap.body, { droppable: true });
    }
    if (this.#filling === delivery) this.#filling = null;
    // Perhaps it has been dropped, or sent as it was.
    if (delivery.blobs === null || !this.#queue.includes(delivery)) return;
    this.#replaceBody(delivery, body);
    this.send();
  }

  /**
   * What leaves with the document can't wait for bytes: another document brings them, or this one
   * if it comes back.
   * @param {Delivery} delivery
   */
  #leaveBlobs(delivery) {
    // First: Firefox may end the script.
    if (!this.#lacksBlobs) this.#queue.push(newGap("a document went away before its blobs were read", []));
    this.#replaceBody(delivery, withoutBlobs(delivery.body));
    this.#queuedUnits = unitsOf(this.#queue);
    this.#lacksBlobs = true;
  }

  /**
   * `#rewindTo` follows if the delivery is one of those that are sent.
   * @param {Delivery} delivery
   * @param {string} body without blobs to wait for
   */
  #replaceBody(delivery, body) {
    this.#queuedUnits += body.length - delivery.body.length;
    delivery.body = body;
    delivery.blobs = null;
  }
}
