// The hook's end of the way to the bridge.
//
// A detached node that the two worlds share: nobody else can reach it. Its events carry the messages, synchronously, so that a
// commit is on its way out of this process before the page can go away.

import { BODY, HANDSHAKE, LATE_HANDSHAKE, READY, STOP, SURVEY } from "./channel.js";
import { dispatch, listen, Message, PlainEvent } from "./idb.js";

const node = document.createTextNode("");

/** Whether the bridge wants to hear of writes. */
export let active = false;

listen(node, READY, () => {
  active = true;
});
listen(node, STOP, () => {
  active = false;
});

/** Looks for the bridge; says whether there is one that has no hook yet. */
export function meetBridge() {
  const name = document.head === null ? HANDSHAKE : LATE_HANDSHAKE;
  dispatch(document, new MouseEvent(name, { relatedTarget: node }));
  return active;
}

/** Lets the bridge look, in a while, at what is there. */
export function wantSurvey() {
  if (active) dispatch(node, new PlainEvent(SURVEY));
}

/**
 * Gives a body to the bridge, synchronously.
 * @param {string} text
 * @param {Blob[] | null} blobs whose bytes are missing in it
 */
export function hand(text, blobs) {
  const data = blobs === null || blobs.length === 0 ? text : { __proto__: null, text, blobs };
  dispatch(node, new Message(BODY, /** @type {any} */ ({ __proto__: null, data })));
}
