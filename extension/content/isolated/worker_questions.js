// What the background asks this document about workers, and what it answers.
//
// Invariants: a channel is given only for a worker of this document's own origin, and only where
// the document's databases are the origin's own: what a worker of another storage wrote would go by
// the origin's name. (`BroadcastChannel`s are divided as databases are, so this is the first wall
// of two.) The worker's origin is in every question; without it there is no answer.

/**
 * A worker of this document, before its script runs.
 * @typedef {object} StartingWorker
 * @property {string} url of its script
 * @property {string} from its origin: the asker does not know who is asked
 * @property {boolean} [isImport] a module that it imports comes next; it may be hooked already
 * @property {string} [by] the browser only says that a worker with this script asks for it: all
 * documents of a tab are asked
 * @property {boolean} [isMissed] it runs without a hook after all
 * @property {boolean} [outlives] it may outlive this document
 * @property {string} [channel] of one that may: the one that it has, from a document that is gone
 * @property {boolean} [isElsewhere] another document listens on this channel
 */

/**
 * What the answers are made of.
 * @typedef {object} WorkerOwner
 * @property {string} origin the document's
 * @property {typeof import("./place.js").place} place the document's
 * @property {import("./worker_channels.js").WorkerChannels} channels
 * @property {Pick<import("./workers.js").Workers, "noteHooked" | "noteMissed">} workers
 * @property {() => boolean} isClosed nothing is wanted any more, or the document goes away
 * @property {() => void} survey something may have been written while no document listened
 */

/** @param {string} origin The scheme and the host, as in `background/identity.rs`. */
const siteOf = (origin) => origin.replace(/:\d+$/, "");

/**
 * Whether a document's databases are its origin's own, as far as its own process can say.
 * @param {Pick<WorkerOwner, "origin" | "place">} owner
 */
function hasOwnStorage({ origin, place }) {
  if (origin === "null" || place.ephemeral) return false;
  return place.ancestors.every((ancestor) => siteOf(ancestor) === siteOf(origin));
}

/**
 * Answers a question: with the name of a channel on which this document listens and with its
 * origin, for a worker must not tell of its writes before; with `true` for a worker that is named;
 * undefined if the worker is not this document's.
 * @param {WorkerOwner} owner
 * @param {StartingWorker} worker
 */
export function answerForWorker(owner, worker) {
  const { origin, channels, workers } = owner;
  if (worker.from !== origin || !hasOwnStorage(owner)) return undefined;
  if (worker.isElsewhere) {
    channels.leave(worker.channel ?? "");
    return undefined;
  }
  if (worker.isMissed) {
    workers.noteMissed(worker.url);
    return true;
  }
  if (owner.isClosed() || !isAsked(owner, worker)) return undefined;
  return { channel: channelFor(owner, worker), origin };
}

/**
 * Whether a worker is this document's, if all of a tab are asked.
 * @param {WorkerOwner} owner
 * @param {StartingWorker} worker
 */
function isAsked({ origin, place, channels }, { by }) {
  if (by === undefined || channels.hasScript(by)) return true;
  // Inside a worker of a `blob:` address: only the origin is known of that.
  return by === `${origin}/` && place.ancestors.length === 0;
}

/**
 * @param {WorkerOwner} owner
 * @param {StartingWorker} worker
 */
function channelFor({ channels, workers, survey }, { url, isImport = false, outlives, channel }) {
  if (!isImport) workers.noteHooked(url);
  if (!outlives) return channels.nameFor(url, isImport);
  if (channel !== undefined) survey();
  return channels.lend(channel);
}
