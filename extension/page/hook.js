// The page hook: observes every IndexedDB write of this document, and tells the bridge of each transaction that committed.
//
// Runs in the page's own world before its scripts. Invariants: the native method runs first and its outcome is the page's own;
// nothing here throws into the page, holds policy, or can be seen by it. A write costs one encoding and one record in a list:
// no request of ours, no listener of its own; its key and its success are read when the transaction completes.

import "./builtins.js";
import "./platform.js";
import { rememberFactory } from "./buckets.js";
import { nameOfIndex, nameOfStore } from "./idb.js";
import { meetBridge, wantSurvey } from "./outlet.js";
import { apply } from "./pristine.js";
import { hideReplacements, observeCalls, observeNamed, replaceAccessor } from "./replace.js";
import { copyWhatIsGiven } from "./taken.js";
import { observeDeletion, observeOpen, observeSchema } from "./upgrades.js";
import { observe } from "./writes.js";

/**
 * @param {(self: any) => string} nameOf
 * @param {any} self perhaps nothing that has such a name
 */
function nameBefore(nameOf, self) {
  try {
    return nameOf(self);
  } catch {
    return "";
  }
}

function install() {
  for (const name of /** @type {const} */ (["put", "add", "delete", "clear"])) {
    observeCalls(IDBObjectStore.prototype, name, (self, request, first, given) =>
      observe(name, self, request, first, given.length > 1 ? given[1] : undefined),
    );
  }
  observeCalls(IDBCursor.prototype, "update", (self, request, value) => observe("update", self, request, value));
  observeCalls(IDBCursor.prototype, "delete", (self, request) => observe("cursor.delete", self, request, undefined));
  observeCalls(IDBFactory.prototype, "open", observeOpen);
  observeNamed(IDBFactory.prototype, "deleteDatabase", observeDeletion);
  observeCalls(IDBDatabase.prototype, "createObjectStore", (self, store) =>
    observeSchema("createObjectStore", self, store, ""),
  );
  observeNamed(IDBDatabase.prototype, "deleteObjectStore", (self, result, name) =>
    observeSchema("deleteObjectStore", self, result, name),
  );
  observeCalls(IDBObjectStore.prototype, "createIndex", (self, index) => observeSchema("createIndex", self, index, ""));
  observeNamed(IDBObjectStore.prototype, "deleteIndex", (self, result, name) =>
    observeSchema("deleteIndex", self, result, name),
  );
  replaceAccessor(IDBObjectStore.prototype, "name", "set", (native) => ({
    set name(/** @type {any} */ _value) {
      const before = nameBefore(nameOfStore, this);
      apply(native, this, arguments);
      observeSchema("store.name", this, undefined, before);
    },
  }));
  replaceAccessor(IDBIndex.prototype, "name", "set", (native) => ({
    set name(/** @type {any} */ _value) {
      const before = nameBefore(nameOfIndex, this);
      apply(native, this, arguments);
      observeSchema("index.name", this, undefined, before);
    },
  }));
  for (const name of ["key", "primaryKey"]) copyWhatIsGiven(IDBCursor.prototype, name);
  for (const { prototype } of [IDBObjectStore, IDBIndex]) copyWhatIsGiven(prototype, "keyPath");
  const { StorageBucket, StorageBucketManager } = /** @type {any} */ (globalThis);
  if (StorageBucket !== undefined) {
    replaceAccessor(StorageBucket.prototype, "indexedDB", "get", (native) => ({
      get indexedDB() {
        const factory = apply(native, this, arguments);
        rememberFactory(this, factory);
        return factory;
      },
    }));
    // Whether it succeeds is the page's to ask: our question would make a rejection a handled one.
    observeCalls(StorageBucketManager.prototype, "delete", wantSurvey);
  }
  hideReplacements();
}

try {
  if (meetBridge()) install();
} catch {
  // The window is older than the document (a frame's), and whoever opened it has changed what we set up with.
}
