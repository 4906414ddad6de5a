// The bridge: takes the hook's commits, keeps each until the host has it on disk, and sends it
// again after every break.
//
// Runs in the isolated world, which shares the document with the page but none of its objects.
// Deliveries are numbered when they are first sent. The port to the background is opened when there
// is something to say, and opened again after a break with a growing delay; a new port starts with
// everything that is not acknowledged. The background keeps what arrives before its welcome.
// Nothing in here may throw: the page would see the error event.
//
// Every document starts a bridge, and most have nothing to say: what reads and encodes records is
// set up when it is asked for.

import {
  BODY,
  COMPARE,
  EXPORT,
  HANDSHAKE,
  LATE_HANDSHAKE,
  LEAVE,
  MARK,
  NO_BUCKETS,
  READY,
  STAY,
  STOP,
  SURVEY,
  TRACE,
  UNTRACE,
} from "./channel.js";
import { place } from "./place.js";
import { globalFunction } from "./pristine.js";
import { after, idle } from "./time.js";
import { isHidden, isLate, listenTo, stopListeningTo } from "./unnamed.js";

/** Until the background says otherwise: `protocol::message::BRIDGE_WINDOW` and `MAX_PART_UNITS`. */
let limits = { window: 4 * 1024 * 1024, part_units: 4 * 1024 * 1024 };
/**
 * How much text waits here at most, in UTF-16 units, before commits are dropped and their stores
 * declared in doubt.
 */
const MAX_QUEUE = 64 * 1024 * 1024;
const FIRST_DELAY = 100;
const LAST_DELAY = 10_000;
/**
 * In a stream of small commits, less than `BATCH_UNITS` UTF-16 units wait to travel together, as
 * small segments do in TCP (RFC 896), but never longer than `PACE` milliseconds after the last ones
 * left: each message costs the machine more than what is in it, all the way to the caches. A commit
 * that did not come within `STREAM` milliseconds of the one before, while nothing is on its way,
 * never waits.
 */
const BATCH_UNITS = 64 * 1024;
const PACE = 16;
const STREAM = 3;
/**
 * Shorter deliveries of a document that goes away leave in any case:
 * `protocol::message::SMALLEST_WINDOW`.
 */
const NOTE_UNITS = 64 * 1024;
/** How many UTF-16 units are sent before the page has its turn again: some milliseconds' worth. */
const TASK_UNITS = 512 * 1024;
/** How long what the page does may take until a survey can see it. */
const SURVEY_DELAY = 1000;
/**
 * How many milliseconds a page that is hooked late is said nothing of while its hook is on the way.
 */
const HOOK_PATIENCE = 1000;
/** How often a survey is begun again because databases changed meanwhile. */
const MAX_ATTEMPTS = 5;
/**
 * How long stores are left alone after a comparison, as a multiple of what it took, and at most, in
 * milliseconds. A page that often opens a transaction to write, and then writes nothing, is not
 * worse off for it.
 */
const REST_AFTER_COMPARISON = 100;
const LONGEST_REST = 600_000;

/** Names this document for the host; made when it has something to say. */
let context = "";

/**
 * @typedef {object} Delivery
 * @property {number} sequence 0 until it is first sent
 * @property {string} body
 * @property {ArrayLike<Blob> | null} blobs whose bytes the body lacks; they are filled in when it
 * is the delivery's turn
 * @property {string[] | null} stacks of its operations, until it is first sent; null without any
 * @property {boolean} droppable a commit; what is read for the host can be asked for again
 */
/**
 * @type {Delivery[]} What is not acknowledged, in order; the first `sent` of them are on their way.
 */
let queue = [];
let sent = 0;
let queuedUnits = 0;
let sentUnits = 0;
let sequence = 0;
/** When a delivery was last sent, by `performance.now()`. */
let sentAt = 0;
/** When the last one came in, and whether it came right after another. */
let cameAt = 0;
let streaming = false;
/** Whether the document is on its way out, frozen or in the back/forward cache. */
let leaving = false;
/** Whether no port stays open meanwhile, since it may come back. */
let keepsNoPort = false;
/** Whether something has left without the bytes of its blobs. */
let lacking = false;
/** Whether `send` follows when the time has come. */
let pacing = false;
/**
 * @type {{ parts: string[], index: number } | null} What is left of the delivery whose turn it is,
 * if some of it is on its way.
 */
