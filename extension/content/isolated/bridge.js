// The bridge: takes the hook's commits to the background, and reads what the host asks for.
//
// Runs in the isolated world, which shares the document with the page but none of its objects. This
// module only joins the parts; each has its own module:
//
//   hook ──▶ HookEnd ──────────▶ Outbox ──▶ BackgroundPort ──▶ background
//   workers ──▶ WorkerChannels ──┘ ▲              │
//   databases ──▶ readers ─────────┘◀── Surveys ◀─┘ Comparisons
//                                          ▲
//   storage meter ────────────────────── Watch
//
// A new port starts with everything that is not acknowledged; the background keeps what arrives
// before its welcome. Nothing in here may throw: the page would see the error event.
//
// Every document starts a bridge, and most have nothing to say: what reads and encodes records is
// set up when it is asked for.

import { LEAVE, STAY, TRACE, UNTRACE } from "../shared/channel.js";
import {
  hiddenText,
  LEAVING,
  METERED,
  openText,
  SHOWN,
  SURVEY_ASKED,
  SURVEYED,
  SURVEYING,
  workerText,
} from "../shared/messages.js";
import { HOOK_PATIENCE } from "../shared/timing.js";
import { isHidden, isLate } from "../shared/unnamed.js";
import { Announcement } from "./announcement.js";
import { Comparisons } from "./comparisons.js";
import { HookEnd } from "./hook_end.js";
import { Outbox } from "./outbox.js";
import { Pacing } from "./pacing.js";
import { watchPageLife } from "./page_life.js";
import { place } from "./place.js";
import { BackgroundPort, hearBackground } from "./port.js";
import { randomName } from "./random_name.js";
import { Surveys } from "./surveys.js";
import { after, idle } from "./time.js";
import { readUsage } from "./usage.js";
import { Watch } from "./watch.js";
import { WorkerChannels } from "./worker_channels.js";
import { answerForWorker } from "./worker_questions.js";
import { Workers } from "./workers.js";

