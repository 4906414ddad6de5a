// The look at everything that is there: the inventory, then each store, a stretch at a time.

import { bucketNames, readInventory, readStore } from "./reader.js";
import { idle } from "./time.js";

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
          try {
            for await (const stretch of readStore(bucket, name, store)) {
              await delivered(stretch);
              await idle();
            }
          } catch {
            complete = false;
          }
        }
      }
    }
  } catch {
    complete = false;
  }
  return complete;
}
