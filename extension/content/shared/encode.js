// The typed encoding of structured-clone values: the one writer of the form that `protocol::value`
// specifies.
//
// Invariants: runs no code of the page (no getter, no proxy trap, no `toJSON`, no iterator), never
// throws, and is bounded in depth and size. It reads own data properties and internal slots only.
// Where a value can't be known that way, because cloning it ran an accessor, `encode` says
// `undefined` and the caller reads the stored record instead.
//
// What JSON can write as it is, the engine writes: `plain.js` says what that is. The rest of the
// text grows in one string, member by member. Objects remember where their text begins and ends, so
// one that turns out to occur again is wrapped into its `$id` afterwards; where any does, the whole
// value is written member by member. How objects with internal slots look stands in `builtins.js`
// and `platform.js`, which write through the functions at the end. The bytes of blobs can't be had
// at once: the text has a mark in their place, and a caller that wants the whole text fills it in
// (`blobs.js`).

import { MARK } from "./channel.js";
import { kindOf } from "./kinds.js";
import {
  areMembersKnown,
  dataOf,
  examine,
  forgetExamined,
  isAllowed,
  isDense,
  isPlain,
  NOT_PLAIN,
  startsWithDollar,
  UNKNOWN,
} from "./plain.js";
import { bare, emptyList, isArray, keysOf, sealedOff, slice, stringify, uncurry } from "./pristine.js";
import { quoted } from "./property_names.js";
import { withIds } from "./repeated_objects.js";

/**
 * The deepest JSON that is written, a little below `protocol::json::MAX_DEPTH`. An object or array
 * counts for two levels, one more than it takes, so that 510 of them fit; what takes more levels
 * counts for more.
 */
const MAX_DEPTH = 1020;
/** The longest text of one value, in UTF-16 units. */
const MAX_LENGTH = 32 * 1024 * 1024;
/**
 * Where an object's text stands. `inlined` marks a buffer whose bytes stand in the place of its
 * view.
 * @typedef {{ start: number, end: number, id: number, inlined: boolean }} Place
 */
/**
 * The place in a text where a generated key goes, and what has to stand around it.
 * @typedef {{ at: number, before: string, after: string }} Hole
 */
/**
 * A value's text; `blobs` are those whose bytes are missing in it, in the order of their marks, and
 * `units` is its length with them.
 * @typedef {{ text: string, hole: Hole | null, blobs: Blob[] | null, units: number }} Encoded
 */
/**
 * A key path, a name a link.
 * @typedef {{ name: string, next: KeyPath | null }} KeyPath
 */

// What is thrown, and caught again in here, to leave a value half written.
const TOO_LARGE = {};
const SHARED_BUFFER = {};

const isEnumerable = uncurry(Object.prototype.propertyIsEnumerable);

let out = "";
/** @type {Map<object, Place>} */
const places = sealedOff(new Map());
/** The places of objects that occurred again. */
let repeated = emptyList();
let depth = 0;
let deepest = 0;
/**
 * What an object counts for beyond its own levels: 1 where so many `$id`s nest that the spare level
 * is not enough.
 */
let reserve = 0;
/** Whether views of whole buffers refer to them, because some buffer has several views. */
let shareBuffers = false;
/** Whether the value was read from the database, and hence has no accessors. */
let stored = false;
/** Whether the engine writes what is plain. */
let atOnce = false;
/** @type {Hole | null} */
let hole = null;
/** @type {Blob[] | null} */
let blobs = null;
/** The length of what is to be filled in for the blobs, in UTF-16 units. */
let missing = 0;
/**
 * Whether a value is being encoded, and whether the page ran meanwhile: an accessor may have put a
 * proxy where it was before.
 */
let busy = false;
let interrupted = false;

/**
 * The typed text of a key, or of something else without blobs; `undefined` if it can't be known
 * without running code of the page.
 * @param {any} value
 * @param {boolean} fromStore whether it was read from the database
 * @returns {string | undefined}
 */
export function encode(value, fromStore) {
  return encodeValue(value, fromStore, null)?.text;
}

/**
 * As `encode`, for any value, also one into which the database writes the key that it generates.
 * @param {any} value
 * @param {boolean} fromStore
 * @param {KeyPath | null} path where the key goes
 * @returns {Encoded | undefined}
 */
