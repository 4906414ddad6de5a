// Where the hook goes in a worker's script, and whether the script is strict from its beginning.
//
// What stands in front of a script must change nothing of it: a byte order mark and a line `#!…`
// stay the first, a comment `-->…` only counts where nothing but comments stands in front of it in
// its line, and a directive such as "use strict" in front of everything else. So the hook goes
// behind such lines, and the directive is looked for here and said again ahead of the hook.

/**
 * @typedef {object} Start
 * @property {number} at how many bytes stay in front
 * @property {boolean} isStrict
 */

/**
 * Looks at the first bytes of a script; undefined if more are needed.
 * @param {Uint8Array} bytes
 * @param {boolean} isWhole whether there are no others
 * @returns {Start | undefined}
 */
export function startOf(bytes, isWhole) {
  const beginning = beginningOf(bytes, isWhole);
  const at = beginning === undefined ? undefined : behindArrows(bytes, beginning, isWhole);
  if (at === undefined) return undefined;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const isStrict = hasUseStrict(decoder.decode(bytes.subarray(at), { stream: !isWhole }), isWhole);
  return isStrict === undefined ? undefined : { at, isStrict };
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const LINE_ENDS = [[0x0a], [0x0d, 0x0a], [0x0d], [0xe2, 0x80, 0xa8], [0xe2, 0x80, 0xa9]];

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number[]} expected
 */
const has = (bytes, at, expected) => expected.every((byte, index) => bytes[at + index] === byte);

/**
 * Behind a byte order mark and a line `#!…`.
 * @param {Uint8Array} bytes
 * @param {boolean} isWhole
 */
function beginningOf(bytes, isWhole) {
  // The mark and `#!`.
  if (bytes.length < 5 && !isWhole) return undefined;
  let at = has(bytes, 0, BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
  if (!has(bytes, at, [0x23, 0x21])) return at;
  for (; at < bytes.length; at++) {
    const end = LINE_ENDS.find((end) => has(bytes, at, end));
    if (end !== undefined) return at + end.length;
  }
  return isWhole ? at : undefined;
}

/** White space and comments, as far as they stand in one line. */
const IN_LINE = /^(?:[^\S\n\r\u2028\u2029]|\/\*(?:(?!\*\/)[^\n\r\u2028\u2029])*\*\/)*/;

/** A beginning of a comment that may yet end in its line, or of `-->`. */
const OPEN_IN_LINE = /^(?:\/|\/\*[^\n\r\u2028\u2029]*|-{0,2})$/;

/** A comment `-->…` with the end of its line; and one that does not end here. */
const ARROW = /^-->[^\n\r\u2028\u2029]*(?:\r\n|[\n\r\u2028\u2029])/;
const OPEN_ARROW = /^-->[^\n\r\u2028\u2029]*\r?$/;

/**
 * Behind the lines that are comments `-->…`: they are none behind a statement.
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {boolean} isWhole
 */
function behindArrows(bytes, from, isWhole) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const text = decoder.decode(bytes.subarray(from), { stream: !isWhole });
  for (let at = 0; ;) {
    const space = IN_LINE.exec(text.slice(at))?.[0].length ?? 0;
    const rest = text.slice(at + space);
    if (!isWhole && (OPEN_IN_LINE.test(rest) || OPEN_ARROW.test(rest))) return undefined;
    const arrow = ARROW.exec(rest)?.[0].length ?? (OPEN_ARROW.test(rest) ? rest.length : 0);
    const front = text.slice(0, at);
    // In another encoding it has another length.
    if (front.includes("\ufffd")) throw new Error("the script is not in UTF-8");
    if (arrow === 0) return from + new TextEncoder().encode(front).length;
    at += space + arrow;
  }
}

/** More letters than any token has that decides here. */
const AHEAD = 12;

/** What goes on with an expression in the next line. */
const GOES_ON = /^(?:\+(?!\+)|-(?!-)|!=|[.,([*/%&|^<>=?`]|in(?:stanceof)?(?![\w$\\\u0080-\uffff]))/;

/** A string literal, and the beginning of one that does not end here. */
const LITERAL = /^(["'])(?:\\(?:\r\n|[^])|(?!\1)[^\\\n\r])*\1/;
const OPEN_LITERAL = /^(["'])(?:\\(?:\r\n|[^])|(?!\1)[^\\\n\r])*\\?$/;

/**
 * Whether there is a directive "use strict"; undefined if the text goes on where that is open.
 * @param {string} text
 * @param {boolean} isWhole
 */
function hasUseStrict(text, isWhole) {
  const isOpen = (/** @type {number} */ at) => !isWhole && at + AHEAD > text.length;
  for (let at = 0; ;) {
    const { at: from } = behindSpace(text, at, at === 0);
    if (isOpen(from)) return undefined;
    const literal = LITERAL.exec(text.slice(from));
    if (literal === null) return !isWhole && OPEN_LITERAL.test(text.slice(from)) ? undefined : false;
    const end = from + literal[0].length;
    const next = behindSpace(text, end, false);
    if (isOpen(next.at)) return undefined;
    const rest = text.slice(next.at, next.at + AHEAD);
    const ends = rest === "" || rest[0] === ";" || rest[0] === "}" || (next.isNewLine && !GOES_ON.test(rest));
    if (!ends) return false;
    if (text.slice(from + 1, end - 1) === "use strict") return true;
    at = rest[0] === ";" ? next.at + 1 : next.at;
  }
}

/**
 * Behind white space and comments, and whether a line ends in them. A comment that does not end
 * reaches to the end.
 * @param {string} text
 * @param {number} from
 * @param {boolean} isNewLine
 */
function behindSpace(text, from, isNewLine) {
  for (let at = from; ;) {
    const rest = text.slice(at, at + 4);
    let end = at;
    if (/^[\s\ufeff]/.test(rest)) {
      end += 1;
    } else if (rest.startsWith("//") || rest.startsWith("<!--") || (isNewLine && rest.startsWith("-->"))) {
      const length = text.slice(at).search(/[\n\r\u2028\u2029]/);
      end = length < 0 ? text.length : at + length;
    } else if (rest.startsWith("/*")) {
      const close = text.indexOf("*/", at + 2);
      end = close < 0 ? text.length : close + 2;
    }
    if (end === at) return { at, isNewLine };
    isNewLine ||= /[\n\r\u2028\u2029]/.test(text.slice(at, end));
    at = end;
  }
}
