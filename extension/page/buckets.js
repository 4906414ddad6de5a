// Storage buckets (https://wicg.github.io/storage-buckets/): which bucket a database is in. The default bucket has no name here,
// and no entry.

import { listen, resultOf } from "./idb.js";
import { getterOf, globalFunction, sealedOff } from "./pristine.js";

const nameOfBucket = getterOf(globalFunction("StorageBucket")?.prototype, "name");

/** @type {WeakMap<IDBFactory, string>} */
const factories = sealedOff(new WeakMap());
/** @type {WeakMap<IDBDatabase, string>} */
const databases = sealedOff(new WeakMap());

/**
 * Takes note of a bucket's factory.
 * @param {any} bucket
 * @param {IDBFactory} factory
 */
export function rememberFactory(bucket, factory) {
  factories.set(factory, nameOfBucket(bucket));
}

/**
 * Takes note of the connections that an `open` leads to.
 * @param {IDBFactory} factory
 * @param {IDBOpenDBRequest} request
 */
export function rememberConnection(factory, request) {
  const bucket = factories.get(factory);
  if (bucket === undefined) return;
  const remember = (/** @type {Event} */ event) => {
    if (event.isTrusted) databases.set(resultOf(request), bucket);
  };
  listen(request, "upgradeneeded", remember);
  listen(request, "success", remember);
}

/** @param {IDBDatabase} database */
export function bucketOf(database) {
  return databases.get(database) ?? "";
}

/** @param {IDBFactory} factory */
export function bucketOfFactory(factory) {
  return factories.get(factory) ?? "";
}
