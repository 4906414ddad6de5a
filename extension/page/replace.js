// Puts functions in the place of native ones so that nothing tells them apart: same name, length and attributes, no
// `prototype`, and `Function.prototype.toString` prints the native text.

import { apply, defineProperty, getOwnPropertyDescriptor, sealedOff } from "./pristine.js";

/** @type {WeakMap<Function, Function>} What stands in a prototype, and the native that it stands for. */
const natives = sealedOff(new WeakMap());

/**
 * Puts a function in the place of a native method: same name, length and attributes, and as it is written as a method it has
 * no `prototype` and constructs nothing either.
 * @param {any} owner
 * @param {string} name
 * @param {(native: Function) => any} make an object with the method under the same name
 */
export function replace(owner, name, make) {
  const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, name));
  const native = descriptor.value;
  const method = make(native)[name];
  natives.set(method, native);
  defineProperty(owner, name, { ...descriptor, value: method });
}

/**
 * As `replace`, for the getter or the setter of an accessor.
 * @param {any} owner
 * @param {string} name
 * @param {"get" | "set"} half
 * @param {(native: Function) => object} make an object with the accessor under the same name
 */
export function replaceAccessor(owner, name, half, make) {
  const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, name));
  const native = /** @type {Function} */ (descriptor[half]);
  const made = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(make(native), name))[half];
  natives.set(/** @type {Function} */ (made), native);
  defineProperty(owner, name, { ...descriptor, [half]: made });
}

/**
 * Calls a method whose first argument is a name, and says which name it took: the native converts what it is given to a string
 * itself, once and at its own time, and page code may run there.
 * @param {Function} native
 * @param {any} self
 * @param {IArguments} given
 * @returns {{ result: any, name: string }}
 */
export function callWithName(native, self, given) {
  let name = given[0];
  if (given.length === 0 || typeof name === "string") return { result: apply(native, self, given), name };
  const argument = { __proto__: null, toString: () => (name = `${given[0]}`) };
  return { result: apply(native, self, [argument]), name };
}

/** Lets replaced functions print as what they replace. */
export function hideReplacements() {
  replace(Function.prototype, "toString", (native) => ({
    toString() {
      return apply(native, natives.get(/** @type {any} */ (this)) ?? this, arguments);
    },
  }));
}
