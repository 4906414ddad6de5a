// What made the module trap, and how soon it may begin again. It outlives the module, not the
// background: when that ends, what is left out here comes again, and is left out again after two
// more traps.

/** How often something may have been in hand when the module trapped. */
const CHANCES = 2;
/** How many culprits are remembered. */
const MAX_CULPRITS = 1024;
const FIRST_DELAY = 50;
const LAST_DELAY = 30_000;
/** After how long without a trap the next one is the first again, in milliseconds. */
const QUIET = 60_000;

/** @type {Map<string, number>} How often each was in hand, by its JSON. */
const culprits = new Map();
let delay = FIRST_DELAY;
let trappedAt = 0;

/**
 * Names the document at the other end of a port, so that the blame goes with it: the one that comes
 * to its place is another one. Firefox has had ids of documents for a short time only. Where there
 * is none, the name of the port tells documents apart, which the bridge has made.
 * @param {chrome.runtime.Port} port
 * @param {string} sender what the browser says of it, as JSON
 * @returns {string} as JSON
 */
export const documentOf = ({ name, sender: { documentId } = {} }, sender) =>
  JSON.stringify({ sender, document: documentId ?? name.slice(0, 64) });

/**
 * Remembers what was in hand.
 * @param {string | null} culprit a delivery as `[context, sequence]`, or a port's sender, as JSON
 */
export function blame(culprit) {
  if (culprit === null) return;
  if (culprits.size >= MAX_CULPRITS) culprits.clear();
  culprits.set(culprit, (culprits.get(culprit) ?? 0) + 1);
}

const hasFailed = (/** @type {string} */ culprit) => (culprits.get(culprit) ?? 0) >= CHANCES;

/**
 * The deliveries that are not to be looked into.
 * @returns {{ context: string, sequence: number }[]}
 */
export const leftOut = () => {
  const deliveries = [...culprits.keys()].filter((culprit) => culprit.startsWith("[") && hasFailed(culprit));
  return deliveries.map((culprit) => {
    const [context, sequence] = JSON.parse(culprit);
    return { context, sequence };
  });
};

/**
 * Whether a sender's messages may be handed to the module.
 * @param {string} sender as JSON
 */
export const mayEnter = (sender) => !hasFailed(sender);

/**
 * How long to wait before the module begins again, in milliseconds: longer if it did so a short
 * while ago.
 */
export function restartDelay() {
  const now = Date.now();
  delay = now - trappedAt > QUIET ? FIRST_DELAY : Math.min(delay * 2, LAST_DELAY);
  trappedAt = now;
  return delay;
}
