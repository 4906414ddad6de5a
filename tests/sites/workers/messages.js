// Posts what it is, with what its script can see of a hook.

"use strict";

const describe = (owner) =>
  Object.getOwnPropertyNames(owner).map((name) => {
    const { value, get, set, ...rest } = Object.getOwnPropertyDescriptor(owner, name);
    const functions = [value, get, set].map((one) =>
      typeof one === "function"
        ? [one.name, one.length, Object.getOwnPropertyNames(one).sort(), typeof one.prototype]
        : typeof one,
    );
    return [name, rest, functions];
  });

const errorOf = (run) => {
  try {
    run();
    return "none";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

const store = Object.create(IDBObjectStore.prototype);

postMessage(
  JSON.stringify([
    // Firefox makes many of them when they are first asked for.
    Object.getOwnPropertyNames(globalThis).sort(),
    Object.getOwnPropertySymbols(globalThis).length,
    ...[IDBObjectStore, IDBCursor, IDBIndex, IDBDatabase, IDBFactory].map(({ prototype }) => describe(prototype)),
    describe(IDBKeyRange),
    errorOf(() => store.put(1)),
    errorOf(() => IDBObjectStore.prototype.put.call(undefined)),
    errorOf(() => new IDBObjectStore.prototype.put()),
    errorOf(() => indexedDB.deleteDatabase()),
    errorOf(() => indexedDB.open("a", 0)),
    performance.getEntriesByType("resource").map(({ name }) => name),
  ]),
);
