// The typed encoding of structured-clone values: the one writer of the form that `protocol::value` specifies.
//
// Invariants: runs no code of the page (no getter, no proxy trap, no `toJSON`, no iterator), never throws, and is bounded in
// depth and size. It reads own data properties and internal slots only. Where a value can't be known that way, because
// cloning it ran an accessor, `encode` says `undefined` and the caller reads the stored record instead.
//
// The text grows in one string. Objects remember where their text begins and ends, so one that turns out to occur again is
// wrapped into its `$id` afterwards and nothing is walked twice.

import {
  emptyList,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  getterOf,
  hasOwn,
  isArray,
  keysOf,
  sealedOff,
  slice,
  stringify,
  uncurry,
} from "./pristine.js";

/**
 * The deepest JSON that is written, a little below `protocol::json::MAX_DEPTH`. An object or array counts for two levels, one
 * more than it takes, so that 510 of them fit; what takes more levels counts for more.
 */
const MAX_DEPTH = 1020;
/** The longest text of one value, in UTF-16 units. */
const MAX_LENGTH = 32 * 1024 * 1024;
/** How many property names are kept in their quoted form. */
const MAX_NAMES = 4096;
const DOLLAR = 36;

/**
 * Where an object's text stands. `inlined` marks a buffer whose bytes stand in the place of its view.
 * @typedef {{ start: number, end: number, id: number, inlined: boolean }} Place
 */
/**
 * The place in a text where a generated key goes, and what has to stand around it.
 * @typedef {{ at: number, before: string, after: string }} Hole
 */
/**
 * A key path, a name a link.
 * @typedef {{ name: string, next: KeyPath | null }} KeyPath
 */
/**
 * Objects with internal slots: how they are recognised (`probe` throws unless the object has the slots) and written.
 * @typedef {{ type: string, probe: (value: any) => any, write: (value: any, kind: Kind) => void }} Kind
 */

// What is thrown, and caught again in here, to leave a value half written.
const UNKNOWN = {};
const TOO_LARGE = {};
const SHARED_BUFFER = {};

const sort = uncurry(Array.prototype.sort);
const unitAt = uncurry(String.prototype.charCodeAt);
const isEnumerable = uncurry(Object.prototype.propertyIsEnumerable);

let out = "";
/** @type {Map<object, Place>} */
const places = sealedOff(new Map());
/** The places of objects that occurred again. */
let repeated = emptyList();
let depth = 0;
let deepest = 0;
/** What an object counts for beyond its own levels: 1 where so many `$id`s nest that the spare level is not enough. */
let reserve = 0;
/** Whether views of whole buffers refer to them, because some buffer has several views. */
let shareBuffers = false;
/** Whether the value was read from the database, and hence has no accessors. */
let stored = false;
/** @type {Hole | null} */
let hole = null;

/**
 * The typed text of a value; `undefined` if it can't be known without running code of the page.
 * @param {any} value
 * @param {boolean} fromStore whether it was read from the database
 * @returns {string | undefined}
 */
export function encode(value, fromStore) {
  return encodeWithHole(value, fromStore, null)?.text;
}

/**
 * As `encode`, for a value into which the database writes the key that it generates.
 * @param {any} value
 * @param {boolean} fromStore
 * @param {KeyPath | null} path where the key goes
 * @returns {{ text: string, hole: Hole | null } | undefined}
 */
export function encodeWithHole(value, fromStore, path) {
  stored = fromStore;
  reserve = 0;
  shareBuffers = false;
  try {
    while (!written(value, path)) forget();
    if (repeated.length === 0) return { text: out, hole };
    // Objects that occur again are the same objects with the key in them: that is more than a hole can say.
    return hole === null ? { text: withIds(), hole } : undefined;
  } catch (error) {
    // Anything but TOO_LARGE and UNKNOWN is a stack at its end; the stored record can be read from a shallower place.
    return error === TOO_LARGE ? { text: opaque("Object", "too large"), hole: null } : undefined;
  } finally {
    forget();
    out = "";
  }
}

/**
 * Writes the value; `false` if it must be written again under other terms.
 * @param {any} value
 * @param {KeyPath | null} path
 */
function written(value, path) {
  out = "";
  hole = null;
  depth = deepest = 0;
  try {
    write(value, path);
  } catch (error) {
    if (error !== SHARED_BUFFER) throw error;
    shareBuffers = true;
    return false;
  }
  if (repeated.length === 0 || reserve === 1 || deepest * 3 <= MAX_DEPTH * 2) return true;
  reserve = 1;
  return false;
}

