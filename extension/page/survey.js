// The look at everything that is there: the inventory, then each store, a stretch at a time.

import { bucketNames, readInventory, readStore } from "./reader.js";
import { idle } from "./time.js";

/** @typedef {{ bucket: string, database: string, store: string }} Store */

/**
 * Tells the host what is in a store, each stretch when it has the one before.
 * @param {Store} of
 * @param {(body: string) => Promise<void>} delivered resolves when the host has it
 * @returns {Promise<boolean>} whether everything could be read
 */
async function readRecordsOf(of, delivered) {
  try {
    const { bucket, database, store } = of;
    for await (const stretch of readStore(bucket, database, store)) {
      await delivered(stretch);
      await idle();
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Tells the host what is in some stores. What can't be read now is found by the next page load.
 * @param {Store[]} stores
 * @param {(body: string) => Promise<void>} delivered
 */
export async function readSome(stores, delivered) {
  for (const store of stores) {
    await idle();
    await readRecordsOf(store, delivered);
  }
}

/**
 * Tells the host all that there is, each piece when it has the one before.
 * @param {(body: string) => Promise<void>} delivered resolves when the host has it
 * @returns {Promise<boolean>} whether everything could be read
 */
export async function readAll(delivered) {
  let complete = true;
  try {
    await idle();
    const buckets = await bucketNames();
    for (const bucket of ["", ...(buckets ?? [])]) {
      const { body, databases } = await readInventory(bucket, buckets);
      await delivered(body);
      for (const { name, stores } of databases) {
        if (stores === null) complete = false;
        for (const store of stores ?? []) {
          if (!(await readRecordsOf({ bucket, database: name, store }, delivered))) complete = false;
        }
      }
    }
  } catch {
    complete = false;
  }
  return complete;
}
