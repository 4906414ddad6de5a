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
import { callWithName, hideReplacements, replace, replaceAccessor } from "./replace.js";
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
  replace(IDBObjectStore.prototype, "put", (native) => ({
    put(/** @type {any} */ value) {
      const request = apply(native, this, arguments);
      observe("put", this, request, value);
      return request;
    },
  }));
  replace(IDBObjectStore.prototype, "add", (native) => ({
    add(/** @type {any} */ value) {
      const request = apply(native, this, arguments);
      observe("add", this, request, value);
      return request;
    },
  }));
  replace(IDBObjectStore.prototype, "delete", (native) => ({
    delete(/** @type {any} */ query) {
      const request = apply(native, this, arguments);
      observe("delete", this, request, query);
      return request;
    },
  }));
  replace(IDBObjectStore.prototype, "clear", (native) => ({
    clear() {
      const request = apply(native, this, arguments);
      observe("clear", this, request, undefined);
      return request;
    },
  }));
  replace(IDBCursor.prototype, "update", (native) => ({
    update(/** @type {any} */ value) {
      const request = apply(native, this, arguments);
      observe("update", this, request, value);
      return request;
    },
  }));
  replace(IDBCursor.prototype, "delete", (native) => ({
    delete() {
      const request = apply(native, this, arguments);
      observe("cursor.delete", this, request, undefined);
      return request;
    },
  }));
  replace(IDBFactory.prototype, "open", (native) => ({
    open(/** @type {any} */ _name) {
      const request = apply(native, this, arguments);
      observeOpen(this, request);
      return request;
    },
  }));
  replace(IDBFactory.prototype, "deleteDatabase", (native) => ({
    deleteDatabase(/** @type {any} */ _name) {
      const { result, name } = callWithName(native, this, arguments);
      observeDeletion(this, result, name);
      return result;
    },
  }));
  replace(IDBDatabase.prototype, "createObjectStore", (native) => ({
    createObjectStore(/** @type {any} */ _name) {
      const store = apply(native, this, arguments);
      observeSchema("createObjectStore", this, store, "");
      return store;
    },
  }));
  replace(IDBDatabase.prototype, "deleteObjectStore", (native) => ({
    deleteObjectStore(/** @type {any} */ _name) {
      const { result, name } = callWithName(native, this, arguments);
      observeSchema("deleteObjectStore", this, result, name);
      return result;
    },
  }));
  replace(IDBObjectStore.prototype, "createIndex", (native) => ({
    createIndex(/** @type {any} */ _name, /** @type {any} */ _keyPath) {
      const index = apply(native, this, arguments);
      observeSchema("createIndex", this, index, "");
      return index;
    },
  }));
  replace(IDBObjectStore.prototype, "deleteIndex", (native) => ({
    deleteIndex(/** @type {any} */ _name) {
      const { result, name } = callWithName(native, this, arguments);
      observeSchema("deleteIndex", this, result, name);
      return result;
    },
  }));
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
  const { StorageBucket, StorageBucketManager } = /** @type {any} */ (globalThis);
  if (StorageBucket !== undefined) {
    replaceAccessor(StorageBucket.prototype, "indexedDB", "get", (native) => ({
      get indexedDB() {
        const factory = apply(native, this, arguments);
        rememberFactory(this, factory);
        return factory;
      },
    }));
    replace(StorageBucketManager.prototype, "delete", (native) => ({
      delete(/** @type {any} */ _name) {
        const promise = apply(native, this, arguments);
        // Whether it succeeds is the page's to ask: our question would make a rejection a handled one.
        wantSurvey();
        return promise;
      },
    }));
  }
  hideReplacements();
}

if (meetBridge()) install();
