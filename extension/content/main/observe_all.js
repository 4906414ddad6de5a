// Everything that the hook observes, in a page or in a worker.

import "../shared/builtins.js";
import "../shared/platform.js";
import { rememberFactory } from "./buckets.js";
import { modeOf, nameOfIndex, nameOfStore } from "./idb.js";
import { active, wantSurvey } from "./channel_end.js";
import { globalFunction } from "../shared/pristine.js";
import { observeCalls, observeGets, observeNamed, observeRenames } from "./replace.js";
import { copyBounds, copyKeyPaths } from "./cloned_keys.js";
import { known } from "./transactions.js";
import { observeDeletion, observeOpen, observeSchema } from "./upgrades.js";
import { observe, observeCursor } from "./writes.js";

/** Puts observers in the place of the methods. */
export function observeAll() {
  for (const name of /** @type {const} */ (["put", "add", "delete", "clear"])) {
    observeCalls(IDBObjectStore.prototype, name, (self, request, first, given) =>
      observe(name, self, request, first, given.length > 1 ? given[1] : undefined),
    );
  }
  observeCalls(IDBCursor.prototype, "update", (self, request, value) => observe("update", self, request, value));
  observeCalls(IDBCursor.prototype, "delete", (self, request) => observe("cursor.delete", self, request, undefined));
  // From its beginning: writes by another window's methods in it are not visible here.
  observeCalls(IDBDatabase.prototype, "transaction", (_self, transaction) => {
    if (active && modeOf(transaction) === "readwrite") known(transaction);
  });
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
  observeRenames(IDBObjectStore.prototype, nameOfStore, (self, before) =>
    observeSchema("store.name", self, undefined, before),
  );
  observeRenames(IDBIndex.prototype, nameOfIndex, (self, before) =>
    observeSchema("index.name", self, undefined, before),
  );
  for (const { prototype } of [IDBObjectStore, IDBIndex]) {
    observeCalls(prototype, "openCursor", (_self, request) => observeCursor(request));
  }
  copyKeyPaths();
  copyBounds();
  const [bucket, manager] = ["StorageBucket", "StorageBucketManager"].map((name) => globalFunction(name)?.prototype);
  if (bucket !== undefined && manager !== undefined) {
    observeGets(bucket, "indexedDB", rememberFactory);
    // Whether it succeeds is the page's to ask: our question would make a rejection a handled
    // one.
    observeCalls(manager, "delete", wantSurvey);
  }
}
