// How the objects of the language look: dates, collections, bytes, regular expressions, boxed
// primitives, errors.

import { append, isStored, member, opaque, reserveText, standsForBuffer, writeValue } from "./encode.js";
import { UNKNOWN } from "./plain.js";
import { addKind } from "./kinds.js";
import {
  bare,
  emptyList,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  getterOf,
  hasOwn,
  sealedOff,
  stringify,
  uncurry,
} from "./pristine.js";

const getTime = uncurry(Date.prototype.getTime);
const toISOString = uncurry(Date.prototype.toISOString);
addKind(Date, getTime, (value) => {
  const time = getTime(value);
  append(time === time ? `{"$date":"${toISOString(value)}"}` : '{"$date":null}');
});

// By iterators, not by `forEach`: Firefox does not let a map of the page's call a function of the
// isolated world.
const entriesOfMap = uncurry(Map.prototype.entries);
const nextOfMap = uncurry(getPrototypeOf(new Map().entries()).next);
addKind(Map, getterOf(Map.prototype, "size"), (map) => {
  const entries = entriesOfMap(map);
  let separator = "[";
  append('{"$map":[');
  for (let entry = nextOfMap(entries); !entry.done; entry = nextOfMap(entries)) {
    append(separator);
    writeValue(entry.value[0]);
    append(",");
    writeValue(entry.value[1]);
    append("]");
    separator = ",[";
  }
  append("]}");
});

const valuesOfSet = uncurry(Set.prototype.values);
const nextOfSet = uncurry(getPrototypeOf(new Set().values()).next);
addKind(Set, getterOf(Set.prototype, "size"), (set) => {
  const values = valuesOfSet(set);
  let separator = "";
  append('{"$set":[');
  for (let item = nextOfSet(values); !item.done; item = nextOfSet(values)) {
    append(separator);
    writeValue(item.value);
    separator = ",";
  }
  append("]}");
});

const Bytes = Uint8Array;
const toBase64 = uncurry(/** @type {any} */ (Bytes.prototype).toBase64);
const lengthOfBuffer = getterOf(ArrayBuffer.prototype, "byteLength");
const isResizable = getterOf(ArrayBuffer.prototype, "resizable");
const maximumOfBuffer = getterOf(ArrayBuffer.prototype, "maxByteLength");

/**
 * @param {string} type
 * @param {ArrayBuffer} buffer
 */
function writeBytes(type, buffer) {
  reserveText(lengthOfBuffer(buffer) * 1.34);
  const maximum = isResizable(buffer) ? `,"maxByteLength":${maximumOfBuffer(buffer)}` : "";
  append(`{"$bytes":{"type":"${type}","base64":"${toBase64(new Bytes(buffer))}"${maximum}}}`);
}

addKind(ArrayBuffer, lengthOfBuffer, (buffer) => writeBytes("ArrayBuffer", buffer));

const typedArray = getPrototypeOf(Bytes.prototype);
const typeOfView = getterOf(typedArray, Symbol.toStringTag);
/**
 * The getters of all views by one name; which of the two kinds of views it is says the type.
 * @param {string} name
 */
const getterOfView = (name) => {
  const ofArray = getterOf(typedArray, name);
  const ofDataView = getterOf(DataView.prototype, name);
  return (/** @type {any} */ view) => (typeOfView(view) === undefined ? ofDataView(view) : ofArray(view));
};
const bufferOfView = getterOfView("buffer");
const offsetOfView = getterOfView("byteOffset");
const lengthOfView = getterOfView("byteLength");
addKind(Bytes, bufferOfView, (view) => {
  const type = typeOfView(view) ?? "DataView";
  const buffer = bufferOfView(view);
  const length = lengthOfView(view);
  if (length === lengthOfBuffer(buffer) && !isResizable(buffer) && standsForBuffer(buffer)) {
    writeBytes(type, buffer);
  } else {
    append(`{"$bytes":{"type":"${type}","offset":${offsetOfView(view)},"length":${length},"buffer":`);
    writeValue(buffer);
    append("}}");
  }
});

const sourceOfRegExp = getterOf(RegExp.prototype, "source");
/**
 * Flags with their getters, in the order of `flags`; that one itself calls what a page may have
 * overwritten.
 */
