// Puts functions in the place of native ones so that nothing tells them apart: same name, length and attributes, no
// `prototype`, and `Function.prototype.toString` prints the native text, whichever frame's it is.

import { apply, create, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, hasOwn, sealedOff, uncurry } from "./pristine.js";

/** @type {WeakMap<Function, Function>} What stands in a prototype, and the native that it stands for. */
const natives = sealedOff(new WeakMap());
/** What replacements really look like. In another frame's realm they look the same. */
const texts = create(null);
const nativeText = uncurry(Function.prototype.toString);

/**
 * @param {Function} method
 * @param {Function} native
 */
function hide(method, native) {
  natives.set(method, native);
  texts[nativeText(method)] = true;
}

/**
 * @param {any} owner
 * @param {string} name
 * @param {(native: Function) => (self: any, first: any, given: IArguments) => any} make the function that is called instead
 */
function replace(owner, name, make) {
  const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, name));
  const native = descriptor.value;
  const instead = make(native);
  // Written as a method: it has no `prototype` and constructs nothing.
  const { [name]: method } = {
    [name](/** @type {any} */ first) {
      return instead(this, first, arguments);
    },
  };
  defineProperty(method, "length", { value: native.length });
  hide(method, native);
  defineProperty(owner, name, { ...descriptor, value: method });
}

/**
 * Lets a method be called as ever, and an observer hear of each call that did not throw.
 * @param {any} owner
 * @param {string} name
 * @param {(self: any, result: any, first: any, given: IArguments) => void} observer
 */
export function observeCalls(owner, name, observer) {
  replace(owner, name, (native) => (self, first, given) => {
    const result = apply(native, self, given);
    observer(self, result, first, given);
    return result;
  });
}

/**
 * As `observeCalls`, for a method whose first argument is a name; the observer hears which name it took. The native converts what it is
 * given to a string itself, once and at its own time, and page code may run there.
 * @param {any} owner
 * @param {string} name
 * @param {(self: any, result: any, name: string) => void} observer
 */
export function observeNamed(owner, name, observer) {
  replace(owner, name, (native) => (self, first, given) => {
    let taken = first;
    // What is no object is converted without running anything, and refused (a symbol) in the native's own words.
    const runsCode = typeof first === "object" || typeof first === "function";
    const argument = { __proto__: null, toString: () => (taken = `${first}`) };
    const result = apply(native, self, runsCode && first !== null ? [argument] : given);
    observer(self, result, `${taken}`);
    return result;
  });
}

/**
 * Puts a function in the place of the getter or the setter of an accessor.
 * @param {any} owner
 * @param {string} name
 * @param {"get" | "set"} half
 * @param {(native: Function) => object} make an object with the accessor under the same name
 */
export function replaceAccessor(owner, name, half, make) {
  const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(owner, name));
  const native = /** @type {Function} */ (descriptor[half]);
  const made = /** @type {any} */ (getOwnPropertyDescriptor(make(native), name))[half];
  hide(made, native);
  defineProperty(owner, name, { ...descriptor, [half]: made });
}

/** @param {any} value */
const isReplacement = (value) => typeof value === "function" && texts[nativeText(value)] !== undefined;

/** Lets replaced functions print as what they replace. */
export function hideReplacements() {
  const owner = Function.prototype;
  replace(owner, "toString", (native) => (self, _first, given) => {
    const text = apply(native, natives.get(self) ?? self, given);
    if (texts[text] === undefined) return text;
    // A replacement of another realm, or what a page wrote to look like one: the `toString` of that realm knows.
    const inherited = getPrototypeOf(self);
    const other = inherited && inherited !== owner && getOwnPropertyDescriptor(inherited, "toString");
    return other && hasOwn(other, "value") && natives.get(other.value) === undefined && isReplacement(other.value)
      ? apply(other.value, self, given)
      : text;
  });
}
