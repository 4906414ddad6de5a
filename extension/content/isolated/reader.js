// Reads the document's databases from the isolated world: the store list, stretches of stores,
// single records.
//
// Invariants: never creates a database; reads little at a time, and never on the guess that the
// next record is as small as the one before (`pace.js`); what is too much for the way to the host
// is read once more, in smaller pieces; and each request that it begins ends without this thread,
// which a dialog, a debugger or a long task of the page may hold up at any time. So each connection
// places all its requests at once, commits, and closes behind them (`ask`): no write in another tab
// waits for longer than the requests take, and no upgrade or deletion gets a `blocked` event.
// (Chromium closes a connection only on its thread: an upgrade or a deletion waits for a thread
// that is held up while it reads.) Each result carries the times before and after the reading, so
// that the host can tell what is newer.

import "../shared/builtins.js";
import "../shared/platform.js";
import { filled } from "./blobs.js";
import { encode, encodeValue, opaque } from "../shared/encode.js";
import { decodeKey } from "./key.js";
import { newPace, usesLittle } from "./pace.js";
import { storeListText, recordText, recordsText } from "../shared/messages.js";
import { bare, globalFunction, isWellFormed } from "../shared/pristine.js";
import { after, idle } from "./time.js";
import {
  FIRST_PAUSE,
  LAST_PAUSE,
  LISTED,
  NEXT_OPEN,
  OPEN_PATIENCE,
  OPENS_SLICE,
  READING_PATIENCE,
  SIGN,
} from "../shared/timing.js";

/** The longest text of several records in one body, in UTF-16 units; a single one may be longer. */
const MAX_TEXT = 4 * 1024 * 1024;

/** The reading waited for others: reading less would not help. */
class HeldUp extends Error {}

/**
 * What stands for a value that is there and that the browser fails to read: its file is gone, say.
 */
const UNREADABLE = opaque("Object", "the browser cannot read it");

/**
 * A failure is kept from the window, whose listeners Firefox tells of it.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export const outcome = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      event.preventDefault();
      reject(request.error);
    };
  });

/**
 * Storage buckets other than the default one: https://wicg.github.io/storage-buckets/, where the
 * browser has them.
 */
const manager = () => /** @type {any} */ (navigator).storageBuckets;

/**
 * The names of all buckets but the default one; undefined where there are none to be had (Firefox,
 * insecure contexts).
 * @returns {Promise<string[] | undefined>}
 */
export async function bucketNames() {
  return manager()?.keys();
}

/**
 * The factory of an existing bucket's databases, or null if there is none.
 * @param {string} bucket
 * @returns {Promise<IDBFactory | null>}
 */
export async function factoryOf(bucket) {
  if (bucket === "") return indexedDB;
  return (await bucketNames())?.includes(bucket) ? (await manager().open(bucket)).indexedDB : null;
}

/**
 * Whether a connection that is closed while it reads blocks no upgrade or deletion. In Chromium it
 * gets no `versionchange`, and the page's request gets a `blocked` at once.
 */
const CLOSES_WHILE_READING = globalFunction("XPCNativeWrapper") !== undefined;

/**
 * How many of our transactions are not over, by their connection.
 * @type {WeakMap<IDBDatabase, number>}
 */
const running = new WeakMap();

/**
 * Opens an existing database and resolves with what `place` returns, or with null if there is no
 * such database; rejects if that is unknown.
 *
 * `place` places all its requests before it returns, and commits (`placeOn`): the connection is
 * closed behind them, and the engine answers without this thread.
 * @template T
 * @param {IDBFactory} factory
 * @param {string} name
 * @param {(database: IDBDatabase) => T | Promise<T>} place
 * @returns {Promise<T | null>}
 */
