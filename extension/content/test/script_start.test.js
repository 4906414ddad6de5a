// Where the hook goes in a worker's script, and what is a directive.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

import { startOf } from "../../background/script_start.js";

/** @param {string} text */
const bytesOf = (text) => new TextEncoder().encode(text);

/** More than is ever looked at behind a token. */
const REST = " = 'and so on, and so on';";

/** @type {[string, boolean][]} */
const SCRIPTS = [
  ["", false],
  ["abc", false],
  ['"use strict"', true],
  ["'use strict';", true],
  ['"use\\x20strict";', false],
  ['"use strict"; abc', true],
  ['"another"; "use strict"\nabc', true],
  ["'an\\\n\\'other'; \"use strict\"\nabc", true],
  ['/* a\n * "use strict" */ abc', false],
  ["/* a */ // b\n\u00a0'use strict'\n// c\nabc", true],
  ['<!-- a\n--> b\n"use strict"; abc', true],
  ['"use strict" + abc', false],
  ['"use strict"\n+ abc', false],
  ['"use strict"\n++abc', true],
  ['"use strict"\n.length', false],
  ['"use strict"\n(abc)', false],
  ['"use strict" /* a\n */ abc', true],
  ['"use strict" /* a */ abc', false],
  ['"use strict"\n!abc', true],
  ['"use strict"\n!= abc', false],
  ['"use strict"\nin abc', false],
  ['"use strict"\ninstanceof abc', false],
  ['"use strict"\nindex', true],
  ['"use strict"\n`abc`', false],
  ['abc; "use strict"', false],
  ['"use strict', false],
  ["/* a", false],
];

test("directive is found where the language finds one", () => {
  for (const [text, isStrict] of SCRIPTS) {
    assert.deepEqual(startOf(bytesOf(text), true), { at: 0, isStrict }, text);
  }
});

test("engine agrees on which scripts are strict", () => {
  for (const [text, isStrict] of SCRIPTS) {
    const probe = `${text}\n;isStrict = (function () { return this === undefined; })();`;
    const scope = createContext({ abc: {}, index: 1, isStrict: null });
    try {
      runInContext(probe, scope);
    } catch {
      // It is no script, or ends with an error of its own.
    }
    if (scope.isStrict !== null) assert.equal(scope.isStrict, isStrict, text);
  }
});

test("start is the same in all pieces that a script may come in", () => {
  for (const [text] of SCRIPTS) {
    const bytes = bytesOf(text + "\n" + REST);
    const whole = startOf(bytes, true);
    for (let length = 0; length < bytes.length; length++) {
      const start = startOf(bytes.subarray(0, length), false);
      if (start !== undefined) assert.deepEqual(start, whole, `${text} ${length}`);
    }
  }
});

test("comment that begins a line stays in front", () => {
  for (const [text, front] of /** @type {[string, string][]} */ ([
    ["--> a\n'use strict';", "--> a\n"],
    [" /* a */ --> b\r\n'use strict';", " /* a */ --> b\r\n"],
    ["--> a\n\t--> b\u2028'use strict';", "--> a\n\t--> b\u2028"],
    ["\ufeff#!/bin/node\n--> a\n'use strict';", "\ufeff#!/bin/node\n--> a\n"],
    ["/* \n */ --> a\n'use strict';", ""],
    ["\n--> a\n'use strict';", ""],
  ])) {
    const start = { at: bytesOf(front).length, isStrict: true };
    assert.deepEqual(startOf(bytesOf(text), true), start, text);
    assert.doesNotThrow(() =>
      runInContext(`${front}void 0;${text.slice(front.length)}`.replace("\ufeff", ""), createContext()),
    );
  }
  assert.equal(startOf(bytesOf("--> a"), false), undefined);
  assert.deepEqual(startOf(bytesOf("--> a"), true), { at: 5, isStrict: false });
});

test("mark and first line for a shell stay in front", () => {
  for (const [text, at] of /** @type {[string, number][]} */ ([
    ["\ufeff'use strict';", 3],
    ["#!/bin/node\n'use strict';", 12],
    ["#!/bin/node\r\n'use strict';", 13],
    ["\ufeff#!/bin/node\u2028'use strict';", 17],
  ])) {
    assert.deepEqual(startOf(bytesOf(text), true), { at, isStrict: true }, text);
  }
  assert.deepEqual(startOf(bytesOf("#!/bin/node"), true), { at: 11, isStrict: false });
  assert.equal(startOf(bytesOf("#!/bin/node"), false), undefined);
});
