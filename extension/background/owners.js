// Who a worker belongs to: each question about one names the worker's origin, each answer the
// origin of the document that gives it. A document that has come to the place of the one that was
// meant gives no channel, and none of it is used.

/**
 * @param {string | undefined} url
 * @returns {string} "null" for what has no origin of its own
 */
export function originOf(url) {
  try {
    return new URL(url ?? "").origin;
  } catch {
    return "null";
  }
}

/**
 * The channel in a document's answer; undefined if it is none, or another origin's.
 * @param {any} answer
 * @param {string} from the worker's origin
 * @returns {string | undefined}
 */
export function channelIn(answer, from) {
  const { channel, origin } = answer ?? {};
  return typeof channel === "string" && origin === from && from !== "null" ? channel : undefined;
}
