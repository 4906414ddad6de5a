// Storage buckets (https://wicg.github.io/storage-buckets/): which bucket a database is in. The
// default bucket's name is empty.
//
// Invariant: a bucket is known, or it is not; nothing counts as the default bucket's for want of
// better knowledge. Known are the window's own factory, those of its buckets, and the connections
// that this window's methods open of them. The factory of another window, a frame's, may lead to
// databases that are not the origin's own, although the page's methods work on it.

import { listen, resultOf } from "./idb.js";
import { isOldDefault } from "./channel_end.js";
import { getPrototypeOf, getterOf, globalFunction, indexOf, sealedOff, uncurry } from "../shared/pristine.js";

const ofBuckets = globalFunction("StorageBucket")?.prototype;
const nameOfBucket = getterOf(ofBuckets, "name");

/** @type {WeakMap<IDBFactory, string>} */
const factories = sealedOff(new WeakMap());
/** @type {WeakMap<IDBDatabase, string | undefined>} Each that was opened since the hook came. */
const databases = sealedOff(new WeakMap());

const ofFactories = IDBFactory.prototype;
const ofDatabases = IDBDatabase.prototype;

const defaultFactory = ownFactory();
if (defaultFactory !== null) factories.set(defaultFactory, "");

/**
 * The window's or the worker's own factory, if it has one. A page that is hooked late may have put
 * something of its own there, which must not be called.
 * @returns {IDBFactory | null}
 */
function ownFactory() {
  try {
    // Workers inherit it.
    let owner = globalThis;
    while (!Object.hasOwn(owner, "indexedDB")) owner = getPrototypeOf(owner);
    const getter = Object.getOwnPropertyDescriptor(owner, "indexedDB")?.get;
    const text = uncurry(Function.prototype.toString)(getter);
    return indexOf(text, "[native code]") < 0 ? null : uncurry(/** @type {Function} */ (getter))(globalThis);
  } catch {
    // The document's databases are denied to it.
    return null;
  }
}

/**
 * Takes note of a bucket's factory, unless the bucket is another window's: then it may be another
 * origin's storage.
 * @param {any} bucket
 * @param {IDBFactory} factory
 */
export function rememberFactory(bucket, factory) {
  if (getPrototypeOf(bucket) === ofBuckets) factories.set(factory, nameOfBucket(bucket));
}

/**
 * Takes note of the connections that an `open` leads to.
 * @param {IDBFactory} factory
 * @param {IDBOpenDBRequest} request
 */
export function rememberConnection(factory, request) {
  const bucket = bucketOfFactory(factory);
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
  return databases.has(database) ? databases.get(database) : bucketFromBefore(database, ofDatabases);
}

/**
 * The bucket of a factory's databases; undefined if it is not known.
 * @param {IDBFactory} factory
 */
export function bucketOfFactory(factory) {
  return factories.get(factory) ?? bucketFromBefore(factory, ofFactories);
}

/**
 * The bucket of what a page that was hooked late may have had before. An object of another window
 * has that window's prototype, unless the page gave it another one.
 * @param {object} object
 * @param {object} prototype this window's
 */
function bucketFromBefore(object, prototype) {
  return isOldDefault && getPrototypeOf(object) === prototype ? "" : undefined;
}
