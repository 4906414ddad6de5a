// Waiting without the handles of timers: they are numbers of the page's window, which a page can
// count, and clear.

import { LONGEST_IDLE } from "../shared/timing.js";

const { scheduler } = /** @type {any} */ (globalThis);

/**
 * Resolves after so many milliseconds; in hidden documents later.
 * @param {number} milliseconds
 * @returns {Promise<void>}
 */
export const after = (milliseconds) => scheduler.postTask(() => {}, { delay: milliseconds });

/**
 * Resolves when the page has nothing to do.
 * @returns {Promise<void>}
 */
export const idle = () =>
  Promise.race([scheduler.postTask(() => {}, { priority: "background" }), after(LONGEST_IDLE)]);
