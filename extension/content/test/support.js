// What the page scripts find in a document, for `node --test`: a clock that moves when a test says
// so, and turns of the page that end when a test says so. Import it first.

/** @type {any} */
const scope = globalThis;
scope.window = scope;
scope.chrome ??= { runtime: { getURL: () => "chrome-extension://idb-relay/" } };

let now = 0;
/** @type {{ at: number, run: () => void }[]} */
let timers = [];
performance.now = () => now;

/** @param {number} milliseconds */
export const after = (milliseconds) =>
  new Promise((resolve) => timers.push({ at: now + milliseconds, run: () => resolve(undefined) }));

/**
 * Lets time pass, and everything run that waits for it.
 * @param {number} milliseconds
 */
export async function pass(milliseconds) {
  const until = now + milliseconds;
  await settle();
  for (;;) {
    const next = timers.filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)[0];
    if (next === undefined) break;
    timers = timers.filter((timer) => timer !== next);
    now = Math.max(now, next.at);
    next.run();
    await settle();
  }
  now = until;
}

/** Lets all promises run that wait for nothing else. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** @type {(() => void)[]} */
let turns = [];
scope.MessageChannel = class {
  port1 = { postMessage: () => turns.push(() => this.port2.onmessage()) };
  /** @type {any} */
  port2 = {};
};

/** Ends the page's turn; how many there were. */
export function endTurns() {
  const ended = turns;
  turns = [];
  for (const end of ended) end();
  return ended.length;
}