export function ask(factory, name, place) {
  return new Promise((resolve, reject) => {
    const request = factory.open(name);
    let missing = false;
    let late = false;
    void after(OPEN_PATIENCE).then(() => {
      late = true;
      reject(new HeldUp("the database does not open"));
    });
    request.onupgradeneeded = () => {
      // Without a version, only a database that does not exist is upgraded.
      missing = true;
      request.transaction?.abort();
    };
    request.onerror = (event) => {
      event.preventDefault();
      if (missing) resolve(null);
      else reject(request.error);
    };
    request.onsuccess = () => {
      const database = request.result;
      database.onversionchange = () => database.close();
      try {
        if (!late) resolve(place(database));
      } catch (error) {
        reject(error);
      } finally {
        if (CLOSES_WHILE_READING || !running.has(database)) database.close();
      }
    };
  });
}

/**
 * Places requests on a store.
 * @template T
 * @param {IDBDatabase} database
 * @param {string} store
 * @param {(objects: IDBObjectStore) => T} place
 */
export function placeOn(database, store, place) {
  const transaction = database.transaction(store, "readonly");
  running.set(database, (running.get(database) ?? 0) + 1);
  transaction.oncomplete = transaction.onabort = () => {
    const left = (running.get(database) ?? 0) - 1;
    running.set(database, left);
    if (left === 0) database.close();
  };
  const placed = place(transaction.objectStore(store));
  transaction.commit();
  return placed;
}

/** @type {WeakMap<IDBFactory, { at: number, names: Set<string | undefined> }>} */
const lists = new WeakMap();

/**
 * Whether there is such a database. Opening one that is not there would create it for a moment.
 * @param {IDBFactory} factory
 * @param {string} name
 */
async function exists(factory, name) {
  const list = lists.get(factory);
  // One that an old list lacks may have been created since.
  if (list?.names.has(name) && performance.now() - list.at < LISTED) return true;
  const at = performance.now();
  const names = new Set((await factory.databases()).map((database) => database.name));
  lists.set(factory, { at, names });
  return names.has(name);
}

/**
 * `ask` of a database that may be gone.
 * @template T
 * @param {string} bucket
 * @param {string} name
 * @param {(database: IDBDatabase) => T | Promise<T>} place
 * @returns {Promise<T | null>}
 */
export async function askIfThere(bucket, name, place) {
  const factory = await factoryOf(bucket);
  return factory !== null && (await exists(factory, name)) ? ask(factory, name, place) : null;
}

/**
 * What a database looks like; null if it is gone.
 * @param {IDBFactory} factory
 * @param {string} name
 * @returns {Promise<{ name: string, version: number, stores: string[] | null } | null>}
 */
async function shapeOf(factory, name) {
  try {
    return await ask(factory, name, ({ version, objectStoreNames }) => ({
      name,
      version,
      stores: [...objectStoreNames].filter((store) => isWellFormed(store)),
    }));
  } catch {
    return { name, version: 0, stores: null };
  }
}

/**
 * The body of a store list, with what the snapshots need.
 * @param {string} bucket
 * @param {string[] | undefined} buckets all that exist, if that is known
 * @param {() => void} goesOn says that the reading goes on
 * @returns {Promise<{ body: string, databases: { name: string, stores: string[] | null }[] }>}
 *   `stores` are null if they could not be read
 */
export async function readStoreList(bucket, buckets, goesOn) {
  const began = Date.now();
  const factory = await factoryOf(bucket);
  // Leave out names that cannot be sent.
  const found = ((await factory?.databases()) ?? []).filter(({ name = "" }) => isWellFormed(name));
  const shapes = [];
  let sliceBegan = performance.now();
  let signedAt = sliceBegan;
  for (const { name = "" } of factory === null ? [] : found) {
    const shape = shapeOf(/** @type {IDBFactory} */ (factory), name);
    shapes.push(shape);
    await Promise.race([shape, after(NEXT_OPEN)]);
    if (performance.now() - sliceBegan < OPENS_SLICE) continue;
    await idle();
    sliceBegan = performance.now();
    if (sliceBegan - signedAt < SIGN) continue;
    goesOn();
    signedAt = sliceBegan;
  }
  const databases = (await Promise.all(shapes)).filter((shape) => shape !== null);
  return {
    body: storeListText({ bucket, buckets, began_at: began, read_at: Date.now(), databases }),
    databases,
  };
}

