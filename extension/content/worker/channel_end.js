// The hook's end of the way to the bridge, in a worker: the build puts this module in the place of
// `main/channel_end.js`.
//
// A worker shares no node with its document. So what the hook has to tell goes through a
// `BroadcastChannel` whose name no script of the page knows, to the one bridge that listens on it
// (`isolated/worker_channels.js`). The channel is opened for a message and closed soon after the
// last one: Firefox keeps a worker with an open channel that the page has forgotten. The hook is
// active from the beginning.
//
// The document's thread may take messages more slowly than they come, or not at all for a while;
// then they would wait in memory without a bound. So the bridge is asked now and then how far it
// is, and what is on the way is bounded: further commits are given up for a gap, as in the bridge's
// own outbox, until the bridge has taken all that was posted.

import { listen } from "../main/idb.js";
import { LONGEST_ADDRESS } from "../shared/channel.js";
import { gapText, writerMember } from "../shared/messages.js";
import {
  getOwnPropertyDescriptor,
  getterOf,
  globalFunction,
  indexOf,
  now,
  slice,
  uncurry,
} from "../shared/pristine.js";
import { ASK_AGAIN, CHANNEL_IDLE } from "../shared/timing.js";

/** How much text is on its way at most, in UTF-16 units, before commits are given up. */
const MOST_ON_WAY = 8 * 1024 * 1024;
/** After so many units the bridge is asked how far it is. */
const ASK_UNITS = 512 * 1024;
/** What any message counts for besides its text. */
const MESSAGE_UNITS = 64;

/** The reason of the gap in the place of what was given up. */
const TOO_FAST = "a worker wrote faster than its page could take it";

const Channel = BroadcastChannel;
const postMessage = uncurry(BroadcastChannel.prototype.postMessage);
const closeChannel = uncurry(BroadcastChannel.prototype.close);
const postTask = uncurry(globalFunction("Scheduler")?.prototype.postTask);
const schedulerOf = getterOf(globalFunction("WorkerGlobalScope")?.prototype, "scheduler");

/** @type {BroadcastChannel | null} */
let channel = null;
let postedAt = 0;
let isClosedAtOnce = false;
const answerIn = getterOf(MessageEvent.prototype, "data");

/** How much has been posted, in units, and how much of it the bridge has taken for sure. */
let posted = 0;
let taken = 0;
/** What of it the bridge was last asked about, and when. */
let asked = 0;
let askedAt = 0;
/** Whether commits are given up. */
let isLosing = false;

/** Whether the bridge wants to receive writes. */
export let active = true;

/**
 * @param {unknown} message see `shared/channel.js`
 * @param {number} units of text in it
 */
function post(message, units) {
  if (isLosing || !hasRoomFor(units)) return giveUpCommit();
  postNow(message, units);
  if (posted - asked >= ASK_UNITS) ask();
}

/** @param {number} units One message has room in any case. */
const hasRoomFor = (units) => posted === taken || posted - taken + units <= MOST_ON_WAY;

function giveUpCommit() {
  // At once: the worker may end before the bridge answers.
  if (!isLosing) tellLoss();
  isLosing = true;
  if (now() - askedAt > ASK_AGAIN || asked !== posted) ask();
}

function tellLoss() {
  const text = gapText(TOO_FAST, "[]");
  postNow(text, text.length);
}

function ask() {
  asked = posted;
  askedAt = now();
  postNow({ __proto__: null, ask: asked, id }, 0);
}

/**
 * @param {unknown} message
 * @param {number} units
 */
function postNow(message, units) {
  const isNew = channel === null;
  channel ??= newChannel();
  postMessage(channel, message);
  if (units > 0) posted += units + MESSAGE_UNITS;
  postedAt = now();
  if (isNew || isClosedAtOnce) closeLater();
}

function newChannel() {
  const made = new Channel(channelName);
  listen(made, "message", takeAnswer);
  return made;
}

/**
 * A member of a message. What it lacks must not be looked for in `Object.prototype`: a getter that
 * the worker's script has put there would be called.
 * @param {object} message
 * @param {string} name
 */
const memberOf = (message, name) => getOwnPropertyDescriptor(message, name)?.value;

/** @param {MessageEvent} event what the bridge answers, or other workers send it */
function takeAnswer(event) {
  const data = answerIn(event);
  if (typeof data !== "object" || data === null) return;
  const upTo = memberOf(data, "taken");
  if (memberOf(data, "stop") === true) {
    active = isLosing = false;
    close();
  } else if (memberOf(data, "id") === id && typeof upTo === "number") {
    confirmTaken(upTo);
  }
}

/** @param {number} units */
function confirmTaken(units) {
  taken = units;
  if (isLosing && taken === posted) {
    isLosing = false;
    // What was given up since the first one.
    tellLoss();
  } else if (isClosedAtOnce) {
    closeLater();
  }
}

function closeLater() {
  try {
    // A timer would have a handle that the worker's script can see.
    postTask(schedulerOf(undefined), closeIfIdle, { __proto__: null, delay: CHANNEL_IDLE });
  } catch {
    // A setting of Firefox takes the scheduler away: each message has a channel of its own, if no
    // answer is on its way.
    isClosedAtOnce = true;
    if (taken === asked) close();
  }
}

function closeIfIdle() {
  if (isLosing || now() - postedAt < CHANNEL_IDLE) closeLater();
  else close();
}

function close() {
  if (channel !== null) closeChannel(channel);
  channel = null;
}

/** A hook that is there first has seen all that the worker opened. */
export const isOldDefault = isOldInDefault === true;
/** Inspectors get no stacks of workers. */
export const tracing = false;
/** No event tells a worker that it ends. */
export const leaving = false;
export const whenLeaving = () => {};
export const WENT_AWAY = "";
/** No message leaves a worker before its document takes it. */
export const announceWriting = () => {};
export const answerWhether = () => {};

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
export const wantComparison = (stores) => post({ __proto__: null, compare: stores }, stores.length);

/** Lets the bridge look, in a while, at what is there. */
export const wantSurvey = () => active && post({ __proto__: null, survey: true }, 1);

/**
 * Gives a body to the bridge.
 * @param {string} text
 * @param {Blob[] | null} blobs whose bytes are missing in it
 * @param {string} stacks
 */
export function hand(text, blobs, stacks) {
  post(blobs === null || blobs.length === 0 ? text : { __proto__: null, text, blobs, stacks }, text.length);
}