let partial = null;
/** Whether the page has its turn, and `send` follows. */
let resting = false;
/** @type {MessageChannel | undefined} */
let turn;
/**
 * @type {Delivery | null} The one that waits for the bytes of its blobs; what comes after it waits
 * for it.
 */
let filling = null;

/** @type {HTMLElement | null} */
let node = null;
/** @type {chrome.runtime.Port | null} */
let port = null;
let delay = FIRST_DELAY;
let stopped = false;
/**
 * Whether everything is to be read, by this document or another of the origin: the background
 * chooses one. Frames of one origin share their databases: the outermost one asks.
 */
let isSurveyWanted = place.ancestors[0] !== window.origin;
/** Whether this document is chosen, and has not begun. */
let isSurveyDue = false;
let surveying = false;
/**
 * How often something changed that a survey is to see, and whether one is asked for in a moment.
 */
let unsurveyed = 0;
let isSurveySoon = false;
/**
 * What waits for which delivery: whether the host has it, or there was no room for it.
 * @type {Map<Delivery, (has: boolean) => void>}
 */
const waiting = new Map();

/**
 * @param {string} body
 * @param {boolean} droppable
 * @param {ArrayLike<Blob> | null} blobs
 * @param {string[] | null} stacks
 */
function deliver(body, droppable, blobs = null, stacks = null) {
  if (stopped) return null;
  const now = performance.now();
  streaming = now - cameAt < STREAM;
  cameAt = now;
  /** @type {Delivery} */
  const delivery = { sequence: 0, body, blobs, stacks, droppable };
  queue.push(delivery);
  queuedUnits += body.length;
  if (queuedUnits > MAX_QUEUE && droppable) giveUpFrom(firstUnsent());
  if (body.length > TASK_UNITS) rest();
  if (port === null) connectToBackground();
  else send();
  if (keepsNoPort) void closePort();
  return delivery;
}

/**
 * Gives up commits that have not been sent for one note that names their stores.
 * @param {number} from the first of them in the queue
 */
function giveUpFrom(from) {
  const [given, kept] = [true, false].map((droppable) => queue.slice(from).filter((each) => each.droppable === droppable));
  const note = gap("the host did not keep up, or was away for too long", given.flatMap(({ body }) => storesOf(body)));
  queue = [...queue.slice(0, from), note, ...kept];
  queuedUnits = unitsOf(queue);
}

/**
 * A note that stores are to be read again; all of them if none is named.
 * @param {string} reason
 * @param {any[]} stores
 * @returns {Delivery}
 */
function gap(reason, stores) {
  const different = new Map(stores.map((store) => [JSON.stringify(store), store]));
  const body = JSON.stringify({ gap: { reason, stores: [...different.values()] } });
  return { sequence: 0, body, blobs: null, stacks: null, droppable: true };
}

/** @param {Delivery[]} deliveries */
const unitsOf = (deliveries) => deliveries.reduce((units, { body }) => units + body.length, 0);

/** Where in the queue the first delivery is of which nothing has been sent. */
const firstUnsent = () => (partial === null ? sent : sent + 1);

/**
 * Before much leaves with the document, a note does that has everything read: Firefox stops scripts
 * of a closed tab after some milliseconds. What is more than may be on its way is given up for it,
 * for its room comes back only to a document that stays.
 */
function noteWhatLeaves() {
  if (queuedUnits - sentUnits <= TASK_UNITS) return;
  const from = firstUnsent();
  let units = unitsOf(queue.slice(0, from));
  const rest = queue.slice(from).filter(({ droppable, body }) => {
    units += body.length;
    return !droppable || units <= limits.window;
  });
  queue = [...queue.slice(0, from), gap("a document went away with much to tell", []), ...rest];
  queuedUnits = unitsOf(queue);
}

/** @param {string} body */
function storesOf(body) {
  if (!isJson(unfilled(body))) return [];
  const { commit, gap } = JSON.parse(unfilled(body));
  if (gap) return gap.stores;
  // A deleted database: the inventory that follows a gap finds it gone.
  if (!commit) return [];
  return commit.operations.map((/** @type {Record<string, { store: string }>} */ operation) => ({
    bucket: commit.bucket,
    database: commit.database,
    store: Object.values(operation)[0].store,
  }));
}

