// A page under the strictest policy whose first script replaces the built-ins that a careless observer would call. It keeps
// what it uses itself. Each call of a replacement is noted, and so is every error and every policy violation.

"use strict";

const { defineProperty, getOwnPropertyNames, getOwnPropertyDescriptor } = Object;
const { apply } = Reflect;
const { then } = Promise.prototype;
const NativePromise = Promise;
const { addEventListener } = EventTarget.prototype;
let noted = "";
/** What went wrong, or was called by somebody else, a line each. */
const note = (text) => (noted += `${text}\n`);

for (const type of ["error", "unhandledrejection", "securitypolicyviolation"]) {
  apply(addEventListener, window, [type, (event) => note(`${type}: ${event.message ?? event.reason ?? event.violatedDirective}`)]);
}
for (const level of ["log", "warn", "error", "info", "debug"]) console[level] = () => note(`console.${level}`);

const open = indexedDB.open("hardened", 1);
/** Resolves to the notes when the writes have committed: begun before the built-ins change, it ends long after. */
window.written = new NativePromise((resolve) => {
  open.onupgradeneeded = () => open.result.createObjectStore("items");
  open.onsuccess = () => {
    const transaction = open.result.transaction("items", "readwrite");
    const items = transaction.objectStore("items");
    items.put({ date: new Date(5), list: [1, 2], map, set, bytes, text: "x", nested: { error } }, "value");
    items.put("gone", ["a", new Date(7)]);
    items.delete(["a", new Date(7)]);
    class Odd extends IDBKeyRange {}
    if (!(IDBKeyRange.only(1) instanceof IDBKeyRange) || Odd.prototype instanceof IDBKeyRange === false) note("instanceof");
    transaction.oncomplete = () => resolve(noted);
  };
});
const map = new Map([["k", 1]]);
const set = new Set([2]);
const bytes = new Uint8Array([1, 2, 3]);
const error = new RangeError("m");
delete error.stack;

// From here on whatever anybody calls is ours.
const replaced = [Array, Map, Set, Date, WeakMap, RegExp, String, Uint8Array, ArrayBuffer, Error, Promise, Function];
for (let index = 0; index < replaced.length; index++) {
  const { name, prototype } = replaced[index];
  const members = getOwnPropertyNames(prototype);
  for (let each = 0; each < members.length; each++) {
    const member = members[each];
    const { value, configurable } = getOwnPropertyDescriptor(prototype, member);
    // What the engine itself and this page call.
    if (!configurable || typeof value !== "function" || member === "constructor" || value === then) continue;
    if (name === "Function" && (member === "call" || member === "apply")) continue;
    defineProperty(prototype, member, {
      value() {
        note(`${name}.prototype.${member}`);
        return apply(value, this, arguments);
      },
      configurable: true,
      writable: true,
    });
  }
}
for (const [owner, name] of [
  [JSON, "stringify"],
  [Object, "keys"],
  [Object, "getOwnPropertyDescriptor"],
  [Object, "getPrototypeOf"],
  [Object, "defineProperty"],
  [Reflect, "apply"],
  [Array, "isArray"],
  [Date, "now"],
]) {
  const native = owner[name];
  owner[name] = (...given) => {
    note(`${name} was called`);
    return apply(native, owner, given);
  };
}
for (const name of ["get", "set", "value", "next", "toJSON", "0", "text", "blobs", "data"]) {
  defineProperty(Object.prototype, name, {
    get() {
      note(`Object.prototype.${name}`);
    },
    set(value) {
      defineProperty(this, name, { __proto__: null, value, configurable: true, enumerable: true, writable: true });
    },
    configurable: true,
    __proto__: null,
  });
}
