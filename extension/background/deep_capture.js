// Deep capture, Chromium only: hooks the workers of a tab before their first line, by the browser's
// debugger (`chrome.debugger`).
//
// The debugger lets each new worker wait. A document of the worker's origin is asked to listen on
// a channel (`content/isolated/worker_channels.js`); then the hook is evaluated in the worker, and
// the worker goes on. The hook needs no debugger from then on: what is hooked stays hooked when
// deep capture ends.
//
// Invariants:
// - A worker that waits is let go, no matter what fails: at once where no document is there to
//   listen, else within `PATIENCE`.
// - Attachments outlive this script, and the workers that wait with them. So it ends all of its own
//   before it begins.
// - A service worker has no session for longer than it takes to hook it. The browser would keep it
//   running for a session, and its next start would wait for one that nothing answers.
// - When a person closes the browser's banner, nothing is attached again before a person asks for
//   it.
// - What the hook does before the worker's script is there asks for nothing but built-ins: Chromium
//   ends the page's process if it asks for the worker's address or opens a channel.

import { channelIn, originOf } from "./owners.js";
import { Routes } from "./routes.js";

/** @typedef {{ message: string, fix: string }} Problem */

/**
 * What is known of a tab: `protocol::wire::inspector::DeepCapture`, and what is attached.
 * @typedef {object} Tab
 * @property {number} id
 * @property {"attaching" | "on" | "ended"} state
 * @property {Problem | null} problem
 * @property {boolean} returns whether it begins again with the next captured document of the tab
 * @property {string} frame the top frame, as the debugger names it
 * @property {Map<string, any>} sessions the workers that are attached, by their sessions
 * @property {Set<string>} hooked the targets with a hook
 */

/**
 * What deep capture is notified of and tells.
 * @typedef {object} Surroundings
 * @property {(tab: number, state: string) => void} report the state as JSON; empty: off
 * @property {() => chrome.runtime.MessageSender[]} documents those with a bridge
 */

/** The debugger's protocol. */
const VERSION = "1.3";

/**
 * How long a worker waits for the document that is to listen, in milliseconds: the document's
 * thread may be busy.
 */
const PATIENCE = 5000;

/** How often shared workers are looked for, in milliseconds: no event tells of them. */
const SHARED_INTERVAL = 1000;

/** Where the tabs are kept for the case that this script is ended: for as long as the browser. */
const KEPT = "deepCapture";
/** Where the routes are kept likewise. */
const KEPT_ROUTES = "deepCaptureRoutes";

/** Workers; and frames of other processes, for theirs. */
const AUTO_ATTACH = {
  autoAttach: true,
  waitForDebuggerOnStart: true,
  flatten: true,
  filter: [{ type: "worker" }, { type: "service_worker" }, { type: "iframe" }],
};

const api = chrome.debugger;

