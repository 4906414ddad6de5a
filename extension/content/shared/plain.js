// What of a value JSON can write as it is: plain objects and dense arrays of strings, numbers,
// booleans, null and each other.
//
// Invariants: no code of the page runs here, nor in a `JSON.stringify` of what is found to be plain
// as long as no code of the page ran since; each object is looked at once; what an object holds is
// known to be data before it is read. JSON asks objects for `toJSON`, which nothing plain has or
// inherits, and boxed primitives, which may pretend to be plain, for what converts them: nothing
// plain is one, but for bigints, which JSON refuses. Of the same object twice JSON would write two:
// that is `NOT_PLAIN` for the whole value.

import {
  getOwnPropertyDescriptor,
  getPrototypeOf,
  globalFunction,
  hasOwn,
  isArray,
  keysOf,
  sealedOff,
  slice,
  uncurry,
} from "./pristine.js";

// What is thrown, and caught in `encode.js`.
/** The value can't be known without running code of the page. */
export const UNKNOWN = {};
/** The value has to be written member by member. */
export const NOT_PLAIN = {};

/** The deepest objects that are looked at, in levels as `encode.js` counts them. */
const MAX_EXAMINED_DEPTH = 800;
/**
 * How much JSON may be given at once: the units of all names and strings, and two for each member.
 */
const MAX_UNITS = 32 * 1024 * 1024;
const DOLLAR = "$";

const { prototype: plainObject } = Object;
const { prototype: plainArray } = Array;
const lookUpGetter = uncurry(/** @type {any} */ (plainObject).__lookupGetter__);
const { toStringTag } = Symbol;
const tagOf = uncurry(plainObject.toString);

// What an examined object is.
/** JSON may write it as it is. */
const PLAIN = 0;
/** Its members are data, and have been examined with it, but JSON would not write all of them. */
const MIXED = 1;
/** Nothing is known of what it holds. */
const CLOSED = 2;

/**
 * What has been examined, except for a value by itself that is plain and holds no other object.
 * @type {Map<object, number>}
 */
const examined = sealedOff(new Map());
/**
 * The value that is not in there yet.
 * @type {object | null}
 */
let outermost = null;
let units = 0;
let areStored = false;

/** Whether all that arrays inherit from is as it was: a proxy may have been put there. */
export const isAllowed = () => getPrototypeOf(plainArray) === plainObject;

/**
 * Looks at an object, and at all that its plain part holds.
 * @param {any} value
 * @param {boolean} stored whether it was read from the database, and hence has no accessors
 * @param {number} depth of what is around it
 */
export function examine(value, stored, depth) {
  areStored = stored;
  if (examined.size > 0) examineInner(value, depth);
  else examineObject((outermost = value), depth);
}

export function forgetExamined() {
  units = 0;
  outermost = null;
  if (examined.size > 0) examined.clear();
}

/**
 * Whether JSON may write an examined object.
 * @param {object} value
 */
export const isPlain = (value) => !examined.get(value);

/**
 * Whether the members of an examined object have been examined with it.
 * @param {object} value
 */
export const areMembersKnown = (value) => examined.get(value) !== CLOSED;

/**
 * An own property, known to exist.
 * @param {any} owner
 * @param {PropertyKey} name
 */
export function dataOf(owner, name) {
  const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, name));
  // `in` is quick; a page may have extended `Object.prototype` by a `get`.
  if ("get" in descriptor && hasOwn(descriptor, "get")) throw UNKNOWN;
  return descriptor.value;
}

/**
 * As `dataOf`, in the way that is quicker in V8, for it makes no descriptors.
 * @param {any[]} list
 * @param {number} index
 */
function lookUpElement(list, index) {
  if (lookUpGetter(list, index) !== undefined) throw UNKNOWN;
  return list[index];
}
const elementOf = globalFunction("InternalError") === undefined ? lookUpElement : dataOf;

/**
 * Whether a name could be one of the form's.
 * @param {string} name
 */
export const startsWithDollar = (name) => slice(name, 0, 1) === DOLLAR;

/**
 * Whether an array has all of its indices and nothing else: they come first and ascend, so they are
 * there if the last of `length` names is the last one.
 * @param {string[]} names
 * @param {number} length
 */
export const isDense = (names, length) =>
  names.length === length && (length === 0 || names[length - 1] === `${length - 1}`);

/**
 * @param {any} value that another one holds
 * @param {number} depth of what is around it
 */
function examineInner(value, depth) {
  if (outermost !== null) {
    examined.set(outermost, PLAIN);
    outermost = null;
  }
  const { size } = examined;
  examined.set(value, PLAIN);
  if (examined.size === size || depth > MAX_EXAMINED_DEPTH) throw NOT_PLAIN;
  return examineObject(value, depth);
}

/**
 * Whether the object is plain.
 * @param {any} value
 * @param {number} depth of what is around it
 */
function examineObject(value, depth) {
  const isList = isArray(value);
  if (getPrototypeOf(value) !== (isList ? plainArray : plainObject) || "toJSON" in value) return setKind(value, CLOSED);
  if (!isList && (toStringTag in value || tagOf(value) !== "[object Object]")) return setKind(value, CLOSED);
  const names = keysOf(value);
  let plain = true;
  units += 2 * names.length;
  if (units > MAX_UNITS) throw NOT_PLAIN;
  if (isList) {
    if (!isDense(names, value.length)) return setKind(value, CLOSED);
    for (let index = 0; index < names.length; index++) {
      if (!isPlainMember(areStored ? value[index] : elementOf(value, index), depth)) plain = false;
    }
  } else {
    // `encode.js` marks it.
    if (names.length === 1 && startsWithDollar(names[0])) plain = false;
    for (let index = 0; index < names.length; index++) {
      const name = names[index];
      units += name.length;
      if (!isPlainMember(areStored ? value[name] : dataOf(value, name), depth)) plain = false;
    }
  }
  if (units > MAX_UNITS) throw NOT_PLAIN;
  return plain || setKind(value, MIXED);
}

/**
 * Remembers what an object is that is not plain.
 * @param {object} value
 * @param {number} what
 */
function setKind(value, what) {
  if (outermost === value) outermost = null;
  examined.set(value, what);
  return false;
}

/**
 * @param {any} content
 * @param {number} depth
 */
function isPlainMember(content, depth) {
  switch (typeof content) {
    case "string":
      units += content.length;
      return true;
    case "number":
      return content - content === 0 && (content !== 0 || 1 / content > 0);
    case "boolean":
      return true;
    case "object":
      return content === null || examineInner(content, depth + 2);
    default:
      return false;
  }
}
