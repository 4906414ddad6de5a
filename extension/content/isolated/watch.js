// Looks for writes that no hook sees, such as a worker's, and has the origin compared.
//
// One document of an origin does so, which the background chooses among those that a person can
// see. Two things make it ask for a comparison:
//
// - the meter has moved, and no captured commit explains it (`meter.js`);
// - it is time: where the meter misses commits; and where captured commits may have hidden unseen
//   ones, more often if there is a worker.
//
// Invariants: one comparison at a time; the time spent on them is a fraction of the time that
// passes; what finds nothing is done ever less often. What is written while a comparison reads
// leads to the next one, since the meter was read before it began.

import { Meter } from "./meter.js";
import {
  BUSY_INTERVAL,
  FIRST_WAIT,
  FORGIVING,
  IDLE_INTERVAL,
  LAST_WAIT,
  REST_LIMIT,
  ALARM_REST,
  SCHEDULED_REST,
  SHORTEST_REST,
  UNSUSPECTED_WAIT,
} from "../shared/timing.js";

/**
 * @typedef {object} WatchMeans
 * @property {() => Promise<import("./usage.js").Usage | null>} read reads the meter
 * @property {() => void} compare asks for a comparison; `noteCompared` follows
 * @property {() => void} accounted tells the background that others' commits are accounted for
 * @property {(milliseconds: number) => Promise<void>} after
 */

export class Watch {
  #means;
  #meter = new Meter();
  /** Counts the times that this document was chosen; even while it is not. */
  #round = 0;
  #interval = BUSY_INTERVAL;
  #readAt = -Infinity;
  /** Whether there is a reason to read it before the interval is over. */
  #isWoken = false;
  /** @type {() => void} */
  #wakeUp = () => {};

  /** Whether a worker is known, or unseen writes were found. */
  #isSuspect = false;
  /** Whether others' commits were reported that the background still takes for unaccounted. */
  #owesOthers = false;
  /** What calls for a comparison: an unexplained movement; commits that may hide one. */
  #isAlarmed = false;
  #isUnsure = false;

  /** The comparison that is asked for, or was last. */
  #isComparing = false;
  #wasAlarm = false;
  #hasFound = false;
  #began = 0;
  #ended = 0;
  /** Since when the next one waits that is only due by time. */
  #waitingSince = 0;
  #took = 0;
  /** How long the next one waits if it is only time for it, and behind a movement that was none. */
  #wait = FIRST_WAIT;
  #alarmWait = 0;

  /** @param {WatchMeans} means */
  constructor(means) {
    this.#means = means;
  }

  get #isChosen() {
    return this.#round % 2 === 1;
  }

  /**
   * The background has chosen this document, with what the one before has read.
   * @param {{ bytes: number, committed: boolean } | null} from
   */
  start(from) {
    this.#meter.goOnFrom(from);
    if (this.#isChosen) return;
    this.#round += 1;
    this.#wait = FIRST_WAIT;
    this.#waitingSince = performance.now();
    void this.#run(this.#round);
  }

  /** It is hidden, goes away, or its port broke; what the next one needs to know. */
  stop() {
    if (this.#isChosen) this.#round += 1;
    this.#wake();
    return this.#meter.handover;
  }

  /**
   * This document has committed.
   * @param {string} body
   */
  noteCommit(body) {
    this.#meter.noteOwn(body);
    this.#wake();
  }

  /** Another document has. */
  noteOthers() {
    this.#meter.noteOthers();
    this.#owesOthers = true;
    this.#wake();
  }

  /** There is a worker. */
  suspect() {
    this.#isSuspect = true;
    this.hurry();
  }

  /** A comparison has found what no captured commit explains. */
  noteFound() {
    this.#hasFound = true;
    this.#alarmWait = 0;
    this.suspect();
  }

  /**
   * The waits begin again: something may have been written unseen. A sign that comes while the
   * shortest wait is under way does not prolong it: signs may come faster than that.
   */
  hurry() {
    if (this.#wait === FIRST_WAIT) return;
    this.#wait = FIRST_WAIT;
    this.#waitingSince = performance.now();
  }

  /** A comparison is over that began after the last one was asked for. */
  noteCompared() {
    if (!this.#isComparing) return;
    this.#isComparing = false;
    this.#ended = this.#waitingSince = performance.now();
    this.#took = this.#ended - this.#began;
    if (this.#hasFound) return;
    if (!this.#wasAlarm) this.#wait = this.#scheduledWait * 2;
    else this.#alarmWait = Math.min(Math.max(this.#alarmWait * 2, FIRST_WAIT), LAST_WAIT);
  }

  /** @param {number} round */
  async #run(round) {
    while (this.#round === round) {
      await this.#look();
      if (this.#round !== round) return;
      if (!this.#isComparing && this.#isTime()) this.#compare();
      await this.#pause();
      const early = this.#readAt + BUSY_INTERVAL - performance.now();
      if (early > 0) await this.#means.after(early);
    }
  }

  /** Lets the interval pass, or waits until there is a reason to go on. */
  async #pause() {
    const woken = new Promise((resolve) => (this.#wakeUp = () => resolve(undefined)));
    if (!this.#isWoken) await Promise.race([woken, this.#means.after(this.#interval)]);
    this.#isWoken = false;
  }

  #wake() {
    this.#isWoken = true;
    this.#wakeUp();
  }

  async #look() {
    const owesOthers = this.#owesOthers;
    const verdict = await this.#meter.look(this.#means.read);
    this.#readAt = performance.now();
    this.#interval = verdict === "still" ? Math.min(this.#interval * 2, IDLE_INTERVAL) : BUSY_INTERVAL;
    if (verdict === "unexplained") this.#isAlarmed = true;
    if (verdict === "explained") this.#isUnsure = true;
    if (!owesOthers) return;
    this.#owesOthers = false;
    this.#means.accounted();
  }

  /** Whether a comparison is due. */
  #isTime() {
    const now = performance.now();
    const rested = now - this.#ended;
    const rest = (/** @type {number} */ factor) => Math.min(Math.max(this.#took * factor, SHORTEST_REST), REST_LIMIT);
    if (this.#isAlarmed) {
      // Rare ones are no burden.
      if (rested > this.#alarmWait * FORGIVING) this.#alarmWait = 0;
      return this.#began === 0 || rested >= Math.max(this.#alarmWait, rest(ALARM_REST));
    }
    if (!this.#isUnsure && !this.#meter.missesCommits) return false;
    const isRested = rested >= rest(this.#hasFound ? ALARM_REST : SCHEDULED_REST);
    return isRested && now - this.#waitingSince >= this.#scheduledWait;
  }

  get #scheduledWait() {
    const isLikely = this.#isSuspect || this.#meter.missesCommits;
    return isLikely ? Math.min(this.#wait, LAST_WAIT) : Math.max(this.#wait, UNSUSPECTED_WAIT);
  }

  #compare() {
    this.#isComparing = true;
    this.#wasAlarm = this.#isAlarmed;
    this.#isAlarmed = this.#isUnsure = this.#hasFound = false;
    this.#began = performance.now();
    this.#means.compare();
  }
}
