// Which workers the page has that are not hooked, as far as it shows without touching the page.
//
// Not seen are workers of `blob:` and `data:` addresses, and shared ones.

import { LONGEST_ADDRESS } from "../shared/channel.js";

/** What the address of a worker's script ends with; or its last name has it in it. */
const SCRIPT = /\.[cm]?[jt]s(\?|$)|\/[^./?]*worker[^./?]*(\?|$)/i;

/** How many scripts are reported at most. */
const MOST_SCRIPTS = 16;

/** How many scripts are remembered that are hooked, until the browser tells of them. */
const MOST_HOOKED = 1024;

/**
 * The receivers of a document's workers.
 * @typedef {object} WorkerListener
 * @property {(url: string) => void} tell a script that was not reported yet; without what stands
 * behind `?` or `#`, where secrets may be
 * @property {() => void} suspect a worker may be about to write
 */

export class Workers {
  #listener;
  #isWatching = false;
  /** @type {string[]} */
  #urls = [];
  /** @type {Set<string>} The addresses of the last scripts that were hooked. */
  #hooked = new Set();

  /** @param {WorkerListener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  get areKnown() {
    return this.#urls.length > 0;
  }

  /** From now on, with those of before. */
  watch() {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#watchScripts();
    void this.askForServiceWorkers();
  }

  /**
   * The next worker with this script is hooked: its writes are captured. One without a hook that is
   * known stays so.
   * @param {string} address
   */
  noteHooked(address) {
    this.#hooked.add(withoutFragment(address));
    const [oldest] = this.#hooked;
    if (this.#hooked.size > MOST_HOOKED) this.#hooked.delete(oldest);
  }

  /**
   * It runs without a hook after all.
   * @param {string} address
   */
  noteMissed(address) {
    this.#hooked.delete(withoutFragment(address));
    this.#see(address);
  }

  /** Workers that start from now on have no hook. */
  forgetHooked() {
    this.#hooked.clear();
    this.#listener.suspect();
  }

  /** To a background that knows none. */
  tellAgain() {
    for (const url of this.#urls) this.#listener.tell(url);
  }

  /** One may have been registered since. */
  async askForServiceWorkers() {
    try {
      // One that does not control this document may write as well.
      for (const { active, waiting, installing } of await navigator.serviceWorker.getRegistrations()) {
        const worker = active ?? waiting ?? installing;
        if (worker !== null) this.#see(worker.scriptURL);
      }
    } catch {
      // Pages without TLS and sandboxed ones have none.
    }
  }

  #watchScripts() {
    try {
      // Engines do not tell a worker's script from other things that are not named, such as icons.
      const observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntriesByType("resource")) {
          const { initiatorType } = /** @type {PerformanceResourceTiming} */ (entry);
          if (initiatorType === "other" && SCRIPT.test(entry.name)) this.#see(entry.name);
        }
      });
      observer.observe({ type: "resource", buffered: true });
    } catch {
      // Without it workers are found by what they write.
    }
  }

  /** @param {string} address */
  #see(address) {
    if (this.#hooked.has(withoutFragment(address))) return;
    this.#listener.suspect();
    const url = withoutSecrets(address);
    if (this.#urls.length === MOST_SCRIPTS || this.#urls.includes(url)) return;
    this.#urls.push(url);
    this.#listener.tell(url);
  }
}

/** @param {string} address */
const withoutFragment = (address) => address.replace(/#.*$/s, "");

/**
 * An address without what stands behind `?` or `#`.
 * @param {string} address
 */
const withoutSecrets = (address) => address.replace(/[?#].*$/s, "").slice(0, LONGEST_ADDRESS);
