// A page under the strictest policy whose first script replaces every function and every accessor
// of every built-in that can be reached, by enumeration, and then writes. It keeps what it uses
// itself. Each call of a replacement is noted, and so is each look-up of a member that a built-in
// object lacks, each error and each policy violation. What the engine itself asks for stands there
// without us, too: the test compares.

"use strict";

const { apply, construct, ownKeys, getPrototypeOf, setPrototypeOf } = Reflect;
const { defineProperty, getOwnPropertyDescriptor, hasOwn } = Object;
const NativeError = Error;
const NativeProxy = Proxy;
const NativePromise = Promise;
const NativeDate = Date;
const reflected = { __proto__: null, ...Object.fromEntries(ownKeys(Reflect).map((name) => [name, Reflect[name]])) };
const includes = String.prototype.includes;
const { addEventListener } = EventTarget.prototype;
const stackOf = getOwnPropertyDescriptor(NativeError.prototype, "stack")?.get;

let noted = "";
/** The calls with a frame of ours in their stack, to look into a failure. */
let hidden = "";
let recording = false;
let noting = false;
/** Takes note, a line each, of what went wrong or was called. */
const note = (text) => {
  if (noting || !recording) return;
  noting = true;
  const error = new NativeError();
  const stack = stackOf === undefined ? error.stack : apply(stackOf, error, []);
  noted += `${text}\n`;
  if (apply(includes, stack, ["indexedDB:1:"])) hidden += `${text}\n`;
  noting = false;
};

const on = (target, type, listener) => apply(addEventListener, target, [type, listener]);
for (const type of ["error", "unhandledrejection", "securitypolicyviolation"]) {
  on(window, type, (event) => note(`${type}: ${event.message ?? event.reason ?? event.violatedDirective}`));
}

/** The methods and getters that the page uses, as functions of the object. */
const method = (owner, name) => {
  const native = owner.prototype[name];
  return (self, ...given) => apply(native, self, given);
};
const getter = (owner, name) => {
  const { get } = getOwnPropertyDescriptor(owner.prototype, name);
  return (self) => apply(get, self, []);
};
const resultOf = getter(IDBRequest, "result");
const put = method(IDBObjectStore, "put");
const add = method(IDBObjectStore, "add");
const remove = method(IDBObjectStore, "delete");
const clear = method(IDBObjectStore, "clear");
const get = method(IDBObjectStore, "get");
const openCursor = method(IDBObjectStore, "openCursor");
const createIndex = method(IDBObjectStore, "createIndex");
const deleteIndex = method(IDBObjectStore, "deleteIndex");
const update = method(IDBCursor, "update");
const removeAt = method(IDBCursor, "delete");
const proceed = method(IDBCursor, "continue");
const keyAt = getter(IDBCursor, "key");
const primaryKeyAt = getter(IDBCursor, "primaryKey");
const transact = method(IDBDatabase, "transaction");
const createStore = method(IDBDatabase, "createObjectStore");
const deleteStore = method(IDBDatabase, "deleteObjectStore");
const storeOf = method(IDBTransaction, "objectStore");
const keyPathOf = getter(IDBObjectStore, "keyPath");
const open = method(IDBFactory, "open");
const deleteDatabase = method(IDBFactory, "deleteDatabase");
const rename = getOwnPropertyDescriptor(IDBObjectStore.prototype, "name").set;
const renameIndex = getOwnPropertyDescriptor(IDBIndex.prototype, "name").set;
const bound = IDBKeyRange.bound(["r", 1], ["r", 5], false, true);
const factory = indexedDB;