export function encodeValue(value, fromStore, path) {
  if (busy) {
    interrupted = true;
    return undefined;
  }
  busy = true;
  interrupted = false;
  stored = fromStore;
  reserve = 0;
  shareBuffers = false;
  atOnce = isAllowed();
  try {
    // The last call may have had no stack left for this.
    forget();
    while (!written(value, path)) forget();
    if (interrupted) return undefined;
    if (repeated.length === 0) return encoded(out);
    // Objects that occur again are the same objects with the key in them: that is more than a hole
    // can say.
    return hole === null ? encoded(withIds(out, repeated)) : undefined;
  } catch (error) {
    hole = blobs = null;
    missing = 0;
    // Anything but TOO_LARGE and UNKNOWN is a stack at its end; the stored record can be read from
    // a shallower place.
    return error === TOO_LARGE ? encoded(opaque("Object", "too large")) : undefined;
  } finally {
    // First what can't fail, where the stack is at its end.
    busy = false;
    out = "";
    blobs = null;
    forget();
  }
}

/**
 * @param {string} text
 * @returns {Encoded}
 */
const encoded = (text) => ({ text, hole, blobs, units: text.length + missing });

/**
 * Writes the value; `false` if it must be written again under other terms.
 * @param {any} value
 * @param {KeyPath | null} path
 */
function written(value, path) {
  out = "";
  hole = blobs = null;
  missing = depth = deepest = 0;
  try {
    writeNew(value, path);
  } catch (error) {
    if (error === NOT_PLAIN) atOnce = false;
    else if (error === SHARED_BUFFER) shareBuffers = true;
    else throw error;
    return false;
  }
  if (repeated.length === 0 || reserve === 1 || deepest * 3 <= MAX_DEPTH * 2) return true;
  reserve = 1;
  return false;
}

function forget() {
  forgetExamined();
  if (places.size > 0) places.clear();
  if (repeated.length > 0) repeated = emptyList();
}

/**
 * The text of what can't be carried.
 * @param {string} type
 * @param {string} reason
 */
export function opaque(type, reason) {
  return `{"$opaque":{"type":"${type}","reason":"${reason}"}}`;
}

/**
 * Writes what was not examined with what is around it.
 * @param {any} value
 * @param {KeyPath | null} path
 */
function writeNew(value, path) {
  if (atOnce && typeof value === "object" && value !== null) examine(bare(value), stored, depth);
  write(value, path);
}

/**
 * @param {any} value
 * @param {KeyPath | null} path
 */
function write(value, path) {
  switch (typeof value) {
    case "string":
      if (out.length + value.length > MAX_LENGTH) throw TOO_LARGE;
      out += stringify(value);
      break;
    case "number":
      if (value - value !== 0) out += `{"$number":"${value}"}`;
      else out += value === 0 && 1 / value < 0 ? '{"$number":"-0"}' : value;
      break;
    case "boolean":
      out += value;
      break;
    case "object":
      if (value === null) out += "null";
      else writeObject(bare(value), path);
      break;
    case "undefined":
      out += '{"$undefined":true}';
      break;
    case "bigint":
      out += `{"$bigint":"${value}"}`;
      break;
    default:
      throw UNKNOWN;
  }
}

/**
 * @param {any} value
 * @param {KeyPath | null} path
 */
function writeObject(value, path) {
  if (out.length > MAX_LENGTH) throw TOO_LARGE;
  if (atOnce) {
    if (!isPlain(value) || !isWrittenAtOnce(value, path)) writeParts(value, path);
    return;
  }
  const before = places.get(value);
  if (before !== undefined) {
    if (before.inlined) throw SHARED_BUFFER;
    if (before.id === 0) {
      repeated[repeated.length] = before;
      before.id = repeated.length;
    }
    out += `{"$ref":${before.id}}`;
    return;
  }
  const place = { start: out.length, end: 0, id: 0, inlined: false };
  places.set(value, place);
  writeParts(value, path);
  place.end = out.length;
}

/**
 * @param {any} value
 * @param {KeyPath | null} path
 */
function writeParts(value, path) {
  enter(2 + reserve);
  if (depth > MAX_DEPTH) {
    out += opaque("Object", "too deep");
  } else if (isArray(value)) {
    if (path !== null) throw UNKNOWN;
    writeArray(value);
  } else {
    const kind = kindOf(value);
    if (kind === null) {
      writePlain(value, path);
    } else {
      const { write: writeKind } = kind;
      enter(2);
      writeKind(value);
      depth -= 2;
    }
  }
  depth -= 2 + reserve;
}

/**
 * Has the engine write something plain; `false` if a key goes where the engine can't leave room.
 * @param {any} value
 * @param {KeyPath | null} path
 */
function isWrittenAtOnce(value, path) {
  const lacksKey = path !== null && !isArray(value) && !isEnumerable(value, path.name);
  if (
    path !== null &&
    (isArray(value) || (!lacksKey && (path.next !== null || typeof value[path.name] === "object")))
  ) {
    return false;
  }
  let text;
  try {
    text = stringify(value);
  } catch {
    // No string is that long; or it is a boxed bigint, which pretends to be plain.
    throw NOT_PLAIN;
  }
  if (lacksKey && text === "{}") return false;
  // The member by member way knows where exactly it is too much.
  if (out.length + missing + text.length > MAX_LENGTH) throw NOT_PLAIN;
  if (lacksKey) {
    out += slice(text, 0, -1);
    leaveHole(path, ",");
    out += "}";
  } else {
    out += text;
  }
  return true;
}

