// What is remembered of calls that could not be observed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EXPORT, READY } from "../shared/channel.js";

/** @type {any} */
const scope = globalThis;

const node = new EventTarget();

/** A class whose prototype has every accessor and every method that the hook asks for. */
function anyClass() {
  const made = function () {};
  made.prototype = new Proxy(
    {},
    {
      get: () => () => node,
      getOwnPropertyDescriptor: () => ({ configurable: true, get: () => null, set: () => {} }),
    },
  );
  return made;
}

for (const name of [
  ..."Transaction Database ObjectStore Index Cursor Request KeyRange".split(" ").map((name) => `IDB${name}`),
  "DOMStringList",
  "Document",
]) {
  scope[name] = anyClass();
}
scope.document = {};

const { MAX_MISSED, missed, observeCalls, observeGets, observeNamed, observeRenames } =
  await import("../main/replace.js");
node.dispatchEvent(new Event(READY));
// As the bridge does where functions of ours do not look like native ones.
node.addEventListener(EXPORT, (event) => {
  const { data } = /** @type {any} */ (event);
  data[data.name] = data.method;
});

const unobserved = () => {
  throw new RangeError("Maximum call stack size exceeded");
};

/**
 * Calls something of so many objects, unseen by any observer; whether each call has returned
 * what the native function does.
 * @param {(self: any) => any} call
 */
function callUnobserved(call, count = 3 * MAX_MISSED) {
  class Native {
    name = "";
    put() {
      return this;
    }
    get keyPath() {
      return this;
    }
  }
  /** @type {any} */
  const prototype = Native.prototype;
  let name = "";
  Object.defineProperty(prototype, "name", { configurable: true, get: () => name, set: (to) => (name = to) });
  prototype.open = prototype.put;
  observeCalls(prototype, "put", unobserved);
  observeGets(prototype, "keyPath", unobserved);
  observeNamed(prototype, "open", unobserved);
  observeRenames(prototype, () => name, unobserved);
  missed.length = 0;
  return Array.from({ length: count }, () => {
    const self = Object.create(prototype);
    return call(self) === self;
  });
}

for (const [name, call] of /** @type {[string, (self: any) => any][]} */ ([
  ["put", (self) => self.put()],
  ["keyPath", (self) => self.keyPath],
  ["open", (self) => self.open("name")],
  ["name", (self) => ((self.name = "name"), self)],
])) {
  test(`calls_of_${name}_without_stack_are_remembered_up_to_a_bound`, () => {
    const returned = callUnobserved(call);
    assert.ok(returned.every((same) => same));
    assert.equal(missed.length, MAX_MISSED);
    callUnobserved(call, 2);
    assert.equal(missed.length, 2);
  });
}