/** Whether what there is to send had better wait for company; then it is sent in time. */
function mayWait() {
  // Timers of hidden documents may be late by seconds.
  if ((sent === 0 && !streaming) || leaving || isHidden(document) || queuedUnits - sentUnits >= BATCH_UNITS) return false;
  const wait = sentAt + PACE - performance.now();
  if (wait > 0 && sent < queue.length && !pacing) {
    pacing = true;
    void after(wait).then(paced);
  }
  return wait > 0;
}

function paced() {
  pacing = false;
  send();
}

function send() {
  if (resting || mayWait()) return;
  let together = "";
  const postTogether = () => {
    if (together !== "") post(`{"deliveries":[${together}]}`);
    together = "";
  };
  let units = 0;
  while (port !== null && sent < queue.length) {
    const delivery = queue[sent];
    if (delivery.blobs !== null && !leaving) {
      if (filling !== delivery) void fill(delivery, delivery.blobs);
      break;
    }
    // What leaves with the document can't wait for bytes: another document brings them, or this one
    // if it comes back.
    if (delivery.blobs !== null) {
      put(delivery, unfilled(delivery.body));
      if (!lacking) queue.push(gap("a document went away before its blobs were read", []));
      queuedUnits = unitsOf(queue);
      lacking = true;
    }
    const { body } = delivery;
    const isNote = leaving && body.length <= NOTE_UNITS;
    if (partial === null && sentUnits > 0 && sentUnits + body.length > limits.window && !isNote) break;
    if (units + Math.min(body.length, partUnits()) > TASK_UNITS && rest()) break;
    // A longer one travels as text, in pieces.
    if (delivery.droppable && delivery.sequence === 0 && body.length <= partUnits() && !isJson(body)) {
      queue.splice(sent, 1);
      queuedUnits -= body.length;
      continue;
    }
    sentAt = performance.now();
    if (delivery.sequence === 0) delivery.sequence = ++sequence;
    if (delivery.stacks !== null) post(JSON.stringify({ trace: { sequence: delivery.sequence, stacks: delivery.stacks } }));
    delivery.stacks = null;
    if (body.length > partUnits()) {
      postTogether();
      partial ??= { parts: cut(body, partUnits()), index: 0 };
      const { parts, index } = partial;
      post(JSON.stringify({ part: { sequence: delivery.sequence, index, count: parts.length, text: parts[index] } }));
      units += parts[index].length;
      if (++partial.index < parts.length) continue;
      partial = null;
    } else {
      if (together.length + body.length > limits.part_units) postTogether();
      together += `${together && ","}{"sequence":${delivery.sequence},"body":${body}}`;
      units += body.length;
    }
    sent += 1;
    sentUnits += body.length;
  }
  postTogether();
}

const partUnits = () => Math.min(limits.part_units, TASK_UNITS);

/**
 * Whether a text is one JSON value. The hook writes nothing else; a page that got hold of the node
 * might, to reach into the message around it.
 * @param {string} text
 */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Lets the page have its turn before more is sent; `false` if there is no time for that. */
function rest() {
  if (leaving) return false;
  // Not a timer: those of hidden documents come late.
  if (turn === undefined) {
    turn = new MessageChannel();
    turn.port2.onmessage = () => {
      resting = false;
      send();
    };
  }
  if (!resting) turn.port1.postMessage(null);
  resting = true;
  return true;
}

/**
 * A text without what is missing in it.
 * @param {string} text
 */
const unfilled = (text) => text.replaceAll(MARK, "");

/**
 * @param {Delivery} delivery
 * @param {ArrayLike<Blob>} blobs
 */
async function fill(delivery, blobs) {
  filling = delivery;
  let body;
  try {
    const { filled } = await import("./blobs.js");
    body = await filled({ text: delivery.body, blobs });
  } catch {
    // Out of memory, most likely. What follows must not wait for it.
    body = unfilled(delivery.body);
    deliver(gap("the bytes of blobs could not be read", storesOf(delivery.body)).body, true);
  }
  if (filling === delivery) filling = null;
  // Perhaps it has been dropped, or sent as it was.
  if (delivery.blobs === null || !queue.includes(delivery)) return;
  put(delivery, body);
  send();
}

