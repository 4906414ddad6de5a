// Which workers the page has, as far as it shows without touching the page: none is hooked.
//
// Not seen are workers of `blob:` and `data:` addresses, and shared ones.

/** What the address of a worker's script ends with; or its last name has it in it. */
const SCRIPT = /\.[cm]?[jt]s(\?|$)|\/[^./?]*worker[^./?]*(\?|$)/i;

/** How many scripts are told of at most, and how much of an address. */
const MOST_SCRIPTS = 16;
const LONGEST_ADDRESS = 1024;

/**
 * What a document's workers are told to.
 * @typedef {object} WorkerListener
 * @property {(url: string) => void} tell a script that was not told of; without what stands behind
 * `?` or `#`, where secrets may be
 * @property {() => void} suspect a worker may be about to write
 */

export class Workers {
  #listener;
  #isWatching = false;
  /** @type {string[]} */
  #urls = [];

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
    this.#listener.suspect();
    const url = address.replace(/[?#].*$/s, "").slice(0, LONGEST_ADDRESS);
    if (this.#urls.length === MOST_SCRIPTS || this.#urls.includes(url)) return;
    this.#urls.push(url);
    this.#listener.tell(url);
  }
}
