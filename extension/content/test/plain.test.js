// The encoding of what is plain, beside that of the same value member by member: the engine is not
// let write anything while arrays inherit from something else.

import "./support.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import "../shared/builtins.js";
import { encodeValue } from "../shared/encode.js";

const { setPrototypeOf } = Object;

/** @typedef {import("../shared/encode.js").KeyPath} KeyPath */

/**
 * @param {any} value
 * @param {KeyPath | null} path
 */
function encodedByMembers(value, path) {
  setPrototypeOf(Array.prototype, Object.create(Object.prototype));
  try {
    return encodeValue(value, false, path);
  } finally {
    setPrototypeOf(Array.prototype, Object.prototype);
  }
}

/**
 * Numbers from 0 to 1, the same for the same seed.
 * @param {number} seed
 */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

const NAMES = ["a", "b", "id", "$date", "$", "0", "7", "__proto__", "toJSON", "\ud800", "a b", ""];
const STRINGS = ["", "x", '"\\\n', "\ud800", "é", "{}", "\u2028"];
const NUMBERS = [0, -0, 1, -1.5, 1e21, NaN, Infinity, -Infinity, 5e-324];

class Named {
  /** @param {any} content */
  constructor(content) {
    this.content = content;
  }
}

/**
 * A value of all sorts.
 * @param {() => number} random
 * @param {any[]} made what may occur again
 * @param {number} levels
 * @returns {any}
 */
function valueOf(random, made, levels) {
  /** @param {any[]} list */
  const one = (list) => list[Math.floor(random() * list.length)];
  const inner = () => valueOf(random, made, levels - 1);
  const some = () => Array.from({ length: Math.floor(random() * 4) }, inner);
  /** @param {any} object */
  const filled = (object) => {
    for (const content of some()) {
      Object.defineProperty(object, one(NAMES), { value: content, enumerable: random() < 0.9, configurable: true });
    }
    return object;
  };
  const chance = random();
  if (levels === 0 || chance < 0.4) {
    return one([one(STRINGS), one(STRINGS), one(NUMBERS), one(NUMBERS), true, false, null, undefined, 7n]);
  }
  if (chance > 0.97 && made.length > 0) return one(made);
  const object =
    chance < 0.6
      ? filled({})
      : chance < 0.75
        ? some()
        : one([
            () => filled(some()),
            () => [1, , ...some()],
            () => new Map([[inner(), inner()]]),
            () => new Set(some()),
            () => new Date(NUMBERS[2]),
            () => new Named(inner()),
            () => filled(Object.create(null)),
            () => Object("boxed"),
            () => new (class extends Array {})(...some(), 1, 2),
          ])();
  made.push(object);
  return object;
}

/** @type {(KeyPath | null)[]} */
const PATHS = [
  null,
  null,
  { name: "id", next: null },
  { name: "a", next: { name: "id", next: null } },
  { name: "$", next: null },
];

test("engine_writes_what_the_encoder_would", () => {
  const seed = Number(process.env.IDB_RELAY_SEED ?? Math.floor(Math.random() * 4294967296));
  const random = randomOf(seed);
  let plain = 0;
  for (let turn = 0; turn < 20000; turn++) {
    const value = valueOf(random, [], 5);
    const path = PATHS[Math.floor(random() * PATHS.length)];
    const text = encodeValue(value, false, path);
    assert.deepEqual(text, encodedByMembers(value, path), `seed ${seed}, turn ${turn}`);
    if (typeof value === "object" && value !== null && !text?.text.includes("$")) plain += 1;
  }
  assert.ok(plain > 1000, `only ${plain} were plain`);
});

test("key_fits_into_the_room_that_is_left_for_it", () => {
  for (const names of [["id"], ["$id"], ["x", "id"], ["x", "$ref"], ["$x", "$y", "z"]]) {
    const path = names.reduceRight((next, name) => ({ name, next }), /** @type {KeyPath | null} */ (null));
    const key = names.slice(1).reduceRight((inner, name) => ({ [name]: inner }), /** @type {any} */ (5));
    for (const value of [{}, { a: 1 }, { $a: [] }, { a: undefined, b: new Date(0) }]) {
      const encoded = /** @type {any} */ (encodeValue(value, false, path));
      const { text, hole } = encoded;
      const filled = `${text.slice(0, hole.at)}${hole.before}5${hole.after}${text.slice(hole.at)}`;
      assert.equal(filled, encodeValue({ ...value, [names[0]]: key }, true, null)?.text, names.join("."));
    }
  }
});

test("deep_value_is_written_as_the_encoder_would", () => {
  for (const levels of [300, 399, 400, 401, 402, 508, 509, 510, 511, 600]) {
    /** @type {any} */
    let list = [];
    /** @type {any} */
    let object = { a: new Date(0) };
    for (let level = 1; level < levels; level++) {
      list = [list];
      object = { b: object, c: [1] };
    }
    for (const value of [list, object]) {
      assert.equal(encodeValue(value, false, null)?.text, encodedByMembers(value, null)?.text, `${levels} levels`);
    }
  }
});

