// The hook's end of the way to the bridge, in a worker: the build puts this module in the place of
// `main/channel_end.js`.
//
// A worker shares no node with its document. So what the hook has to tell goes through a
// `BroadcastChannel` whose name no script of the page knows, to the one bridge that listens on it
// (`isolated/worker_channels.js`). The channel is opened for a message and closed soon after the
// last one: Firefox keeps a worker with an open channel that the page has forgotten. Nothing comes
// back on it, and the hook is active from the beginning.

import { LONGEST_ADDRESS } from "../shared/channel.js";
import { writerMember } from "../shared/messages.js";
import { getterOf, globalFunction, indexOf, now, slice, uncurry } from "../shared/pristine.js";
import { CHANNEL_IDLE } from "../shared/timing.js";

const Channel = BroadcastChannel;
const postMessage = uncurry(BroadcastChannel.prototype.postMessage);
const closeChannel = uncurry(BroadcastChannel.prototype.close);
const postTask = uncurry(globalFunction("Scheduler")?.prototype.postTask);
const schedulerOf = getterOf(globalFunction("WorkerGlobalScope")?.prototype, "scheduler");

/** @type {BroadcastChannel | null} */
let channel = null;
let postedAt = 0;

/** @param {unknown} message see `shared/channel.js` */
function post(message) {
  const isNew = channel === null;
  channel ??= new Channel(channelName);
  postMessage(channel, message);
  postedAt = now();
  if (isNew) closeLater();
}

function closeLater() {
  try {
    // A timer would have a handle that the worker's script can see.
    postTask(schedulerOf(undefined), closeIfIdle, { __proto__: null, delay: CHANNEL_IDLE });
  } catch {
    // A setting of Firefox takes the scheduler away: each message has a channel of its own.
    close();
  }
}

function closeIfIdle() {
  if (now() - postedAt < CHANNEL_IDLE) closeLater();
  else close();
}

function close() {
  if (channel !== null) closeChannel(channel);
  channel = null;
}

export const active = true;
/** A hook that is there first has seen all that the worker opened. */
export const isOldDefault = isOldInDefault === true;
/** Inspectors get no stacks of workers. */
export const tracing = false;
/** No event tells a worker that it ends. */
export const leaving = false;
export const whenLeaving = () => {};
export const WENT_AWAY = "";

/** Of nothing: a getter of the global object takes that for itself. */
const locationOf = getterOf(globalFunction("WorkerGlobalScope")?.prototype, "location");
const hrefOf = getterOf(globalFunction("WorkerLocation")?.prototype, "href");
const kind = kindOfWorker();
const [id] = crypto.getRandomValues(new Uint32Array(1));
let writerText = "";

/**
 * Who writes, as a member of bodies. Asked for when something is written, as channels are opened:
 * before a worker's script is there, Chromium ends the process that asks where the worker is from,
 * and with it the page's.
 */
export function writer() {
  if (writerText === "") writerText = writerMember(kind, addressOf(hrefOf(locationOf(undefined))), id);
  return writerText;
}

function kindOfWorker() {
  if (globalFunction("DedicatedWorkerGlobalScope") !== undefined) return "worker";
  return globalFunction("SharedWorkerGlobalScope") === undefined ? "service_worker" : "shared_worker";
}

/**
 * Without what stands behind `?` or `#`, where secrets may be.
 * @param {string} url
 */
function addressOf(url) {
  // The rest is the script itself.
  if (slice(url, 0, 5) === "data:") return "data:";
  return slice(upTo(upTo(url, "?"), "#"), 0, LONGEST_ADDRESS);
}

/**
 * @param {string} text
 * @param {string} mark
 */
function upTo(text, mark) {
  const at = indexOf(text, mark);
  return at < 0 ? text : slice(text, 0, at);
}

/**
 * Nothing in a worker makes native functions.
 * @param {Function} method
 * @param {string} _name
 */
export const exported = (method, _name) => method;

/**
 * Lets the bridge compare some stores, in a while.
 * @param {string} stores as JSON
 */
export const wantComparison = (stores) => post({ __proto__: null, compare: stores });

/** Lets the bridge look, in a while, at what is there. */
export const wantSurvey = () => post({ __proto__: null, survey: true });

/**
 * Gives a body to the bridge.
 * @param {string} text
 * @param {Blob[] | null} blobs whose bytes are missing in it
 * @param {string} stacks
 */
export function hand(text, blobs, stacks) {
  post(blobs === null || blobs.length === 0 ? text : { __proto__: null, text, blobs, stacks });
}
