// How the page hook and the bridge find each other.
//
// The hook makes a detached element and passes it, as the `submitter` of one event on the document,
// to the bridge, which listened before: at document start no script of the page has run, so no
// other script can hold the node. From then on both worlds talk by dispatching events on it.
// Dispatching is synchronous in both browsers, and strings cross uncopied. The window may be older
// than the document (a frame's, from the `about:blank` before it), with listeners of the page.
// Hence the name: a `load` never reaches the window (HTML, the document's "get the parent"); in
// Firefox that holds for some classes of events only, and of these `SubmitEvent` can carry a node.
// A page that opened the window of a frame or a popup may have changed its built-ins before the
// hook runs there, and can get hold of the node. What it gains is its own origin's, which it has
// anyway. A page that is hooked late could intercept the event: it would gain its own data, and a
// way to lie about itself that it has anyway. There a `load` would surprise it.

/** On the document, from the hook: `submitter` is the node. */
export const HANDSHAKE = "load";
/** The same where scripts of the page may have run. */
export const LATE_HANDSHAKE = "dev.idb_relay.handshake";
/**
 * On the node, from the bridge: capture may begin. Without it there is no bridge, or this document
 * is hooked already.
 */
export const READY = "ready";
/**
 * On the node, from the bridge, to a hook that came late: the origin had no storage buckets but the
 * default one. What the window got before is that one's.
 */
export const NO_BUCKETS = "nobuckets";
/** On the node, from the bridge: nothing is wanted any more. */
export const STOP = "stop";
/**
 * On the node, from the bridge: an inspector wants to see the stacks of writes; or no inspector
 * does any more.
 */
export const TRACE = "trace";
export const UNTRACE = "untrace";
/**
 * On the node, from the bridge: the document goes away, and its transactions with it; what they did
 * may yet be kept.
 */
export const LEAVE = "leave";
/** On the node, from the bridge: the document stays, or is back from the back/forward cache. */
export const STAY = "stay";
/** On the node, from the hook: a transaction writes. Not said again before `RESTED`. */
export const WRITING = "writing";
/** On the node, from the bridge: does a transaction still write? If none does, `RESTED` follows. */
export const ASK = "ask";
/** On the node, from the hook: what was written is committed and handed over, or aborted. */
export const RESTED = "rested";
/** On the node, from the hook: something changed that only a look at everything can tell. */
export const SURVEY = "survey";
/**
 * On the node, from the hook: `data` is the JSON text of a list of `protocol::body::StoreName`s,
 * of a transaction that may have written although no write of it was seen. Where the bucket is
 * null it is not known: the stores of all buckets are meant.
 */
export const COMPARE = "compare";
/**
 * On the node, from the hook: `data` is `{method, name}`, and gets a native function under that
 * name which calls the method. Only in Firefox: elsewhere there is no answer.
 */
export const EXPORT = "export";
/**
 * On the node, from the hook: `data` is the JSON text of a `protocol::body::Body`, or
 * `{text, blobs, stacks}` where bytes of blobs are missing in the text, see `blobs.js`, or the
 * stacks of its operations come along, as JSON.
 */
export const BODY = "body";

// From the hook of a worker there is no node but a `BroadcastChannel` (`worker/channel_end.js`).
// What is posted on it is the `data` of `BODY`; or `{compare}`, with the `data` of `COMPARE`; or
// `{survey: true}`; or `{missed}`, the address of a worker whose hook has failed; or `{ask, id}`,
// how much the hook with this number has posted. To the last one the bridge answers with
// `{taken, id}` when it has taken so much; and to anything with `{stop: true}` when nothing is
// wanted any more.

/** How much of a worker's address is sent, in UTF-16 units. */
export const LONGEST_ADDRESS = 1024;

/** In a body's text where a blob's bytes are missing: no JSON text has it. */
export const MARK = "\u0001";