/**
 * Gives a reading up that takes too long: others wait for it. It can't be aborted, but it ends by
 * itself once the page's transactions do.
 * @template T
 * @param {Promise<T>} reading
 * @returns {Promise<T>}
 */
function soon(reading) {
  const late = after(READING_PATIENCE).then(() => {
    throw new HeldUp("a transaction of the page takes its time");
  });
  return Promise.race([reading, late]);
}

/**
 * A stretch of a store, in one transaction.
 * @typedef {object} Stretch
 * @property {number} version
 * @property {string | undefined} keyPathText
 * @property {IDBValidKey[]} keys
 * @property {(any | typeof LOST)[]} values
 */

/** In place of a value that the browser fails to read. */
const LOST = Symbol("lost");

/**
 * Reads the first `count` records of a range.
 * @param {string} bucket
 * @param {string} name the database
 * @param {string} store
 * @param {IDBKeyRange | undefined} range
 * @param {number} count
 * @returns {Promise<Stretch | null>} null if there is no such database
 */
export function readStretch(bucket, name, store, range, count) {
  return askIfThere(bucket, name, (database) =>
    placeOn(database, store, (objects) => {
      const keys = outcome(objects.getAllKeys(range, count));
      const values = outcome(objects.getAll(range, count));
      // Asked for now: behind the transaction there is no store to ask.
      const known = { version: database.version, keyPathText: keyPathTextOf(objects) };
      return soon(Promise.all([keys, values.catch(lostUnlessAborted)])).then(([keys, values]) =>
        // Seen through its wrapper, Firefox's list has nothing in the place of some values.
        values === LOST ? readOneByOne(bucket, name, store, range, keys) : { ...known, keys, values: bare(values) },
      );
    }),
  );
}

/**
 * What a value is that could not be read.
 * @param {DOMException} error
 * @returns {typeof LOST}
 */
function lostUnlessAborted(error) {
  if (error.name === "AbortError") throw error;
  return LOST;
}

/**
 * The same for keys that are known. One value that the browser fails to read takes no other along.
 * @param {string} bucket
 * @param {string} name the database
 * @param {string} store
 * @param {IDBKeyRange | undefined} range
 * @param {IDBValidKey[]} keys
 * @returns {Promise<Stretch>}
 */
async function readOneByOne(bucket, name, store, range, keys) {
  const stretch = await askIfThere(bucket, name, (database) =>
    placeOn(database, store, (objects) => {
      const known = { version: database.version, keyPathText: keyPathTextOf(objects) };
      const there = outcome(objects.getAllKeys(range, keys.length));
      const values = Array.from(keys, (key) => outcome(objects.get(key)).catch(lostUnlessAborted));
      return soon(Promise.all([there, ...values])).then(([there, ...values]) => ({ ...known, keys: there, values }));
    }),
  );
  const isSame = keys.every((key, index) => indexedDB.cmp(key, stretch?.keys[index]) === 0);
  if (stretch === null || !isSame) throw new Error("the store changes while it is read");
  return stretch;
}

/**
 * What is read, or undefined if it should be tried again with less.
 * @template T
 * @param {import("./pace.js").Pace} pace
 * @param {() => Promise<T>} read
 * @returns {Promise<T | undefined>}
 */
export async function unlessTooMuch(pace, read) {
  try {
    return await read();
  } catch (error) {
    if (error instanceof HeldUp || !pace.halve()) throw error;
    return undefined;
  }
}

/**
 * The texts of records as far as they fit into one body, of one at least.
 * @param {IDBValidKey[]} keys
 * @param {any[]} values are let go of as they are written
 * @param {number} from
 * @returns {Promise<{ texts: string[], next: number }>}
 */