test("long_value_is_given_up_as_the_encoder_would", () => {
  const long = "x".repeat(8 * 1024 * 1024);
  for (const value of [
    [long, long, long],
    [long, long, long, long],
    { a: [long, long], b: [long, { c: "\u0001".repeat(3e6) }] },
  ]) {
    const [quick, slow] = [encodeValue(value, false, null), encodedByMembers(value, null)];
    assert.ok(quick?.text === slow?.text, `${quick?.text.length} and ${slow?.text.length} units`);
  }
  // What JSON would write here, no string could hold.
  assert.equal(
    encodeValue(
      Array.from({ length: 300 }, () => ({ long })),
      false,
      null,
    )?.text,
    '{"$opaque":{"type":"Object","reason":"too large"}}',
  );
});

/** @type {[string, (run: () => any) => any][]} */
const TRAPS = [
  [
    "an accessor",
    (run) => ({
      a: 1,
      get b() {
        return run();
      },
    }),
  ],
  ["an accessor of an element", (run) => Object.defineProperty([1, 2], 1, { get: run, enumerable: true })],
  [
    "an accessor below something plain",
    (run) => ({
      a: [
        {
          get b() {
            return run();
          },
        },
      ],
    }),
  ],
  [
    "an accessor in a map",
    (run) =>
      new Map([
        [
          1,
          {
            get b() {
              return run();
            },
          },
        ],
      ]),
  ],
  [
    "an accessor in an object of a class",
    (run) =>
      Object.assign(new Named(1), {
        a: {
          get b() {
            return run();
          },
        },
      }),
  ],
  ["a tag", (run) => ({ a: Object.defineProperty({}, Symbol.toStringTag, { get: run }) })],
  ["a hidden toJSON", (run) => ({ a: Object.defineProperty({ b: 1 }, "toJSON", { value: run }) })],
  ["a hidden toJSON of a list", (run) => ({ a: Object.defineProperty([1], "toJSON", { value: run }) })],
  ["a symbol's member", (run) => ({ a: Object.defineProperty({}, Symbol.iterator, { get: run, enumerable: true }) })],
  ...[5, true, "x", 7n].flatMap((boxed) =>
    ["valueOf", "toString", Symbol.toPrimitive].map(
      (name) =>
        /** @type {[string, (run: () => any) => any]} */ ([
          `${typeof boxed} that pretends to be plain, with ${String(name)}`,
          (run) => ({
            a: Object.defineProperty(setPrototypeOf(Object(boxed), Object.prototype), name, { value: run }),
          }),
        ]),
    ),
  ),
  [
    "a class with toJSON",
    (run) => ({
      a: new (class {
        toJSON() {
          return run();
        }
      })(),
    }),
  ],
  [
    "a list of a class with toJSON",
    (run) => ({
      a: new (class extends Array {
        toJSON() {
          return run();
        }
      })(1, 2),
    }),
  ],
];

test("no_code_of_the_page_runs", () => {
  for (const [name, make] of TRAPS) {
    let ran = 0;
    encodeValue(
      make(() => (ran += 1)),
      false,
      null,
    );
    assert.equal(ran, 0, name);
  }
});

/** @type {[any, PropertyKey][]} */
const INHERITED = [
  [Object.prototype, "toJSON"],
  [Array.prototype, "toJSON"],
  [Object.prototype, "valueOf"],
  [Object.prototype, "toString"],
  [Object.prototype, Symbol.toPrimitive],
  [Object.prototype, Symbol.toStringTag],
  [String.prototype, "toJSON"],
  [Number.prototype, "toJSON"],
  [Boolean.prototype, "toJSON"],
];

test("no_code_that_the_page_lets_be_inherited_runs", () => {
  for (const [owner, name] of INHERITED) {
    const before = Object.getOwnPropertyDescriptor(owner, name);
    let ran = 0;
    const value = { a: [1, "x", true, setPrototypeOf(Object(5), Object.prototype)] };
    const run = () => ((ran += 1), () => "ran");
    let text;
    Object.defineProperty(owner, name, { get: run, configurable: true });
    try {
      text = encodeValue(value, false, null)?.text;
    } finally {
      if (before === undefined) delete owner[name];
      else Object.defineProperty(owner, name, before);
    }
    assert.equal(ran, 0, String(name));
    assert.match(String(text), /^\{"a":\[1,"x",true,/);
  }
});

test("members_inherited_from_the_page_are_not_sent", () => {
  const objects = /** @type {any} */ (Object.prototype);
  objects.inherited = 1;
  objects.get = () => 1;
  try {
    assert.equal(encodeValue({ a: { b: 1 } }, false, null)?.text, '{"a":{"b":1}}');
  } finally {
    delete objects.inherited;
    delete objects.get;
  }
});

test("what_json_refuses_is_written_by_members", () => {
  const bigint = Object.setPrototypeOf(Object(1n), Object.prototype);
  // Each member counts as two units of text: with them it is more than JSON is given at once.
  const long = ["x".repeat(32 * 1024 * 1024 - 1000), ...Array.from({ length: 600 }, () => 0.5)];
  for (const value of [{ a: bigint }, long]) {
    const [quick, slow] = [encodeValue(value, false, null)?.text, encodedByMembers(value, null)?.text];
    assert.ok(quick !== undefined && quick === slow, quick?.slice(0, 100));
  }
});

test("raw_json_is_no_text_of_ours", () => {
  const { rawJSON } = /** @type {any} */ (JSON);
  if (rawJSON === undefined) return;
  assert.equal(encodeValue({ a: rawJSON('"x"') }, false, null)?.text, '{"a":{"rawJSON":"\\"x\\""}}');
});
