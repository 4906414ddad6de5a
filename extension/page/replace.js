// Puts functions in the place of native ones. Invariant: what the native does is the outcome,
// whatever happens to us afterwards.

import { active, exported } from "./outlet.js";
import { apply, defineProperty, emptyList, getOwnPropertyDescriptor, uncurry } from "./pristine.js";
import { shapes } from "./shapes.js";

const nativeText = uncurry(Function.prototype.toString);

/**
 * How many objects `missed` holds at most: what happened to further ones is found by comparison,
 * too.
 */
const MAX_MISSED = 100;
/**
 * The objects whose methods were called while there was no stack left to take note of it. Told when
 * there is: `transactions.js`.
 * @type {any[]}
 */
export const missed = emptyList();

/**
 * @param {any} owner
 * @param {string} name
 * @param {"value" | "get" | "set"} half a method, or one half of an accessor
 * @param {(native: Function) => import("./shapes.js").Run} make what is called instead
 */
function replace(owner, name, half, make) {
  const descriptor = /** @type {any} */ (getOwnPropertyDescriptor(owner, name));
  const native = descriptor[half];
  let made = /** @type {any} */ (getOwnPropertyDescriptor(shapes(make(native)), name))[half];
  if (nativeText(made) !== nativeText(native)) made = exported(made, name);
  defineProperty(made, "length", { value: native.length });
  defineProperty(made, "name", { value: native.name });
  defineProperty(owner, name, { ...descriptor, [half]: made });
}

/**
 * Lets a method or an accessor be called as ever, and an observer hear of each call that did not
 * throw.
 * @param {any} owner
 * @param {string} name
 * @param {"value" | "get" | "set"} half
 * @param {(self: any, result: any, first: any, given: IArguments, before: any) => void} observer may throw
 * @param {(self: any) => any} look at the object before the call; must not throw
 */
function observeHalf(owner, name, half, observer, look) {
  replace(owner, name, half, (native) => (self, first, given) => {
    const before = look(self);
    const result = apply(native, self, given);
    try {
      observer(self, result, first, given, before);
    } catch {
      // Calls nothing: most likely there is no stack left.
      if (active && missed.length < MAX_MISSED) missed[missed.length] = self;
    }
    return result;
  });
}

const nothing = () => undefined;

/**
 * @param {any} owner
 * @param {string} name
 * @param {(self: any, result: any, first: any, given: IArguments) => void} observer
 */
export const observeCalls = (owner, name, observer) => observeHalf(owner, name, "value", observer, nothing);

/**
 * @param {any} owner
 * @param {string} name
 * @param {(self: any, result: any) => void} observer
 */
export const observeGets = (owner, name, observer) => observeHalf(owner, name, "get", observer, nothing);

/**
 * Observes the setter of a name.
 * @param {any} owner
 * @param {(self: any) => string} nameOf its getter
 * @param {(self: any, before: string) => void} observer hears the name that was there before
 */
export const observeRenames = (owner, nameOf, observer) =>
  observeHalf(
    owner,
    "name",
    "set",
    (self, _result, _first, _given, before) => observer(self, before),
    (self) => {
      try {
        return nameOf(self);
      } catch {
        // It has none. The native says so.
        return "";
      }
    },
  );

/**
 * As `observeCalls`, for a method whose first argument is a name; the observer hears which name it took. The native converts what it is
 * given to a string itself, once and at its own time, and page code may run there.
 * @param {any} owner
 * @param {string} name
 * @param {(self: any, result: any, name: string) => void} observer
 */
export function observeNamed(owner, name, observer) {
  replace(owner, name, "value", (native) => (self, first, given) => {
    let taken = first;
    // What is no object is converted without running anything, and refused (a symbol) in the native's own words.
    const runsCode = typeof first === "object" || typeof first === "function";
    const argument = { __proto__: null, toString: () => (taken = `${first}`) };
    const result = apply(native, self, runsCode && first !== null ? [argument] : given);
    try {
      observer(self, result, `${taken}`);
    } catch {
      if (active && missed.length < MAX_MISSED) missed[missed.length] = self;
    }
    return result;
  });
}
