// Tells the inspector what the page's databases hold, when a person looks.
//
// Injected into the isolated world on demand. It reads by connections and transactions of its own,
// never in the page's.

import { countRecords, readKeys } from "./contents.js";
import { readRecords } from "./reader.js";

/** @type {any} The isolated world's own global object; the page has another. */
const world = globalThis;

/**
 * A record (the text of a `protocol::body::Records` body), the keys of a store if `keys` is null,
 * or how many records each store has if no store is named. Null where another origin is.
 * @param {{ origin: string, bucket: string, database: string, store?: string, keys: string[] | null
 * }} look
 * @returns {Promise<string> | null}
 */
world.idbRelayLook = ({ origin, bucket, database, store, keys }) => {
  if (location.origin !== origin) return null;
  if (store === undefined) return countRecords();
  return keys === null ? readKeys(bucket, database, store) : readRecords({ bucket, database, store, keys });
};