/** A value of each kind, by its key. */
const buffer = new Uint8Array([1, 2, 3, 4]).buffer;
const shared = { n: 1 };
const cycle = { shared, again: shared };
cycle.self = cycle;
const causes = new RangeError("m", { cause: new TypeError("inner") });
delete causes.stack;
const ownStack = new Error("with a stack of its own");
defineProperty(ownStack, "stack", { value: "a stack", writable: true, configurable: true, enumerable: false });
const values = [
  [
    "plain",
    { date: new Date(5), list: [1, 2], text: "x", nothing: null, not: undefined, number: NaN, zero: -0, big: 5n },
  ],
  ["collections", { map: new Map([["k", new Set([2])]]), set: new Set([new Date(NaN)]) }],
  [
    "bytes",
    { bytes: new Uint8Array([1, 2, 3]), view: new DataView(buffer, 1, 2), words: new Uint16Array(buffer), buffer },
  ],
  ["expression", /x+/giu],
  ["boxed", [Object(1), Object("s"), Object(true), Object(6n)]],
  ["errors", { causes, dom: new DOMException("d", "AbortError") }],
  ["stack", ownStack],
  ["sparse", [1, , 3]],
  ["cycle", cycle],
  ["blob", { blob: new Blob(["abc"], { type: "text/plain" }), file: new File(["abcd"], "f.txt", { lastModified: 7 }) }],
  ["platform", [new DOMRect(1, 2, 3, 4), new DOMPoint(1), new DOMMatrix(), new DOMQuad(), new ImageData(1, 1)]],
  ["resizable", new ArrayBuffer(2, { maxByteLength: 4 })],
  [
    "accessor",
    {
      get a() {
        return "from an accessor";
      },
    },
  ],
  [["an", ["array", new Date(7)]], 1],
  [new Date(8), 2],
  [new Uint8Array([9]), 3],
];
const inside = [
  { a: [1], b: { c: new Date(1) } },
  { a: "x", b: { c: 2 } },
];
const nameGiven = { toString: () => "hardened, not there" };
const dropped = { toString: () => "dropped" };

/** All methods that write, each in some way or other; then `done`. */
const write = (done) => {
  const opening = open(factory, "hardened", 1);
  on(opening, "upgradeneeded", () => {
    const database = resultOf(opening);
    const items = createStore(database, "items");
    createIndex(items, "index", ["x.y", "z"], { __proto__: null, unique: false });
    apply(renameIndex, createIndex(items, "before", "q"), ["after"]);
    deleteIndex(items, "after");
    createStore(database, "inside", { __proto__: null, keyPath: ["a", "b.c"] });
    createStore(database, "made", { __proto__: null, keyPath: "id.deep", autoIncrement: true });
    createStore(database, "dropped");
    deleteStore(database, dropped);
    apply(rename, createStore(database, "old name"), ["new name"]);
    put(items, "in an upgrade", "upgrade");
  });
  on(opening, "success", () => {
    const transaction = transact(resultOf(opening), ["items", "inside", "made", "new name"], "readwrite");
    const items = storeOf(transaction, "items");
    for (let index = 0; index < values.length; index++) put(items, values[index][1], values[index][0]);
    for (let index = 0; index < 5; index++) add(items, { x: { y: index }, z: 1 }, ["r", index]);
    remove(items, ["r", 0]);
    remove(items, bound);
    const compound = storeOf(transaction, "inside");
    keyPathOf(compound);
    for (let index = 0; index < inside.length; index++) put(compound, inside[index]);
    put(storeOf(transaction, "made"), { text: "gets a key" });
    put(storeOf(transaction, "made"), {
      id: {
        get deep() {
          return 7;
        },
      },
    });
    put(storeOf(transaction, "new name"), 1, "gone");
    clear(storeOf(transaction, "new name"));
    get(items, "plain");
    const cursors = openCursor(compound);
    let turn = 0;
    on(cursors, "success", () => {
      const cursor = resultOf(cursors);
      if (cursor === null) return;
      keyAt(cursor);
      primaryKeyAt(cursor);
      if (turn++ === 0) removeAt(cursor);
      else update(cursor, { a: [1], b: { c: new NativeDate(1) }, more: true });
      proceed(cursor);
    });
    on(transaction, "abort", () => note("the transaction was aborted"));
    on(transaction, "complete", () => {
      // Without a write, and read-only.
      transact(resultOf(opening), "items", "readwrite");
      transact(resultOf(opening), ["items"]);
      on(deleteDatabase(factory, nameGiven), "success", done);
    });
  });
};

// What can be reached from the global object, and the built-ins that have no name.
const roots = [["globalThis", globalThis]];
for (const [name, object] of Object.entries({
  "%ArrayIterator%": [][Symbol.iterator](),
  "%MapIterator%": new Map().entries(),
  "%SetIterator%": new Set().values(),
  "%StringIterator%": ""[Symbol.iterator](),
  "%RegExpIterator%": "".matchAll(/x/g),
  "%TypedArray%": Uint8Array,
  "%Generator%": (function* () {})(),
  "%AsyncGenerator%": (async function* () {})(),
  "%AsyncFunction%": async function () {},
})) {
  roots.push([name, getPrototypeOf(object)]);
}