function startBridge() {
  /** Names this document for the host; made when it has something to say. */
  let context = "";
  let isLeaving = false;
  /** How many steps of leaving are done. */
  let leftSteps = 0;
  /** @type {(value?: unknown) => void} */
  let noteHooked;
  const hooked = new Promise((resolve) => (noteHooked = resolve));

  const port = new BackgroundPort({ opened: greet, received: receive, refused: stop }, after);
  const outbox = new Outbox(port, new Pacing(() => isHidden(document), after), async (text, blobs) => {
    const { filled } = await import("./blobs.js");
    return filled({ text, blobs });
  });
  const announcement = new Announcement({
    post: (message) => port.post(message),
    ask: () => hook.ask(),
    isAllSent: () => outbox.isAllSent,
    isHidden: () => isHidden(document),
    after,
  });
  // Frames of one origin share their databases: the outermost one asks.
  const surveys = new Surveys(place.ancestors[0] !== window.origin, {
    ask: () => (port.isOpen ? port.post(SURVEY_ASKED) : port.open()),
    // Many databases take a while to list: without a word, another document would take over.
    read: async () => (await import("./read_origin.js")).readAll(host, () => port.post(SURVEYING)),
    end: () => port.post(SURVEYED),
    isStopped,
    after,
  });
  const host = { tell: tellHost, compare: compareWithHost };
  const readSome = async (/** @type {import("./read_origin.js").Store[]} */ stores) =>
    (await import("./read_origin.js")).readSome(stores, host);
  const comparisons = new Comparisons(isStopped, readSome, after);
  /** @type {import("./hook_messages.js").HookListener} */
  const listener = {
    commit: (text, blobs, stacks) => {
      deliver(text, { droppable: true, blobs, stacks });
      announcement.noteCommit();
      watch?.noteCommit(text);
    },
    compare: (stores) => void comparisons.compareSoon(stores),
    survey: () => void surveys.askSoon(),
  };
  const writer = { writing: announceWriting, rested: () => announcement.noteRested() };
  const hook = new HookEnd(listener, writer, () => noteHooked());
  const channels = new WorkerChannels({ ...listener, miss: (url) => workers.noteMissed(url) });

  /** Looks for unseen writes, once the background has chosen this document. */
  /** @type {Watch | null} */
  let watch = null;

  const workers = new Workers({
    tell: (url) => port.post(workerText(url)),
    suspect: () => watch?.suspect(),
  });

  function newWatch() {
    const watch = new Watch({
      read: readUsage,
      compare: () => surveys.askNow(),
      accounted: () => port.post(METERED),
      after,
    });
    if (workers.areKnown) watch.suspect();
    return watch;
  }

  function isStopped() {
    return port.isStopped;
  }

  /**
   * @param {string} body
   * @param {Parameters<Outbox["add"]>[1]} about
   */
  function deliver(body, about) {
    if (port.isStopped) return null;
    const delivery = outbox.add(body, about);
    sendAll();
    return delivery;
  }

  function sendAll() {
    // A port that opens sends what there is.
    if (port.isOpen) outbox.send();
    else port.open();
    void port.closeIfBrief();
  }

  function announceWriting() {
    if (port.isStopped || isLeaving) return;
    // A port that opens says so.
    if (!port.isOpen) port.open();
    announcement.noteWriting();
  }

  /**
   * Tells the host what was read.
   * @param {string} body
   * @returns {Promise<boolean>} whether the host has it; `false` if there was no room for it on the
   * way
   */
  async function tellHost(body) {
    const delivery = deliver(body, { droppable: false });
    // Nothing is wanted any more: the reading ends here.
    return delivery === null ? new Promise(() => {}) : outbox.fateOf(delivery);
  }

  /**
   * Asks the host which stretches its mirror has alike.
   * @param {string} body a `protocol::body::Digests`
   * @returns {Promise<number>} how many, counted from the first one
   */
  async function compareWithHost(body) {
    const delivery = deliver(body, { droppable: false });
    if (delivery === null) return new Promise(() => {});
    return (await outbox.fateOf(delivery)) ? outbox.matchesOf(delivery) : 0;
  }

  function greet() {
    context ||= randomName();
    outbox.restart();
    hook.tell(UNTRACE);
    port.post(openText({ context, late: isLate, survey: surveys.isWanted, place }));
    if (isLeaving && !port.lasts) port.post(LEAVING);
    announcement.restart();
    workers.tellAgain();
    // The background chooses again.
    watch?.stop();
    changeSight();
    outbox.send();
  }

  /** @param {string} text a `protocol::wire::bridge::ToBridge` */
  function receive(text) {
    const message = JSON.parse(text);
    if (message.acknowledged) {
      outbox.acknowledge(message.acknowledged.sequence);
    } else if (message.matched) {
      outbox.noteMatched(message.matched.sequence, message.matched.stretches);
    } else if (message.welcome) {
      outbox.limits = message.welcome;
      port.forgetBreaks();
      outbox.send();
      workers.watch();
    } else if (message.too_much) {
      // Before the gap is on its way others may commit.
      announcement.noteWriting();
      outbox.giveUp(message.too_much.sequence);
    } else if (message.trace) {
      hook.tell(message.trace.on ? TRACE : UNTRACE);
    } else if (message.refused) {
      stop();
    } else if (message.snapshot) {
      void surveys.begin();
    } else if (message.surveyed) {
      surveys.isWanted = false;
      watch?.noteCompared();
    } else if (message.meter) {
      watch ??= newWatch();
      watch.start(message.meter.from);
    } else if (message.committed) {
      watch?.noteOthers();
    } else if (message.watch) {
      if (message.watch.found) {
        watch?.noteFound();
        void workers.askForServiceWorkers();
      } else {
        watch?.hurry();
      }
    } else if (message.read) {
      void readForHost(message.read);
    }
  }

  /** @param {any} asked a `protocol::wire::bridge::Read` */
  async function readForHost(asked) {
    try {
      const { readRecordsOf } = await import("./reader.js");
      await readRecordsOf(asked, tellHost);
    } catch {
      // What can't be read now is found by the next snapshot.
    }
  }

  function stop() {
    outbox.clear();
    watch?.stop();
    hook.stop();
    channels.stop();
    port.stop();
  }

  /**
   * The document goes away, freezes, or goes into the back/forward cache. What it writes from now
   * on the hook tells at each call, and it leaves at once. Where Firefox has ended it, it goes on
   * with the step that it was at: each may be done twice.
   * @param {boolean} mayComeBack
   */
  function leave(mayComeBack) {
    const steps = [
      hide,
      // Chromium cuts the port.
      () => port.lasts || port.post(LEAVING),
      () => mayComeBack && port.becomeBrief(),
      () => mayComeBack && channels.rest(),
      () => outbox.leave(),
      () => hook.tell(LEAVE),
      () => outbox.isEmpty || sendAll(),
      // Where the script is ended before this, the end of the port is a loss.
      () => port.lasts && port.post(LEAVING),
    ];
    // What counts as sent may have been lost.
    if (isLeaving && leftSteps < steps.length) outbox.restart();
    isLeaving = true;
    for (; leftSteps < steps.length; leftSteps++) steps[leftSteps]();
  }

  /** The document is here again. */
  function comeBack() {
    if (!isLeaving) return;
    isLeaving = false;
    leftSteps = 0;
    port.becomeLasting();
    channels.comeBack();
    // Workers may have written before this document listened again.
    if (channels.areUsed) surveys.isWanted = true;
    hook.tell(STAY);
    if (outbox.comeBack()) surveys.isWanted = true;
    if (context !== "") port.open();
  }

  /** A document that is hidden does not look for unseen writes: its timers are late. */
  function changeSight() {
    if (isLeaving) return;
    if (isHidden(document)) hide();
    else port.post(SHOWN);
  }

  function hide() {
    port.post(hiddenText(watch?.stop() ?? null));
  }

  const workerOwner = {
    origin,
    place,
    channels,
    workers,
    isClosed: () => port.isStopped || isLeaving,
    survey: () => void surveys.askSoon(),
  };
  hearBackground(({ worker, areWorkersFree = false }) => {
    if (areWorkersFree) workers.forgetHooked();
    return worker === undefined ? undefined : answerForWorker(workerOwner, worker);
  });
  watchPageLife(leave, comeBack, changeSight);
  // Even if there is no database: perhaps there was one when this origin was seen last.
  const begin = isLate ? Promise.race([hooked, after(HOOK_PATIENCE)]).then(idle) : idle();
  if (surveys.isWanted) void begin.then(() => port.open());
}

// The window, and with it this world, may serve a second document (an `about:blank` that is
// navigated or written to), and the scripts may be injected twice. One bridge is enough: the second
// hook gets no answer and leaves the first one alone.
const mark = Symbol.for("dev.idb_relay.bridge");
if (!(mark in globalThis)) {
  Object.defineProperty(globalThis, mark, { value: true });
  startBridge();
}
