// Reading stores again that may have been written to unseen, at a rate that the page can bear.

import { COMPARE_DELAY, LONGEST_REST, REST } from "../shared/timing.js";

/** @typedef {import("./read_origin.js").Store} Store */

export class Comparisons {
  /** @type {Map<string, Store>} */
  #due = new Map();
  #isComparing = false;
  #isStopped;
  #read;
  #after;

  /**
   * @param {() => boolean} isStopped
   * @param {(stores: Store[]) => Promise<void>} read
   * @param {(milliseconds: number) => Promise<void>} after
   */
  constructor(isStopped, read, after) {
    this.#isStopped = isStopped;
    this.#read = read;
    this.#after = after;
  }

  /** @param {Store[]} stores */
  async compareSoon(stores) {
    for (const store of stores) this.#due.set(JSON.stringify(store), store);
    if (this.#isComparing) return;
    this.#isComparing = true;
    try {
      while (this.#due.size > 0 && !this.#isStopped()) {
        await this.#after(COMPARE_DELAY);
        const began = performance.now();
        const stores = [...this.#due.values()];
        this.#due.clear();
        await this.#read(stores);
        await this.#after(Math.min((performance.now() - began) * REST, LONGEST_REST));
      }
    } catch {
      // The page's stack ended here, or there was no memory. What is due waits for the next call.
    }
    this.#isComparing = false;
  }
}