function forget() {
  if (places.size > 0) places.clear();
  if (repeated.length > 0) repeated = emptyList();
}

/**
 * The text with `$id` around each object that occurs again.
 */
function withIds() {
  const cuts = emptyList();
  for (let index = 0; index < repeated.length; index++) {
    const { start, end, id } = repeated[index];
    cuts[cuts.length] = { at: start, text: `{"$id":{"id":${id},"value":` };
    cuts[cuts.length] = { at: end, text: "}}" };
  }
  sort(cuts, (/** @type {{ at: number }} */ a, /** @type {{ at: number }} */ b) => a.at - b.at);
  let text = "";
  let from = 0;
  for (let index = 0; index < cuts.length; index++) {
    const { at, text: inserted } = cuts[index];
    text += slice(out, from, at) + inserted;
    from = at;
  }
  return text + slice(out, from);
}

/**
 * @param {string} type
 * @param {string} reason
 */
function opaque(type, reason) {
  return `{"$opaque":{"type":"${type}","reason":"${reason}"}}`;
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
      else writeObject(value, path);
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
  if (out.length > MAX_LENGTH) throw TOO_LARGE;
  const place = { start: out.length, end: 0, id: 0, inlined: false };
  places.set(value, place);
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
      enter(2);
      kind.write(value, kind);
      depth -= 2;
    }
  }
  depth -= 2 + reserve;
  place.end = out.length;
}

/** @param {number} levels */
function enter(levels) {
  depth += levels;
  if (depth > deepest) deepest = depth;
}

/**
 * An own property, known to exist.
 * @param {any} owner
 * @param {PropertyKey} name
 */
function member(owner, name) {
  if (stored) return owner[name];
  const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, name));
  // `in` runs no accessor. A page that extends `Object.prototype` by a `get` has all its values read back.
  if ("get" in descriptor) throw UNKNOWN;
  return descriptor.value;
}

/** @type {Map<string, string>} */
const quotedNames = sealedOff(new Map());

/**
 * A property name as `"name":`.
 * @param {string} name
 */
function quoted(name) {
  let text = quotedNames.get(name);
  if (text === undefined) {
    text = stringify(name) + ":";
    if (quotedNames.size >= MAX_NAMES) quotedNames.clear();
    quotedNames.set(name, text);
  }
  return text;
}

/**
 * @param {any} value
 * @param {KeyPath | null} path
 */
function writePlain(value, path) {
  const names = keysOf(value);
  const lacksKey = path !== null && !isEnumerable(value, path.name);
  const wrapped =
    (lacksKey ? names.length === 0 : names.length === 1) &&
    unitAt(lacksKey ? path.name : names[0], 0) === DOLLAR;
  if (wrapped) {
    enter(2);
    out += '{"$object":';
  }
  out += "{";
  writeMembers(value, names, 0, path);
  if (lacksKey) {
    let before = names.length > 0 ? "," : "";
    let after = "";
    before += quoted(path.name);
    for (let link = path.next; link !== null; link = link.next) {
      before += "{" + quoted(link.name);
      after += "}";
    }
    hole = { at: out.length, before, after };
  }
  out += "}";
  if (wrapped) {
    depth -= 2;
    out += "}";
  }
}

/**
 * @param {any} value
 * @param {string[]} names
 * @param {number} from
 * @param {KeyPath | null} path
 */
function writeMembers(value, names, from, path) {
  for (let index = from; index < names.length; index++) {
    const name = names[index];
    if (index > from) out += ",";
    out += quoted(name);
    const content = member(value, name);
    if (path === null || path.name !== name) {
      write(content, null);
    } else {
      // Chromium gives the record's key back in the place of a key that was given: an `ArrayBuffer` for a view.
      if (path.next === null && typeof content === "object") throw UNKNOWN;
      write(content, path.next);
    }
  }
}

/** @param {any[]} value */
function writeArray(value) {
  const { length } = value;
  const names = keysOf(value);
  // Indices come first and ascend: if the last of `length` names is the last index, all of them are there.
  if (names.length === length && (length === 0 || names[length - 1] === `${length - 1}`)) {
    out += "[";
    for (let index = 0; index < length; index++) {
      if (index > 0) out += ",";
      write(member(value, index), null);
    }
    out += "]";
  } else {
    enter(2);
    out += `{"$sparse":{"length":${length},"items":{`;
    for (let index = 0; index < names.length; index++) {
      if (index > 0) out += ",";
      // Not `quoted`: there may be millions of indices.
      out += stringify(names[index]) + ":";
      write(member(value, names[index]), null);
    }
    out += "}}}";
    depth -= 2;
  }
}

