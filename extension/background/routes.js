// Which document listens to which shared or service worker, on which channel. These workers outlive
// documents, and what is known here outlives the background: a worker that runs keeps its channel.

/** @typedef {{ tab: number, frame: number }} Place a document */
/** @typedef {Place & { url: string, channel: string }} Route */

/**
 * Whether two places are the same.
 * @param {Place} one
 * @param {Place} other
 */
const areSame = (one, other) => one.tab === other.tab && one.frame === other.frame;

export class Routes {
  /** @type {Map<string, Route>} By the workers' targets. */
  #routes = new Map();
  #keep;
  #release;

  /**
   * @param {(routes: [string, Route][]) => void} keep stores them
   * @param {(route: Route) => void} release the document of this route is not to listen any more
   */
  constructor(keep, release) {
    this.#keep = keep;
    this.#release = release;
  }

  /** @param {[string, Route][]} kept what was stored; what is known since then is younger */
  restore(kept) {
    for (const [target, route] of kept) if (!this.#routes.has(target)) this.#routes.set(target, route);
  }

  /** @param {string} target */
  get(target) {
    return this.#routes.get(target);
  }

  /** All of them, as they are now. */
  all() {
    return [...this.#routes];
  }

  /**
   * A document listens; the one before it is notified to stop.
   * @param {string} target
   * @param {Route} route
   */
  set(target, route) {
    const before = this.#routes.get(target);
    this.#routes.set(target, route);
    this.#keep(this.all());
    if (before !== undefined && !areSame(before, route)) this.#release(before);
  }

  /**
   * A document listens that was asked because it had the route. If another has it by now, the
   * document is notified to stop.
   * @param {string} target
   * @param {Route} route
   */
  confirm(target, route) {
    const now = this.#routes.get(target);
    if (now !== undefined && !areSame(now, route)) this.#release(route);
  }
}
