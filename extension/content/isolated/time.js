// Waiting without the handles of timers: they are numbers of the page's window, which a page can
// count, and clear.
//
// Not by delayed tasks in Firefox: now and then one keeps all timers and idle callbacks of a hidden
// tab from running, the page's among them, for minutes
// (`timers_of_hidden_tabs_go_off` in tests/tests/browsers/workloads.rs).

import { isFirefox } from "./engine.js";
import { getterOf } from "../shared/pristine.js";
import { LONGEST_IDLE, PAUSE } from "../shared/timing.js";

/** Undefined where a setting of Firefox takes it away; an element may have the name there. */
const scheduler = getterOf(window, "scheduler")?.(window);

/**
 * Resolves after so many milliseconds; in hidden documents later.
 * @param {number} milliseconds
 * @returns {Promise<void>}
 */
export const after = (milliseconds) =>
  scheduler === undefined || isFirefox ? timeout(milliseconds) : scheduler.postTask(() => {}, { delay: milliseconds });

/**
 * A signal's timer has no handle either.
 * @param {number} milliseconds
 * @returns {Promise<void>}
 */
const timeout = (milliseconds) =>
  new Promise((resolve) => AbortSignal.timeout(milliseconds).addEventListener("abort", () => resolve()));

/**
 * Resolves when the page has nothing to do.
 * @returns {Promise<void>}
 */
export const idle = () =>
  scheduler === undefined
    ? timeout(PAUSE)
    : Promise.race([scheduler.postTask(() => {}, { priority: "background" }), after(LONGEST_IDLE)]);
