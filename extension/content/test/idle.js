// For `node --test` of what reads databases: a page that is always idle, in which pauses are over
// at once and no patience ends. Import it first.

import "./support.js";

/** @type {any} */
const scope = globalThis;

/** Longer than any pause, shorter than any patience. */
const PATIENCE = 2500;

const scheduler = {
  postTask: (/** @type {() => void} */ _run, /** @type {{ delay?: number }} */ { delay = 0 }) =>
    delay < PATIENCE ? new Promise((resolve) => setImmediate(resolve)) : new Promise(() => {}),
};
Object.defineProperty(scope, "scheduler", { get: () => scheduler, configurable: true });