const flags = emptyList();
for (const [flag, name] of Object.entries({
  d: "hasIndices",
  g: "global",
  i: "ignoreCase",
  m: "multiline",
  s: "dotAll",
  u: "unicode",
  v: "unicodeSets",
  y: "sticky",
})) {
  flags[flags.length] = { flag, isSet: getterOf(RegExp.prototype, name) };
}
addKind(RegExp, getterOf(RegExp.prototype, "global"), (expression) => {
  let set = "";
  for (let index = 0; index < flags.length; index++) {
    const { flag, isSet } = flags[index];
    if (isSet(expression)) set += flag;
  }
  append(`{"$regexp":{"source":${stringify(sourceOfRegExp(expression))},"flags":"${set}"}}`);
});

const scope = /** @type {any} */ (globalThis);
for (const type of ["Boolean", "Number", "String", "BigInt"]) {
  const valueOf = uncurry(scope[type].prototype.valueOf);
  addKind(scope[type], valueOf, (value) => {
    append('{"$boxed":');
    writeValue(valueOf(value));
    append("}");
  });
}

const { isError } = /** @type {any} */ (Error);
const inheritedStack = getterOf(Error.prototype, "stack");
const nativeStack = getOwnPropertyDescriptor(new Error(), "stack")?.get;
/** @type {WeakMap<object, string>} The names that errors inherit from the built-in prototypes. */
const errorNames = sealedOff(new WeakMap());
/**
 * @type {Set<string>} The names that an error may have in the database (HTML,
 * StructuredSerializeInternal); others become `Error`.
 */
const storedNames = sealedOff(new Set());

/**
 * The name that the database gives an error.
 * @param {any} error
 */
function nameOfError(error) {
  const prototype = getPrototypeOf(error);
  const inherited = prototype === null ? undefined : errorNames.get(prototype);
  // What was read has the name that its prototype says, and where this world does not know that
  // one, nothing of its own.
  if (isStored()) return inherited ?? "Error";
  const name = hasOwn(error, "name") ? member(error, "name") : inherited;
  // A class or a changed prototype decides the name by running its code.
  if (typeof name !== "string" || inherited === undefined || member(prototype, "name") !== inherited) throw UNKNOWN;
  return storedNames.has(name) ? name : "Error";
}

/** @param {any} error */
function writeError(error) {
  // Only Firefox keeps one whole. Its errors are no part of the form.
  if (isStored() && hasOwn(error, "errors")) {
    append(opaque("AggregateError", "not representable in JSON"));
    return;
  }
  append(`{"$error":{"name":"${nameOfError(error)}"`);
  if (hasOwn(error, "message")) {
    const message = member(error, "message");
    if (typeof message !== "string") throw UNKNOWN;
    append(`,"message":${stringify(message)}`);
  }
  const stack = stackOf(error);
  if (typeof stack === "string") append(`,"stack":${stringify(stack)}`);
  if (hasOwn(error, "cause")) {
    append(',"cause":');
    writeValue(member(error, "cause"));
  }
  append("}}");
}

/** @param {any} error */
function stackOf(error) {
  // Firefox clones what its inherited accessor says and ignores the error's own member.
  if (inheritedStack !== undefined) return inheritedStack(error);
  const own = getOwnPropertyDescriptor(error, "stack");
  if (own === undefined) return undefined;
  // Chromium's accessor runs no code any more: cloning the error has made the text.
  return hasOwn(own, "get") && own.get === nativeStack ? error.stack : member(error, "stack");
}

const platformErrors = /** @type {any} */ (globalThis).DOMException;
export const nameOfException = getterOf(platformErrors.prototype, "name");
const messageOfException = getterOf(platformErrors.prototype, "message");
// Before the errors of the language: they are errors, too.
addKind(platformErrors, nameOfException, (error) => {
  append(`{"$error":{"name":${stringify(nameOfException(error))},"message":${stringify(messageOfException(error))}}}`);
});

/** @param {any} value */
const probeError = (value) => {
  if (!isError(value)) throw UNKNOWN;
};
for (const type of ["Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"]) {
  addKind(scope[type], probeError, writeError);
  storedNames.add(type);
  errorNames.set(scope[type].prototype, type);
  // The isolated world of Firefox reads errors of the page's. Workers have no window.
  errorNames.set(bare((scope.window ?? scope)[type].prototype), type);
}