/**
 * @param {Delivery} delivery not sent yet
 * @param {string} body without blobs to wait for
 */
function put(delivery, body) {
  queuedUnits += body.length - delivery.body.length;
  delivery.body = body;
  delivery.blobs = null;
}

/**
 * @param {string} text
 * @param {number} units
 */
function cut(text, units) {
  const parts = [];
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + units, text.length);
    // Not between the halves of a surrogate pair: half a character is no JSON text.
    if (to < text.length && text.codePointAt(to - 1) !== text.charCodeAt(to - 1)) to -= 1;
    parts.push(text.slice(from, to));
    from = to;
  }
  return parts;
}

/** @param {string} text */
function post(text) {
  try {
    port?.postMessage(text);
  } catch {
    // The port broke just now; `onDisconnect` follows, or the extension is gone.
    broken();
  }
}

function connectToBackground() {
  if (stopped || port !== null) return;
  try {
    port = chrome.runtime.connect({ name: "bridge" });
  } catch {
    // The extension was updated or removed, so it accepts nothing more from this document.
    stop();
    return;
  }
  context ||= randomName();
  const opened = port;
  opened.onMessage.addListener(receive);
  // The end of an older one may be told late.
  opened.onDisconnect.addListener(() => port === opened && broken());
  sent = 0;
  sentUnits = 0;
  partial = null;
  node?.dispatchEvent(new Event(UNTRACE));
  post(JSON.stringify({ open: { context, late: isLate, survey: isSurveyWanted, place } }));
  if (leaving) post(LEAVING);
  send();
}

const randomName = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function broken() {
  if (port === null) return;
  port = null;
  if (stopped || keepsNoPort) return;
  void after(delay).then(connectToBackground);
  delay = Math.min(delay * 2, LAST_DELAY);
}

/** A body in the place of something that was read and is too large: only its number goes on. */
const SKIPPED = '{"skipped":{"reason":"the extension had no room for what was read"}}';

/** `protocol::message::FromBridge::Leaving`. */
const LEAVING = '{"leaving":{}}';
/**
 * In Firefox a port lasts as long as its document, and the messages of a new one may come too late.
 */
const lastingPorts = chrome.runtime.getURL("").startsWith("moz-extension:");

/**
 * The document goes away, freezes, or goes into the back/forward cache. What it writes from now on
 * the hook tells at each call, and it leaves at once.
 *
 * In Chromium a document that may come back keeps no port open: the browser has cut it already
 * where the next page is another site's, without telling us, and takes a document out of its cache
 * when a port brings a message. What is still said gets a port for as long as that takes.
 * @param {boolean} returns whether the document may come back
 */
function hide(returns) {
  if (leaving) return;
  leaving = true;
  resting = false;
  keepsNoPort = returns && !lastingPorts;
  if (keepsNoPort) disconnect();
  else post(LEAVING);
  noteWhatLeaves();
  node?.dispatchEvent(new Event(LEAVE));
  if (queue.length === 0) return;
  if (port === null) connectToBackground();
  else send();
  if (keepsNoPort) void closePort();
}

/** Closes the port when the script that runs is done. */
async function closePort() {
  await null;
  if (keepsNoPort) disconnect();
}

function disconnect() {
  port?.disconnect();
  port = null;
}

/** The document is here again. */
function comeBack() {
  if (!leaving) return;
  leaving = keepsNoPort = false;
  node?.dispatchEvent(new Event(STAY));
  if (lacking) isSurveyWanted = true;
  lacking = false;
  // The old port may have lost messages while the document was away: open a new one.
  disconnect();
  if (context !== "") connectToBackground();
}

/** @param {string} text */
function receive(text) {
  const message = JSON.parse(text);
  if (message.acknowledged) {
    acknowledge(message.acknowledged.sequence);
  } else if (message.welcome) {
    limits = message.welcome;
    delay = FIRST_DELAY;
    send();
  } else if (message.too_much) {
    giveUp(message.too_much.sequence);
  } else if (message.trace) {
    node?.dispatchEvent(new Event(message.trace.on ? TRACE : UNTRACE));
  } else if (message.refused) {
    stop();
  } else if (message.snapshot) {
    isSurveyDue = true;
    void survey();
  } else if (message.surveyed) {
    isSurveyWanted = false;
  } else if (message.read) {
    void tell(message.read);
  }
}

