// Storage buckets (https://wicg.github.io/storage-buckets/): which bucket a database is in. The
// default bucket's name is empty.
//
// Invariant: a bucket is known, or it is not; nothing counts as the default bucket's for want of a
// better word. Connections and factories that the page had before the hook came, or that it got by
// another window's methods, have no entry here.

import { listen, resultOf } from "./idb.js";
import { hasBuckets } from "./channel_end.js";
import { getterOf, globalFunction, indexOf, sealedOff, uncurry } from "../shared/pristine.js";

const nameOfBucket = getterOf(globalFunction("StorageBucket")?.prototype, "name");

/** @type {WeakMap<IDBFactory, string>} */
const factories = sealedOff(new WeakMap());
/** @type {WeakMap<IDBDatabase, string>} */
const databases = sealedOff(new WeakMap());

const defaultFactory = ownFactory();
if (defaultFactory !== null) factories.set(defaultFactory, "");

/**
 * The window's own factory, if it has one. A page that is hooked late may have put something of its
 * own there, which must not be called.
 * @returns {IDBFactory | null}
 */
function ownFactory() {
  try {
    const getter = Object.getOwnPropertyDescriptor(globalThis, "indexedDB")?.get;
    const text = uncurry(Function.prototype.toString)(getter);
    return indexOf(text, "[native code]") < 0 ? null : uncurry(/** @type {Function} */ (getter))(globalThis);
  } catch {
    // The document's databases are denied to it.
    return null;
  }
}

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
  if (bucket === undefined || (bucket === "" && !hasBuckets)) return;
  const remember = (/** @type {Event} */ event) => {
    if (event.isTrusted) databases.set(resultOf(request), bucket);
  };
  listen(request, "upgradeneeded", remember);
  listen(request, "success", remember);
}

/**
 * The bucket of a database; undefined if it is not known.
 * @param {IDBDatabase} database
 */
export function bucketOf(database) {
  return databases.get(database) ?? (hasBuckets ? undefined : "");
}

/**
 * The bucket of a factory's databases; undefined if it is not known.
 * @param {IDBFactory} factory
 */
export function bucketOfFactory(factory) {
  return factories.get(factory) ?? (hasBuckets ? undefined : "");
}