/** @param {number} levels */
function enter(levels) {
  depth += levels;
  if (depth > deepest) deepest = depth;
}

/**
 * @param {any} value
 * @param {KeyPath | null} path
 */
function writePlain(value, path) {
  const names = keysOf(value);
  const isKnown = atOnce && areMembersKnown(value);
  const lacksKey = path !== null && !isEnumerable(value, path.name);
  const wrapped =
    (lacksKey ? names.length === 0 : names.length === 1) && startsWithDollar(lacksKey ? path.name : names[0]);
  if (wrapped) {
    enter(2);
    out += '{"$object":';
  }
  out += "{";
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    if (index > 0) out += ",";
    out += quoted(name);
    writeMember(value, name, isKnown, path);
  }
  if (lacksKey) leaveHole(path, names.length > 0 ? "," : "");
  out += "}";
  if (wrapped) {
    depth -= 2;
    out += "}";
  }
}

/**
 * Leaves room for the key that the database generates.
 * @param {KeyPath} path
 * @param {string} comma
 */
function leaveHole(path, comma) {
  let before = comma + quoted(path.name);
  let after = "";
  for (let link = path.next; link !== null; link = link.next) {
    const isWrapped = startsWithDollar(link.name);
    before += (isWrapped ? '{"$object":{' : "{") + quoted(link.name);
    after += isWrapped ? "}}" : "}";
  }
  hole = { at: out.length, before, after };
}

/**
 * Writes what an object or array has under a name.
 * @param {any} owner
 * @param {any} name
 * @param {boolean} isKnown whether it has been examined with its owner
 * @param {KeyPath | null} path
 */
function writeMember(owner, name, isKnown, path) {
  const content = isKnown ? owner[name] : member(owner, name);
  const isOnPath = path !== null && path.name === name;
  // Chromium gives the record's key back in the place of a key that was given: an `ArrayBuffer` for
  // a view.
  if (isOnPath && path.next === null && typeof content === "object") throw UNKNOWN;
  (isKnown ? write : writeNew)(content, isOnPath ? path.next : null);
}

/** @param {any[]} value */
function writeArray(value) {
  const { length } = value;
  const names = keysOf(value);
  const isKnown = atOnce && areMembersKnown(value);
  if (isDense(names, length)) {
    out += "[";
    for (let index = 0; index < length; index++) {
      if (index > 0) out += ",";
      writeMember(value, index, isKnown, null);
    }
    out += "]";
  } else {
    enter(2);
    out += `{"$sparse":{"length":${length},"items":{`;
    for (let index = 0; index < names.length; index++) {
      if (index > 0) out += ",";
      // Not `quoted`: there may be millions of indices.
      out += stringify(names[index]) + ":";
      writeMember(value, names[index], isKnown, null);
    }
    out += "}}}";
    depth -= 2;
  }
}

// What kinds write through.

/**
 * An own property, known to exist.
 * @param {any} owner
 * @param {PropertyKey} name
 */
export const member = (owner, name) => (stored ? owner[name] : dataOf(owner, name));

/** @param {any} value */
export function writeValue(value) {
  writeNew(value, null);
}

/** @param {string} text */
export function append(text) {
  out += text;
}

/**
 * Gives up on a value that is about to grow too large.
 * @param {number} length of what is to be appended, in UTF-16 units
 */
export function reserveText(length) {
  if (out.length + missing + length > MAX_LENGTH) throw TOO_LARGE;
}

/**
 * Leaves the place for something of a blob's: its bytes, most likely.
 * @param {Blob} blob
 * @param {number} length of what is to stand there, in UTF-16 units
 */
export function appendMark(blob, length) {
  missing += length;
  reserveText(0);
  blobs ??= emptyList();
  blobs[blobs.length] = blob;
  out += MARK;
}

/**
 * Whether accessors and inherited members are out of the question, since the value was read from
 * the database.
 */
export function isStored() {
  return stored;
}

/**
 * Lets the only view of a whole buffer stand for the buffer, too; `false` if the buffer must be
 * written by itself.
 * @param {ArrayBuffer} buffer
 */
export function standsForBuffer(buffer) {
  if (shareBuffers) return false;
  if (atOnce) {
    // For it to be found if it occurs again.
    examine(buffer, stored, depth);
    return true;
  }
  if (places.has(buffer)) throw SHARED_BUFFER;
  places.set(buffer, { start: 0, end: 0, id: 0, inlined: true });
  return true;
}