/**
 * The background has no room for a delivery: a note takes its place that has all stores read, which
 * goes piece by piece. What was read is read once more by its reader, in smaller pieces: a note
 * would have the same read again.
 * @param {number} number
 */
function giveUp(number) {
  const index = queue.findIndex((delivery) => delivery.sequence === number);
  if (index < 0) return;
  const delivery = queue[index];
  const reader = waiting.get(delivery);
  put(delivery, reader === undefined ? gap("the extension had no room for a large commit", []).body : SKIPPED);
  waiting.delete(delivery);
  reader?.(false);
  // What was sent behind it may not have been taken either.
  sent = index;
  sentUnits = unitsOf(queue.slice(0, index));
  partial = null;
  send();
}

/**
 * Tells what is there of single records.
 * @param {any} read
 */
async function tell(read) {
  try {
    const { readRecordsOf } = await import("./reader.js");
    await readRecordsOf(read, delivered);
  } catch {
    // What can't be read now is found by the next snapshot.
  }
}

/** @param {number} upTo */
function acknowledge(upTo) {
  while (queue.length > 0 && queue[0].sequence !== 0 && queue[0].sequence <= upTo) {
    const delivery = /** @type {Delivery} */ (queue.shift());
    const units = delivery.body.length;
    queuedUnits -= units;
    if (sent > 0) {
      sent -= 1;
      sentUnits -= units;
    } else {
      // It was being sent once more: its parts must not go on under the number of the next one.
      partial = null;
    }
    waiting.get(delivery)?.(true);
    waiting.delete(delivery);
  }
  send();
}

function stop() {
  stopped = true;
  queue = [];
  waiting.clear();
  node?.dispatchEvent(new Event(STOP));
  node = null;
  disconnect();
}

/** What there is to be seen needs a moment to be there. */
async function askForSurveySoon() {
  unsurveyed += 1;
  if (isSurveySoon) return;
  isSurveySoon = true;
  while (unsurveyed > 0) {
    unsurveyed = 0;
    await after(SURVEY_DELAY);
    askForSurvey();
  }
  isSurveySoon = false;
}

/** Commits tell too little of what has changed: everything is to be read. */
function askForSurvey() {
  isSurveyWanted = true;
  // A port that is opened asks by itself.
  if (port === null) connectToBackground();
  else post(JSON.stringify({ survey: {} }));
}

/**
 * Tells the host everything that is there, a piece at a time: the next one when the host has the
 * one before.
 */
async function survey() {
  if (surveying) return;
  surveying = true;
  for (let attempt = 1; isSurveyDue && !stopped; attempt++) {
    isSurveyDue = false;
    const { readAll } = await import("./survey.js");
    // The page may change a database while it is read: what it looks like afterwards needs another
    // look.
    if (!(await readAll(delivered, goesOn)) && attempt < MAX_ATTEMPTS) {
      await after(attempt * 1000);
      isSurveyDue = true;
    }
  }
  surveying = false;
  post(JSON.stringify({ surveyed: {} }));
}

/** Many databases take a while to list: without a word, another document would take over. */
const goesOn = () => post(JSON.stringify({ surveying: {} }));

/** @type {Map<string, import("./survey.js").Store>} Stores that may have been written to unseen. */
const uncompared = new Map();
let comparing = false;

/** @param {import("./survey.js").Store[]} stores */
async function compareSoon(stores) {
  for (const store of stores) uncompared.set(JSON.stringify(store), store);
  if (comparing) return;
  comparing = true;
  while (uncompared.size > 0 && !stopped) {
    await after(SURVEY_DELAY);
    const began = performance.now();
    const some = [...uncompared.values()];
    uncompared.clear();
    const { readSome } = await import("./survey.js");
    await readSome(some, delivered);
    await after(Math.min((performance.now() - began) * REST_AFTER_COMPARISON, LONGEST_REST));
  }
  comparing = false;
}

/**
 * Says to the host what was read.
 * @param {string} body
 * @returns {Promise<boolean>} whether the host has it; `false` if there was no room for it on the
 * way
 */
