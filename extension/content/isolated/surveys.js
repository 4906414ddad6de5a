// When the origin's databases are read as a whole.
//
// A document asks for a survey when it starts, and when commits tell too little of what has
// changed. The background chooses one document of the origin, which reads.

import { SURVEY_AGAIN, SURVEY_DELAY } from "../shared/timing.js";

/** How often a survey is begun again because databases changed meanwhile. */
const MAX_ATTEMPTS = 5;

/**
 * @typedef {object} Means
 * @property {() => void} ask asks the background for a survey; a port that is opened asks by itself
 * @property {() => Promise<boolean>} read reads all that there is; whether everything could be read
 * @property {() => void} end tells the background that a survey is over
 * @property {() => boolean} isStopped
 * @property {(milliseconds: number) => Promise<void>} after
 */

export class Surveys {
  /** Whether everything is to be read, by this document or another of the origin. */
  isWanted;
  /** How often something changed that a survey is to see. */
  #changes = 0;
  #isAskedSoon = false;
  /** Whether this document is chosen, and has not begun. */
  #isDue = false;
  #isReading = false;
  #means;

  /**
   * @param {boolean} isWanted
   * @param {Means} means
   */
  constructor(isWanted, means) {
    this.isWanted = isWanted;
    this.#means = means;
  }

  /** Asks for a survey once what there is to be seen has had a moment to be there. */
  async askSoon() {
    this.#changes += 1;
    if (this.#isAskedSoon) return;
    this.#isAskedSoon = true;
    try {
      while (this.#changes > 0) {
        this.#changes = 0;
        await this.#means.after(SURVEY_DELAY);
        this.isWanted = true;
        this.#means.ask();
      }
    } catch {
      // The page's stack ended here. The next change asks, or the next port.
      this.isWanted = true;
    }
    this.#isAskedSoon = false;
  }

  /** Asks for a survey at once. */
  askNow() {
    this.isWanted = true;
    this.#means.ask();
  }

  /** This document is chosen. */
  async begin() {
    this.#isDue = true;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      for (let attempt = 1; this.#isDue && !this.#means.isStopped(); attempt++) {
        this.#isDue = false;
        // The page may change a database while it is read: what it looks like afterwards needs
        // another look.
        if (!(await this.#means.read()) && attempt < MAX_ATTEMPTS) {
          await this.#means.after(attempt * SURVEY_AGAIN);
          this.#isDue = true;
        }
      }
      this.#means.end();
    } catch {
      // There was no memory to read with, say. Another document takes over from a silent one.
    }
    this.#isReading = false;
  }
}
