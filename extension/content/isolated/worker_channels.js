// The channels on which the hooks of this document's workers tell of their writes.
//
// The background asks for a channel before a worker's script runs, and lets the script run once
// this document listens. Only the document that owns a worker is asked, so no other tab pays for
// it. A channel has a secret for a name, and stays open as long as the document: nothing tells when
// a worker ends. What comes over one is data of the page's origin, as little trusted as what the
// page's own hook says.
//
// Shared and service workers outlive documents, and another document may have listened while this
// one rested: two would tell of each write twice. So this one forgets their channels when it rests,
// and the background asks it again.

import { takeBody, takeStores } from "./hook_messages.js";
import { randomName } from "./random_name.js";

/** @typedef {import("./hook_messages.js").HookListener} HookListener */

/**
 * How many channels a document has at most. Further workers share them: that costs a copy of each
 * message for each worker, and changes nothing else, for hooks say who they are.
 */
const MOST_CHANNELS = 256;

/** For how many scripts it is remembered which channel their last worker has. */
const MOST_GIVEN = 1024;

/**
 * What the channels tell of, besides writes.
 * @typedef {object} ChannelListener
 * @property {(url: string) => void} miss the hook of a worker with this script has failed
 */

export class WorkerChannels {
  /** @type {Map<string, BroadcastChannel | null>} By their names; null while the document rests. */
  #channels = new Map();
  /**
   * The names of the channels for the workers of the last scripts, the latest one last.
   * @type {Map<string, string>}
   */
  #ofScripts = new Map();
  /**
   * The names of those of workers that outlive this document.
   * @type {Set<string>}
   */
  #lent = new Set();
  #isStopped = false;
  #listener;

  /** @param {HookListener & ChannelListener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /**
   * The name of a channel for a worker; this document listens on it.
   * @param {string} url of its script
   * @param {boolean} isKnown it is a worker that may have a channel already
   */
  nameFor(url, isKnown) {
    const name = (isKnown ? this.#ofScripts.get(url) : undefined) ?? this.#nextName();
    this.#ofScripts.delete(url);
    this.#ofScripts.set(url, name);
    if (this.#ofScripts.size > MOST_GIVEN) this.#ofScripts.delete(this.#ofScripts.keys().next().value ?? "");
    return name;
  }

  /**
   * Whether a worker with this script has been given a channel.
   * @param {string} url
   */
  hasScript(url) {
    return this.#ofScripts.has(url);
  }

  /**
   * The name of a channel for a worker that may outlive this document.
   * @param {string | undefined} name the one that it has, from a document that is gone
   */
  lend(name = randomName()) {
    if (!this.#channels.has(name)) {
      this.#channels.set(name, this.#opened(name));
      this.#lent.add(name);
    }
    return name;
  }

  /**
   * Another document listens on a channel that was lent.
   * @param {string} name
   */
  leave(name) {
    if (!this.#lent.delete(name)) return;
    this.#channels.get(name)?.close();
    this.#channels.delete(name);
  }

  /** A new one; or the one that was given out longest ago. */
  #nextName() {
    const own = [...this.#channels.keys()].filter((name) => !this.#lent.has(name));
    const name = own.length >= MOST_CHANNELS ? own[0] : randomName();
    const channel = this.#channels.get(name) ?? this.#opened(name);
    this.#channels.delete(name);
    this.#channels.set(name, channel);
    return name;
  }

  /** The document rests, and its workers do: an open channel may keep it out of the cache. */
  rest() {
    for (const name of [...this.#lent]) this.leave(name);
    for (const [name, channel] of this.#channels) {
      channel?.close();
      this.#channels.set(name, null);
    }
  }

  /** Whether any worker has one. */
  get areUsed() {
    return this.#channels.size > 0;
  }

  /** The document is back. */
  comeBack() {
    for (const [name, channel] of this.#channels) {
      if (channel === null) this.#channels.set(name, this.#opened(name));
    }
  }

  /** Nothing is wanted any more: that is the answer to each hook of this document's own workers. */
  stop() {
    this.#isStopped = true;
    for (const name of [...this.#lent]) this.leave(name);
    for (const channel of this.#channels.values()) channel?.postMessage({ stop: true });
  }

  /** @param {string} name */
  #opened(name) {
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => {
      if (this.#isStopped) channel.postMessage({ stop: true });
      else this.#take(data, channel);
    };
    // What can't be read here may have been a commit.
    channel.onmessageerror = () => this.#isStopped || this.#listener.survey();
    return channel;
  }

  /**
   * @param {any} data see `channel.js`
   * @param {BroadcastChannel} channel that it came over
   */
  #take(data, channel) {
    try {
      const { compare, survey, ask, id, missed } = typeof data === "string" ? /** @type {any} */ ({}) : data;
      if (typeof ask === "number") channel.postMessage({ taken: ask, id });
      else if (typeof missed === "string") this.#listener.miss(missed);
      else if (survey) this.#listener.survey();
      else if (compare !== undefined) takeStores(compare, this.#listener);
      else takeBody(data, this.#listener);
    } catch {
      // A script of the page has made it; or there was no memory.
      this.#listener.survey();
    }
  }
}