export async function someTexts(keys, values, from) {
  const texts = [];
  let units = 0;
  let next = from;
  for (; next < keys.length && units < MAX_TEXT; next++) {
    const record = readRecord(encode(keys[next], true), values[next]);
    // Most records have no blobs: nothing to wait for.
    const text = typeof record === "string" ? record : await record;
    units += text.length;
    if (units > MAX_TEXT && texts.length > 0) break;
    texts.push(text);
    values[next] = undefined;
  }
  return { texts, next };
}

/**
 * Tells what there is of single records: the answer to `protocol::wire::bridge::Read`, in as many
 * bodies as it takes.
 * @param {Asked} asked
 * @param {import("./read_origin.js").Delivered} delivered
 * @returns {Promise<void>}
 */
export async function readRecordsOf(asked, delivered) {
  const pace = newPace(await usesLittle());
  let { keys } = asked;
  let delay = FIRST_PAUSE;
  while (keys.length > 0) {
    const some = { ...asked, keys: keys.slice(0, pace.count) };
    const answer = await unlessTooMuch(pace, () => readSomeRecords(some));
    if (answer === undefined) continue;
    if (await delivered(answer.body)) {
      delay = FIRST_PAUSE;
      pace.saw(answer.present);
      keys = keys.slice(answer.sent);
    } else {
      pace.halve();
      await after(delay);
      delay = Math.min(delay * 2, LAST_PAUSE);
    }
  }
}

/**
 * The body that tells of a single record.
 * @param {Asked} asked
 * @returns {Promise<string>}
 */
export async function readRecords(asked) {
  return (await readSomeRecords(asked)).body;
}

/**
 * Which records are asked for, by their keys' texts.
 * @typedef {{ bucket: string, database: string, store: string, keys: string[] }} Asked
 */

/**
 * The body that answers as much of a question as fits into one: how many of the keys it tells of,
 * and the texts of what is there.
 * @param {Asked} asked
 * @returns {Promise<{ body: string, sent: number, present: string[] }>}
 */
async function readSomeRecords({ bucket, database: name, store, keys }) {
  const beganAt = Date.now();
  const reading = await askIfThere(bucket, name, async (database) => {
    const { version } = database;
    if (!database.objectStoreNames.contains(store)) return { version, keyPathText: undefined, found: [] };
    return placeOn(database, store, async (objects) => {
      const keyPathText = keyPathTextOf(objects);
      // A key that holds `undefined` is still a key: it is asked for by itself.
      const found = keys.map((text) => {
        const key = decodeKey(text);
        return Promise.all([outcome(objects.getKey(key)), outcome(objects.get(key)).catch(lostUnlessAborted)]);
      });
      return { version, keyPathText, found: await Promise.all(found) };
    });
  });
  const readAt = Date.now();
  const present = [];
  const absent = [];
  let units = 0;
  let sent = 0;
  for (; sent < keys.length && units < MAX_TEXT; sent++) {
    const text = keys[sent];
    const [there, value] = reading?.found[sent] ?? [];
    if (there === undefined) {
      absent.push(text);
      continue;
    }
    const record = await readRecord(text, value);
    units += record.length;
    if (units > MAX_TEXT && present.length > 0) break;
    present.push(record);
  }
  const source = { bucket, database: name, version: reading?.version ?? 0, store, beganAt, readAt };
  return { body: recordsText(source, reading?.keyPathText, present, absent), sent, present };
}

/**
 * @param {string | undefined} key
 * @param {any} value
 */
function readRecord(key, value) {
  const encoded = value === LOST ? undefined : encodeValue(bare(value), true, null);
  const text = recordText(key, encoded?.text ?? UNREADABLE);
  const blobs = encoded?.blobs ?? null;
  return blobs === null ? text : filled({ text, blobs });
}

/**
 * The text of a store's key path; undefined if it has none.
 * @param {IDBObjectStore} objects
 */
export const keyPathTextOf = (objects) => (objects.keyPath === null ? undefined : encode(objects.keyPath, true));