const after = (/** @type {number} */ milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Sends a command; what it fails with is of no interest.
 * @param {chrome.debugger.DebuggerSession} target
 * @param {string} method
 * @param {object} [params]
 * @returns {Promise<any>}
 */
const send = (target, method, params) => api.sendCommand(target, method, params).catch(() => undefined);

/** @param {chrome.debugger.DebuggerSession} session */
const letGo = (session) => send(session, "Runtime.runIfWaitingForDebugger");

/**
 * Tells a tab's documents that the workers which start from now on have no hook.
 * @param {number} tab
 */
const freeWorkers = (tab) => void chrome.tabs.sendMessage(tab, { areWorkersFree: true }).catch(() => {});

/**
 * Hooks a worker that has run before, in it: what it has opened is known only if there is one
 * storage bucket.
 * @param {(channel: string, isOldInDefault: boolean) => boolean} hook
 * @param {string} channel
 */
const hookOld = async (hook, channel) => {
  const buckets = (await /** @type {any} */ (navigator).storageBuckets?.keys()) ?? [];
  return hook(channel, buckets.length === 0);
};

/** @returns {Problem} */
const notAllowed = () => ({
  message: "This build of the extension may not debug, and so cannot hook workers",
  fix: "Load the build in `target/extension/chromium-deep` in the place of this one.",
});

/** @returns {Problem} */
const closedByPerson = () => ({
  message: "Deep capture has ended: the browser's banner was closed",
  fix: "Workers that start from now on are found by comparison. To capture them as they write, switch deep capture on again and leave the banner open.",
});

/** @returns {Problem} */
const leftForOther = () => ({
  message: "Deep capture rests: the browser lets no extension debug the page in the tab",
  fix: "It goes on with the next captured page in this tab.",
});

/**
 * @param {any} error
 * @returns {Problem}
 */
const couldNotAttach = (error) => ({
  message: `Deep capture could not begin: ${error?.message ?? error}`,
  fix: "Open a page of the captured site in this tab, end what else debugs it, and switch deep capture on again.",
});

export class DeepCapture {
  /** @type {Map<number, Tab>} */
  #tabs = new Map();
  #routes = new Routes(
    (routes) => void chrome.storage.session?.set({ [KEPT_ROUTES]: routes }),
    ({ tab, frame, url, channel }) => {
      const worker = { url, from: originOf(url), channel, isElsewhere: true };
      void chrome.tabs.sendMessage(tab, { worker }, { frameId: frame }).catch(() => {});
    },
  );
  /** @type {Map<string, string>} Service workers without a hook: none listened. Their addresses. */
  #unheard = new Map();
  #around;
  /** The text of a function, once it is read. */
  #hook = "";
  #isLooking = false;
  /** Resolves when nothing of an earlier life of this script is attached any more. */
  #resumed = Promise.resolve();

  /** @param {Surroundings} around */
  constructor(around) {
    this.#around = around;
    if (api === undefined) return;
    api.onEvent.addListener((source, method, params) => this.#handle(source, method, params));
    api.onDetach.addListener((source, reason) => this.#detached(source, reason));
    this.#resumed = this.#resume().catch(() => {});
  }

  /**
   * A person wants it for a tab, or no more.
   * @param {number} id
   * @param {boolean} isWanted
   * @returns {Promise<void>} resolves when it is done, or has failed
   */
  async set(id, isWanted) {
    await this.#resumed;
    const known = this.#tabs.get(id);
    if (!isWanted) {
      if (known === undefined) return;
      this.#tabs.delete(id);
      this.#keep();
      this.#around.report(id, "");
      await api?.detach({ tabId: id }).catch(() => {});
      freeWorkers(id);
    } else if (known === undefined || known.state === "ended") {
      await this.#attach(id);
    }
  }

  /** Tells of all tabs again. */
  reportAll() {
    for (const tab of this.#tabs.values()) this.#report(tab);
  }

  /**
   * A document has a bridge.
   * @param {number} id its tab
   * @param {number} frame
   * @param {string} origin
   */
  documentOpened(id, frame, origin) {
    const tab = this.#tabs.get(id);
    if (tab === undefined) return;
    if (tab.state === "ended" && tab.returns) void this.#attach(id);
    if (tab.state !== "on") return;
    // The one before it may have been asked: it was about to go.
    for (const [target, route] of this.#routes.all()) {
      if (route.tab === id && route.frame === frame) void this.#askAgain(target, route);
    }
    for (const [target, url] of this.#unheard) {
      if (originOf(url) !== origin) continue;
      this.#unheard.delete(target);
      void this.#hookRunning(tab, "service_worker", { id: target, url });
    }
  }

  /**
   * @param {string} target
   * @param {import("./routes.js").Route} route to a document that may not listen any more
   */
  async #askAgain(target, route) {
    const { url, channel } = route;
    if ((await this.#askToListen(route, url, { outlives: true, channel })) !== null)
      this.#routes.confirm(target, route);
  }

  /** Ends what an earlier life of this script has left, and begins where it was wanted. */
  async #resume() {
    const { [KEPT]: wanted = [], [KEPT_ROUTES]: routes = [] } = await chrome.storage.session.get([KEPT, KEPT_ROUTES]);
    this.#routes.restore(routes);
    for (const { attached, tabId, id } of await api.getTargets()) {
      // It fails for what others have attached.
      if (attached) await api.detach(tabId === undefined ? { targetId: id } : { tabId }).catch(() => {});
    }
    for (const id of wanted) if (!this.#tabs.has(id)) void this.#attach(id);
  }

  #keep() {
    const wanted = [...this.#tabs.values()].filter(({ state, returns }) => state !== "ended" || returns);
    void chrome.storage.session?.set({ [KEPT]: wanted.map(({ id }) => id) });
  }

  /** @param {Tab} tab */
  #report(tab) {
    const { id, state, problem, hooked } = tab;
    this.#around.report(id, JSON.stringify({ tab: id, state, hooked: hooked.size, ...(problem && { problem }) }));
  }

  /** @param {number} id */
  async #attach(id) {
    /** @type {Tab} */
    const tab = {
      id,
      state: "attaching",
      problem: null,
      returns: false,
      frame: "",
      sessions: new Map(),
      hooked: new Set(),
    };
    this.#tabs.set(id, tab);
    this.#keep();
    this.#report(tab);
    if (api === undefined) return this.#end(tab, notAllowed());
    try {
      // Ahead of all workers, which would wait for it.
      this.#hook ||= await (await fetch(chrome.runtime.getURL("content/worker_hook.js"))).text();
      await api.attach({ tabId: id }, VERSION);
      tab.frame = (await api.getTargets()).find(({ tabId }) => tabId === id)?.id ?? "";
      await api.sendCommand({ tabId: id }, "Target.setAutoAttach", AUTO_ATTACH);
    } catch (error) {
      await api.detach({ tabId: id }).catch(() => {});
      return this.#end(tab, couldNotAttach(error));
    }
    if (this.#tabs.get(id) !== tab) {
      // It is not wanted any more.
      if (!this.#tabs.has(id)) await api.detach({ tabId: id }).catch(() => {});
      return;
    }
    tab.state = "on";
    this.#report(tab);
    void this.#lookForShared();
  }

  /**
   * @param {Tab} tab
   * @param {Problem} problem
   * @param {boolean} returns
   */
  #end(tab, problem, returns = false) {
    if (this.#tabs.get(tab.id) !== tab) return;
    tab.state = "ended";
    tab.problem = problem;
    tab.returns = returns;
    tab.sessions.clear();
    freeWorkers(tab.id);
    this.#keep();
    this.#report(tab);
  }

  /**
   * @param {chrome.debugger.Debuggee} source
   * @param {string} reason
   */
  async #detached({ tabId }, reason) {
    const tab = tabId === undefined ? undefined : this.#tabs.get(tabId);
    if (tab === undefined || tab.state === "ended") return;
    if (reason === "canceled_by_user") return this.#end(tab, closedByPerson());
    try {
      await chrome.tabs.get(tab.id);
      this.#end(tab, leftForOther(), true);
    } catch {
      if (this.#tabs.get(tab.id) === tab) void this.set(tab.id, false);
    }
  }

  /**
   * @param {chrome.debugger.DebuggerSession} source
   * @param {string} method
   * @param {any} params
   */
  #handle(source, method, params) {
    const { tabId } = source;
    if (tabId === undefined) {
      if (method === "Inspector.targetReloadedAfterCrash") void letGo(source);
      return;
    }
    const tab = this.#tabs.get(tabId);
    if (method === "Target.attachedToTarget") {
      const session = { tabId, sessionId: params.sessionId };
      if (tab === undefined) void letGo(session);
      else void this.#begin(tab, source, session, { ...params.targetInfo, isOld: !params.waitingForDebugger });
    } else if (method === "Target.detachedFromTarget" && tab !== undefined) {
      const target = tab.sessions.get(params.sessionId);
      tab.sessions.delete(params.sessionId);
      if (target?.type === "worker" && tab.hooked.delete(target.targetId)) this.#report(tab);
    } else if (method === "Inspector.targetReloadedAfterCrash") {
      // A service worker that was stopped in the moment in which it was hooked.
      const target = tab?.sessions.get(source.sessionId ?? "");
      if (tab !== undefined && target !== undefined) void this.#hookWorker(tab, source, target);
      else void letGo(source);
    }
  }

  /**
   * Something of a tab has a session, and waits.
   * @param {Tab} tab
   * @param {chrome.debugger.DebuggerSession} parent
   * @param {chrome.debugger.DebuggerSession} session
   * @param {any} target
   */
  async #begin(tab, parent, session, target) {
    // Those that it starts, too.
    if (target.type !== "service_worker") void send(session, "Target.setAutoAttach", AUTO_ATTACH);
    if (target.type === "iframe") return letGo(session);
    tab.sessions.set(/** @type {string} */ (session.sessionId), target);
    await this.#hookWorker(tab, session, target);
    if (target.type === "service_worker") {
      void send(parent, "Target.detachFromTarget", { sessionId: session.sessionId });
    }
  }

  /**
   * Hooks a worker, and lets it go.
   * @param {Tab} tab
   * @param {chrome.debugger.DebuggerSession} session
   * @param {any} target
   */
  async #hookWorker(tab, session, target) {
    /** @type {string | null} */
    let channel = null;
    try {
      channel = await Promise.race([this.#channelOf(tab, target), after(PATIENCE).then(() => null)]);
    } finally {
      // In this order; a service worker answers nothing before it goes on.
      const evaluated = channel === null ? undefined : this.#evaluate(session, channel, target.isOld);
      void letGo(session);
      if (channel === null && target.type === "service_worker") this.#unheard.set(target.targetId, target.url);
      if (await evaluated) {
        this.#unheard.delete(target.targetId);
        tab.hooked.add(target.targetId);
        this.#report(tab);
      } else if (session.sessionId === undefined || tab.sessions.has(session.sessionId)) {
        this.#missed(tab, target.url);
      }
    }
  }

  /**
   * A worker runs without a hook: the tab's documents of its origin name it.
   * @param {Tab} tab
   * @param {string} url
   */
  #missed(tab, url) {
    const worker = { url, from: originOf(url), isMissed: true };
    for (const { frame } of this.#documentsOf(tab, url)) {
      void chrome.tabs.sendMessage(tab.id, { worker }, { frameId: frame }).catch(() => {});
    }
  }

  /**
   * A tab's documents of a worker's origin, as far as they have come.
   * @param {Tab} tab
   * @param {string} url
   */
  #documentsOf(tab, url) {
    const origin = originOf(url);
    const senders = this.#around.documents().filter((of) => of.origin === origin && of.tab?.id === tab.id);
    return senders.map(({ frameId = 0 }) => ({ tab: tab.id, frame: frameId }));
  }

  /**
   * Evaluates the hook in a worker; whether the worker is hooked then.
   * @param {chrome.debugger.DebuggerSession} session
   * @param {string} channel
   * @param {boolean} isOld the worker has run before
   */
  async #evaluate(session, channel, isOld) {
    const name = JSON.stringify(channel);
    const expression = isOld ? `(${hookOld})(${this.#hook}, ${name})` : `${this.#hook}(${name})`;
    // A worker that is busy, or whose script never comes, does not answer.
    const answered = send(session, "Runtime.evaluate", {
      expression,
      awaitPromise: isOld,
      returnByValue: true,
      silent: true,
    });
    const answer = await Promise.race([answered, after(PATIENCE).then(() => undefined)]);
    return answer?.result?.value === true;
  }

  /**
   * The channel on which a document listens to a worker; null: none does.
   * @param {Tab} tab
   * @param {any} target
   * @returns {Promise<string | null>}
   */
  async #channelOf(tab, target) {
    const isOwned = target.type === "worker";
    const route = isOwned ? undefined : this.#routes.get(target.targetId);
    for (const place of this.#placesFor(tab, target, route)) {
      const channel = await this.#askToListen(place, target.url, { outlives: !isOwned, channel: route?.channel });
      if (channel === null) continue;
      if (!isOwned) this.#routes.set(target.targetId, { url: target.url, channel, ...place });
      return channel;
    }
    return null;
  }

  /**
   * The documents that may listen to a worker, the best one first.
   * @param {Tab} tab
   * @param {any} target
   * @param {{ tab: number, frame: number } | undefined} route where it was sent before
   * @returns {{ tab: number, frame: number }[]}
   */
  #placesFor(tab, { url }, route) {
    // It may be too young to have a port.
    const top = { tab: tab.id, frame: 0 };
    // A page outlives its frames. It does not answer for a worker of another origin.
    const places = [top, ...this.#documentsOf(tab, url).filter(({ frame }) => frame !== 0)];
    // Two that listen would tell of each write twice. One that rests does not answer.
    return route !== undefined && this.#isThere(route) ? [{ tab: route.tab, frame: route.frame }, ...places] : places;
  }

  /**
   * Whether a document has its bridge yet.
   * @param {{ tab: number, frame: number }} place
   */
  #isThere({ tab, frame }) {
    return this.#around.documents().some((of) => of.tab?.id === tab && (of.frameId ?? 0) === frame);
  }

  /** Workers whose document is gone, and that live on: another one listens. */
  async #handOn() {
    for (const [target, route] of this.#routes.all()) {
      if (this.#isThere(route)) continue;
      const heir = this.#around.documents().find((of) => of.origin === originOf(route.url));
      if (heir?.tab?.id === undefined) continue;
      const place = { tab: heir.tab.id, frame: heir.frameId ?? 0 };
      const channel = await this.#askToListen(place, route.url, { outlives: true, channel: route.channel });
      if (channel !== null) this.#routes.set(target, { ...route, ...place });
    }
  }

  /**
   * Has a document listen to a worker; the name of the channel, or null if it does not.
   * @param {{ tab: number, frame: number }} place
   * @param {string} url
   * @param {{ outlives: boolean, channel?: string }} about whether the worker may outlive the
   * document, and the channel that it has
   * @returns {Promise<string | null>}
   */
  async #askToListen({ tab, frame }, url, { outlives, channel }) {
    const from = originOf(url);
    try {
      const worker = { url, from, channel, outlives };
      const answer = await chrome.tabs.sendMessage(tab, { worker }, { frameId: frame });
      return channelIn(answer, from) ?? null;
    } catch {
      // It has no bridge.
      return null;
    }
  }

  /** Looks for shared workers, for as long as there is a tab to do so for. They run by then. */
  async #lookForShared() {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#lookWhileOn();
    } finally {
      this.#isLooking = false;
    }
  }

  async #lookWhileOn() {
    /** @type {Set<string>} */
    let known = new Set();
    for (;;) {
      const tabs = [...this.#tabs.values()].filter(({ state }) => state === "on");
      if (tabs.length === 0) break;
      const targets = await api.getTargets().catch(() => []);
      const shared = targets.filter(({ type, title }) => type === "worker" && !title.startsWith("Service Worker "));
      known = new Set(shared.filter(({ id }) => known.has(id)).map(({ id }) => id));
      const documents = this.#around.documents();
      for (const target of shared.filter(({ id }) => !known.has(id))) {
        const origin = originOf(target.url);
        const tab = tabs.find(({ id }) => documents.some((of) => of.tab?.id === id && of.origin === origin));
        if (tab === undefined) continue;
        known.add(target.id);
        void this.#hookRunning(tab, "shared_worker", target);
      }
      await this.#handOn();
      await after(SHARED_INTERVAL);
    }
  }

  /**
   * @param {Tab} tab
   * @param {string} type
   * @param {{ id: string, url: string }} target
   */
  async #hookRunning(tab, type, { id, url }) {
    const session = { targetId: id };
    try {
      await api.attach(session, VERSION);
    } catch {
      return this.#missed(tab, url);
    }
    await this.#hookWorker(tab, session, { targetId: id, url, type, isOld: true });
    await api.detach(session).catch(() => {});
  }
}
