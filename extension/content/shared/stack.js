// Room on the stack. The page scripts often run inside a call of the page, whose stack may be at
// its end. What must be done as a whole or not at all asks for its room first.

/**
 * Throws if there is no room for so many calls.
 * @param {number} calls
 */
export function needStack(calls) {
  if (calls > 0) needStack(calls - 1);
}
