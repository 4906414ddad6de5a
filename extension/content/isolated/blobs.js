// Fills in what a text lacks of its blobs: their bytes, or of long ones the SHA-256 (bridge only,
// where waiting costs the page nothing).
//
// The browser reads and encodes them away from this thread. A file that was changed or deleted
// since can't be read: its text then says type and size only.

import { MARK } from "../shared/channel.js";
import { BLOB_BYTES } from "../shared/platform.js";
import { hexadecimal, Sha256 } from "./sha256.js";

/**
 * How many bytes are hashed at once: what `crypto.subtle` has to hold in memory, and how long our
 * own hash may take in one go.
 */
const DIGEST_BYTES = 64 * 1024 * 1024;
const SLICE_BYTES = 1024 * 1024;

/**
 * A text, perhaps with marks for the blobs that come with it.
 * @typedef {{ text: string, blobs: ArrayLike<Blob> }} Marked
 */

/**
 * The text with everything in it.
 * @param {Marked} marked
 */
export async function filled({ text, blobs }) {
  const pieces = text.split(MARK);
  let whole = pieces[0];
  for (let index = 0; index + 1 < pieces.length; index++) whole += (await contentOf(blobs[index])) + pieces[index + 1];
  return whole;
}

/** @param {Blob} blob */
async function contentOf(blob) {
  try {
    if (blob.size > BLOB_BYTES) return `,"sha256":"${await hashOf(blob)}"`;
    // Engines differ in what URL stands for nothing.
    if (blob.size === 0) return ',"base64":""';
    const url = /** @type {string} */ (await read(blob, "readAsDataURL"));
    return `,"base64":"${url.slice(url.indexOf(",") + 1)}"`;
  } catch {
    return "";
  }
}

/**
 * Not `Blob`'s own methods: of the page's blobs, Firefox gives their promises in the page's world.
 * @param {Blob} blob
 * @param {"readAsDataURL" | "readAsArrayBuffer"} method
 * @returns {Promise<string | ArrayBuffer | null>}
 */
const read = (blob, method) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader[method](blob);
  });

/**
 * In an array of this world: Firefox makes the reader's in the page's.
 * @param {Blob} blob
 */
async function bytesOf(blob) {
  const bytes = new Uint8Array(blob.size);
  bytes.set(new Uint8Array(/** @type {ArrayBuffer} */ (await read(blob, "readAsArrayBuffer"))));
  return bytes;
}

/**
 * In hexadecimal.
 * @param {Blob} blob
 */
async function hashOf(blob) {
  // Pages without TLS have no `subtle`, and it takes nothing in pieces.
  if (crypto.subtle !== undefined && blob.size <= DIGEST_BYTES) {
    return hexadecimal(new Uint8Array(await crypto.subtle.digest("SHA-256", await bytesOf(blob))));
  }
  const hash = new Sha256();
  for (let from = 0; from < blob.size; from += SLICE_BYTES)
    hash.update(await bytesOf(blob.slice(from, from + SLICE_BYTES)));
  return hexadecimal(hash.digest());
}
