// The ids of objects that occur more than once in a value. They are known only at its end.

import { emptyList, slice, uncurry } from "./pristine.js";

const sort = uncurry(Array.prototype.sort);

/**
 * The text with `$id` around each object that occurs again.
 * @param {string} written with their references, but without their ids
 * @param {import("./encode.js").Place[]} repeated where these objects stand
 */
export function withIds(written, repeated) {
  const cuts = emptyList();
  for (let index = 0; index < repeated.length; index++) {
    const { start, end, id } = repeated[index];
    cuts[cuts.length] = { at: start, text: `{"$id":{"id":${id},"value":` };
    cuts[cuts.length] = { at: end, text: "}}" };
  }
  sort(cuts, (/** @type {{ at: number }} */ a, /** @type {{ at: number }} */ b) => a.at - b.at);
  let text = "";
  let from = 0;
  for (let index = 0; index < cuts.length; index++) {
    const { at, text: inserted } = cuts[index];
    text += slice(written, from, at) + inserted;
    from = at;
  }
  return text + slice(written, from);
}
