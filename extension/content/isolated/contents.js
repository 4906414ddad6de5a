// What only the inspector asks: how many records there are, and the keys of a store.

import { encode } from "../shared/encode.js";
import { countsText, keysText } from "../shared/messages.js";
import { ask, askIfThere, bucketNames, factoryOf, keyPathTextOf, outcome, placeOn } from "./reader.js";

/** How many keys of a store are shown at most. */
const MAX_KEYS = 20_000;

/**
 * How many records each store has, as JSON (`protocol::wire::inspector::StoreCount`). A transaction
 * for each store: none of the page's waits longer than for one `count`.
 * @returns {Promise<string>}
 */
export async function countRecords() {
  const counts = [];
  for (const bucket of ["", ...((await bucketNames()) ?? [])]) {
    const factory = await factoryOf(bucket);
    for (const { name = "" } of (await factory?.databases()) ?? []) {
      try {
        const stores = await ask(/** @type {IDBFactory} */ (factory), name, countStores);
        for (const { store, records } of stores ?? []) counts.push({ bucket, database: name, store, records });
      } catch {
        // One that does not open, or that the page changes meanwhile, is left out.
      }
    }
  }
  return countsText(counts);
}

/** @param {IDBDatabase} database */
const countStores = (database) =>
  Promise.all(
    Array.from(database.objectStoreNames, async (store) => {
      const records = await placeOn(database, store, (objects) => outcome(objects.count()));
      return { store, records };
    }),
  );

/**
 * The keys of a store in typed form, with its key path.
 * @param {string} bucket
 * @param {string} name the database
 * @param {string} store
 * @returns {Promise<string>}
 */
export async function readKeys(bucket, name, store) {
  const text = await askIfThere(bucket, name, (database) => {
    if (!database.objectStoreNames.contains(store)) return null;
    return placeOn(database, store, (objects) => {
      const keyPathText = keyPathTextOf(objects);
      return outcome(objects.getAllKeys(undefined, MAX_KEYS + 1)).then((keys) => {
        const texts = keys.slice(0, MAX_KEYS).map((key) => /** @type {string} */ (encode(key, true)));
        return keysText(keyPathText, texts, keys.length > MAX_KEYS);
      });
    });
  });
  return text ?? keysText(undefined, [], false);
}