function delivered(body) {
  return new Promise((resolve) => {
    const delivery = deliver(body, false);
    if (delivery !== null) waiting.set(delivery, resolve);
  });
}

/** In Firefox only: makes a function of the page's world that calls another one. */
const makeNative = globalFunction("exportFunction");

/** @param {Event} event */
function giveNative(event) {
  try {
    // As the page has it, not as Firefox shows it to us.
    const asked = /** @type {any} */ (event).data.wrappedJSObject;
    makeNative(asked.method, asked, { defineAs: asked.name, allowCrossOriginArguments: true });
  } catch {
    // The hook goes on without.
  }
}

/**
 * Listens to the window, whose listeners `document.open()` removes. Listening twice changes
 * nothing.
 */
function listenToWindow() {
  for (const name of ["pagehide", "pageshow", "freeze", "resume"]) listenTo(window, name, hear, { capture: true });
}

/** @param {Event | PageTransitionEvent} event */
function hear(event) {
  if (!event.isTrusted) return;
  if (event.type === "pagehide") hide(/** @type {PageTransitionEvent} */ (event).persisted);
  else if (event.type === "freeze") hide(true);
  else comeBack();
}

/** @param {Event} event */
function meet(event) {
  const { submitter } = /** @type {SubmitEvent} */ (event);
  // Without a hook (a sandbox without scripts) such an event has another sender.
  if (node !== null || !(submitter instanceof HTMLElement)) return;
  for (const name of [HANDSHAKE, LATE_HANDSHAKE]) stopListeningTo(document, name, meet);
  node = submitter;
  node.addEventListener(BODY, (message) => {
    try {
      const { data } = /** @type {MessageEvent<string | import("./blobs.js").Marked & { stacks: string }>} */ (message);
      const { text, blobs, stacks } = typeof data === "string" ? { text: data, blobs: null, stacks: "" } : data;
      if (typeof text === "string") deliver(text, true, blobs, stacks === "" ? null : JSON.parse(stacks));
    } catch {
      // Out of memory, most likely.
      askForSurveySoon();
    }
  });
  node.addEventListener(SURVEY, askForSurveySoon);
  node.addEventListener(COMPARE, (message) => {
    const { data } = /** @type {MessageEvent<string>} */ (message);
    const stores = typeof data === "string" && isJson(data) ? JSON.parse(data) : null;
    if (Array.isArray(stores)) void compareSoon(stores);
  });
  if (makeNative !== undefined) node.addEventListener(EXPORT, giveNative);
  node.dispatchEvent(new Event(READY));
  void tellOfBuckets(node).then(isHooked);
}

/**
 * Tells the hook if there are no buckets but the default one: then that one has what the page
 * opened before the hook came.
 * @param {HTMLElement} hook
 */
async function tellOfBuckets(hook) {
  const { storageBuckets } = /** @type {any} */ (navigator);
  try {
    // Of a hook that was there first, nothing is opened unseen but by methods of other windows.
    if (storageBuckets !== undefined && (!isLate || (await storageBuckets.keys()).length > 0)) return;
    hook.dispatchEvent(new Event(NO_BUCKETS));
  } catch {
    // It is not known.
  }
}

/** @type {(value?: unknown) => void} */
let isHooked;
const hooked = new Promise((resolve) => (isHooked = resolve));

// The window, and with it this world, may serve a second document (an `about:blank` that is
// navigated or written to), and the scripts may be injected twice. One bridge is enough: the second
// hook gets no answer and leaves the first one alone.
const mark = Symbol.for("dev.idb_relay.bridge");
if (!(mark in globalThis)) {
  Object.defineProperty(globalThis, mark, { value: true });
  for (const name of [HANDSHAKE, LATE_HANDSHAKE]) listenTo(document, name, meet);
  listenToWindow();
  // `document.open()` also removes the document's children.
  new MutationObserver(listenToWindow).observe(document, { childList: true });
  // Even if there is no database: perhaps there was one when this origin was seen last.
  const begin = isLate ? Promise.race([hooked, after(HOOK_PATIENCE)]).then(idle) : idle();
  if (isSurveyWanted) void begin.then(connectToBackground);
}