/** @type {Kind[]} */
const kinds = emptyList();
/**
 * The kind that a prototype stands for, `null` for the prototypes of plain objects. A prototype that is new (a class, another
 * frame's) is settled by its first object: probing throws, which is slow.
 * @type {WeakMap<object, Kind | null>}
 */
const kindOfPrototype = sealedOff(new WeakMap());
kindOfPrototype.set(Object.prototype, null);

/**
 * @param {any} constructor `undefined` where this engine or this context has none
 * @param {string} type
 * @param {(value: any) => any} probe
 * @param {(value: any, kind: Kind) => void} write
 */
function addKind(constructor, type, probe, write) {
  if (constructor === undefined || probe === undefined) return;
  const kind = { type, probe, write };
  kinds[kinds.length] = kind;
  kindOfPrototype.set(constructor.prototype, kind);
}

/**
 * @param {object} value
 * @returns {Kind | null}
 */
function kindOf(value) {
  const prototype = getPrototypeOf(value);
  if (prototype === null) return null;
  const known = kindOfPrototype.get(prototype);
  if (known === null || (known !== undefined && is(known, value))) return known;
  for (let index = 0; index < kinds.length; index++) {
    const kind = kinds[index];
    if (is(kind, value)) {
      if (known === undefined) kindOfPrototype.set(prototype, kind);
      return kind;
    }
  }
  if (known === undefined) kindOfPrototype.set(prototype, null);
  return null;
}

/**
 * @param {Kind} kind
 * @param {object} value
 */
function is(kind, value) {
  try {
    kind.probe(value);
    return true;
  } catch {
    return false;
  }
}

const scope = /** @type {any} */ (globalThis);

const getTime = uncurry(Date.prototype.getTime);
const toISOString = uncurry(Date.prototype.toISOString);
addKind(Date, "Date", getTime, (value) => {
  const time = getTime(value);
  out += time === time ? `{"$date":"${toISOString(value)}"}` : '{"$date":null}';
});

const eachOfMap = uncurry(Map.prototype.forEach);
addKind(Map, "Map", getterOf(Map.prototype, "size"), (map) => {
  let separator = '{"$map":[';
  eachOfMap(map, (/** @type {any} */ value, /** @type {any} */ key) => {
    out += separator + "[";
    write(key, null);
    out += ",";
    write(value, null);
    out += "]";
    separator = ",";
  });
  out += separator === "," ? "]}" : '{"$map":[]}';
});

const eachOfSet = uncurry(Set.prototype.forEach);
addKind(Set, "Set", getterOf(Set.prototype, "size"), (set) => {
  let separator = '{"$set":[';
  eachOfSet(set, (/** @type {any} */ value) => {
    out += separator;
    write(value, null);
    separator = ",";
  });
  out += separator === "," ? "]}" : '{"$set":[]}';
});

const Bytes = Uint8Array;
const toBase64 = uncurry(/** @type {any} */ (Bytes.prototype).toBase64);
const lengthOfBuffer = getterOf(ArrayBuffer.prototype, "byteLength");

/**
 * @param {string} type
 * @param {ArrayBuffer} buffer
 */
function writeBytes(type, buffer) {
  if (out.length + lengthOfBuffer(buffer) * 1.34 > MAX_LENGTH) throw TOO_LARGE;
  out += `{"$bytes":{"type":"${type}","base64":"${toBase64(new Bytes(buffer))}"}}`;
}

addKind(ArrayBuffer, "ArrayBuffer", lengthOfBuffer, (buffer) => writeBytes("ArrayBuffer", buffer));

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
addKind(Bytes, "view", bufferOfView, (view) => {
  const type = typeOfView(view) ?? "DataView";
  const buffer = bufferOfView(view);
  const length = lengthOfView(view);
  if (!shareBuffers && length === lengthOfBuffer(buffer)) {
    if (places.has(buffer)) throw SHARED_BUFFER;
    places.set(buffer, { start: 0, end: 0, id: 0, inlined: true });
    writeBytes(type, buffer);
  } else {
    out += `{"$bytes":{"type":"${type}","offset":${offsetOfView(view)},"length":${length},"buffer":`;
    write(buffer, null);
    out += "}}";
  }
});

