// Keys from their typed text (`protocol::key`), for reading single records.

/**
 * @param {string} text
 * @returns {IDBValidKey}
 */
export function decodeKey(text) {
  return keyFrom(JSON.parse(text));
}

/**
 * @param {any} json
 * @returns {IDBValidKey}
 */
function keyFrom(json) {
  if (typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map(keyFrom);
  if (json.$date) return new Date(json.$date);
  if (json.$number) return Number(json.$number);
  return /** @type {any} */ (Uint8Array).fromBase64(json.$bytes.base64);
}