const seen = new Set();
const instead = (native, path) => {
  const replacement = function () {
    note(path);
    return new.target === undefined
      ? apply(native, this, arguments)
      : construct(native, arguments, new.target === replacement ? native : new.target);
  };
  if (hasOwn(native, "prototype")) replacement.prototype = native.prototype;
  return setPrototypeOf(replacement, native) && replacement;
};
let replaced = 0;
const prototypes = [];
for (let index = 0; index < roots.length; index++) {
  const [path, owner] = roots[index];
  if (seen.has(owner)) continue;
  seen.add(owner);
  const inherited = getPrototypeOf(owner);
  if (inherited !== null) roots.push([`${path}'s prototype`, inherited]);
  if (inherited === Object.prototype) prototypes.push([path, owner]);
  for (const key of ownKeys(owner)) {
    const at = `${path}.${String(key)}`.replace("globalThis.", "");
    const descriptor = getOwnPropertyDescriptor(owner, key);
    const { value } = descriptor;
    if (value !== null && (typeof value === "object" || typeof value === "function") && value !== window)
      roots.push([at, value]);
    // The engine makes promises by their constructor; what it asks for has to be one.
    if (key === "constructor") continue;
    for (const half of ["value", "get", "set"]) {
      if (typeof descriptor[half] === "function" && descriptor[half] !== apply) {
        descriptor[half] = instead(descriptor[half], half === "value" ? at : `${at} (${half})`);
        replaced += 1;
      }
    }
    try {
      if (descriptor.configurable) defineProperty(owner, key, { __proto__: null, ...descriptor });
      else if (descriptor.writable) owner[key] = descriptor.value;
    } catch {
      // The window's named properties are no properties that a page can define.
    }
  }
}
window.replacedFunctions = replaced;
window.notes = () => ({ noted, hidden });

// Members that objects may lack.
const wanted = `get set value writable enumerable configurable next done then toJSON stack cause name message length 0 1 2 text blobs stacks data
  hole at before after units start end id inlined request store key assumed content openedAt beganAt operations stores doubtful why
  probe write flag isSet link links isArray generates transaction operation bubbles cancelable composed detail source ports origin
  prepareStackTrace stackTraceLimit`;
const symbols = ownKeys(Symbol)
  .map((key) => Symbol[key])
  .filter((value) => typeof value === "symbol");
for (const name of [...wanted.split(/\s+/), ...symbols]) {
  if (hasOwn(Object.prototype, name)) continue;
  const path = `Object.prototype.${String(name)}`;
  defineProperty(Object.prototype, name, {
    __proto__: null,
    get() {
      note(path);
    },
    set(value) {
      note(`${path} =`);
      defineProperty(this, name, { __proto__: null, value, configurable: true, enumerable: true, writable: true });
    },
    configurable: true,
  });
}
defineProperty(NativeError, "prepareStackTrace", {
  __proto__: null,
  value: (error, calls) => (note("Error.prepareStackTrace"), `${calls}`),
  configurable: true,
  writable: true,
});
// Any member at all, of all objects but plain ones. Functions are those that the engine asks for
// most.
const traps = { __proto__: null };
for (const trap of [
  "get",
  "set",
  "has",
  "deleteProperty",
  "defineProperty",
  "getOwnPropertyDescriptor",
  "ownKeys",
  "getPrototypeOf",
]) {
  const native = reflected[trap];
  traps[trap] = function (_target, key) {
    if (trap !== "getPrototypeOf") note(`${this.path} lacks ${typeof key === "symbol" ? "a symbol" : key} (${trap})`);
    return apply(native, undefined, arguments);
  };
}
for (const [path, owner] of prototypes) {
  try {
    setPrototypeOf(owner, new NativeProxy(Object.prototype, { __proto__: traps, path }));
  } catch {
    // Its prototype can't be changed.
  }
}

recording = true;
let resolveWritten;
/** Resolves to the notes when everything is written. */
window.written = new NativePromise((resolve) => (resolveWritten = resolve));
write(() => {
  recording = false;
  resolveWritten(noted);
});