const sourceOfRegExp = getterOf(RegExp.prototype, "source");
/** Flags with their getters, in the order of `flags`; that one itself calls what a page may have overwritten. */
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
addKind(RegExp, "RegExp", getterOf(RegExp.prototype, "global"), (expression) => {
  let set = "";
  for (let index = 0; index < flags.length; index++) {
    if (flags[index].isSet(expression)) set += flags[index].flag;
  }
  out += `{"$regexp":{"source":${stringify(sourceOfRegExp(expression))},"flags":"${set}"}}`;
});

for (const type of ["Boolean", "Number", "String", "BigInt"]) {
  addKind(scope[type], type, uncurry(scope[type].prototype.valueOf), (value, kind) => {
    out += '{"$boxed":';
    write(kind.probe(value), null);
    out += "}";
  });
}

/**
 * @param {Blob} blob
 * @param {string} file
 */
const writeBlob = (blob, file) => {
  out += `{"$blob":{"type":${stringify(typeOfBlob(blob))},"size":${sizeOfBlob(blob)}${file}}}`;
};
const sizeOfBlob = getterOf(scope.Blob?.prototype, "size");
const typeOfBlob = getterOf(scope.Blob?.prototype, "type");
const nameOfFile = getterOf(scope.File?.prototype, "name");
const timeOfFile = getterOf(scope.File?.prototype, "lastModified");
addKind(scope.File, "File", nameOfFile, (file) =>
  writeBlob(file, `,"name":${stringify(nameOfFile(file))},"lastModified":${timeOfFile(file)}`),
);
addKind(scope.Blob, "Blob", sizeOfBlob, (blob) => writeBlob(blob, ""));

// Platform objects that can be stored and that JSON can't carry, each with an accessor that only a true one answers.
for (const [type, accessor] of Object.entries({
  FileList: "length",
  ImageData: "width",
  ImageBitmap: "width",
  CryptoKey: "type",
  FileSystemHandle: "kind",
  RTCCertificate: "expires",
  DOMPointReadOnly: "w",
  DOMRectReadOnly: "top",
  DOMQuad: "p1",
  DOMMatrixReadOnly: "is2D",
})) {
  addKind(scope[type], type, getterOf(scope[type]?.prototype, accessor), () => {
    out += opaque(type, "not representable in JSON");
  });
}

const nameOfException = getterOf(scope.DOMException?.prototype, "name");
const messageOfException = getterOf(scope.DOMException?.prototype, "message");
addKind(scope.DOMException, "DOMException", nameOfException, (error) => {
  out += `{"$error":{"name":${stringify(nameOfException(error))},"message":${stringify(messageOfException(error))}}}`;
});

const { isError } = /** @type {any} */ (Error);
const inheritedStack = getterOf(Error.prototype, "stack");
const nativeStack = getOwnPropertyDescriptor(new Error(), "stack")?.get;
/** @type {WeakMap<object, string>} The names that errors inherit from the built-in prototypes. */
const errorNames = sealedOff(new WeakMap());

/** @param {any} error */
function writeError(error) {
  const prototype = getPrototypeOf(error);
  const inherited = prototype === null ? undefined : errorNames.get(prototype);
  const name = hasOwn(error, "name") ? member(error, "name") : inherited;
  // A class or a changed prototype decides the name by running its code.
  if (typeof name !== "string" || (!stored && member(prototype, "name") !== inherited)) throw UNKNOWN;
  out += `{"$error":{"name":${stringify(name)}`;
  if (hasOwn(error, "message")) {
    const message = member(error, "message");
    if (typeof message !== "string") throw UNKNOWN;
    out += `,"message":${stringify(message)}`;
  }
  const stack = stackOf(error);
  if (typeof stack === "string") out += `,"stack":${stringify(stack)}`;
  if (hasOwn(error, "cause")) {
    out += ',"cause":';
    write(member(error, "cause"), null);
  }
  out += "}}";
}

/** @param {any} error */
function stackOf(error) {
  // Firefox clones what its inherited accessor says, whatever the error's own member holds.
  if (inheritedStack !== undefined) return inheritedStack(error);
  const own = getOwnPropertyDescriptor(error, "stack");
  if (own === undefined) return undefined;
  // Chromium's accessor runs no code any more: cloning the error has made the text.
  return own.get === nativeStack ? error.stack : member(error, "stack");
}

addKind(
  Error,
  "Error",
  (value) => {
    if (!isError(value)) throw UNKNOWN;
  },
  writeError,
);
for (const type of ["Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"]) {
  kindOfPrototype.set(scope[type].prototype, kinds[kinds.length - 1]);
  errorNames.set(scope[type].prototype, type);
}
