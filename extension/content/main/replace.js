// Puts functions in the place of native ones. Invariant: what the native does is the outcome, also
// if our own code fails afterwards.

import { active, exported } from "./channel_end.js";
import { apply, defineProperty, emptyList, getOwnPropertyDescriptor, uncurry } from "../shared/pristine.js";
import { shapes } from "./shapes.js";

const nativeText = uncurry(Function.prototype.toString);

/** How many objects `missed` holds at most: once it is full everything is read. */
export const MAX_MISSED = 100;
/**
 * The objects whose methods were called while there was no stack left to take note of it. Reported
 * when there is: `transactions.js`.
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
 * Lets a method or an accessor be called as ever, and an observer see each call that did not
 * throw.
 * @param {any} owner
 * @param {string} name
 * @param {"value" | "get"} half
 * @param {(self: any, result: any, first: any, given: IArguments) => void} observer may throw
 */
function observeHalf(owner, name, half, observer) {
  replace(owner, name, half, (native) => (self, first, given) => {
    const result = apply(native, self, given);
    try {
      observer(self, result, first, given);
    } catch {
      // Calls nothing: most likely there is no stack left.
      if (active && missed.length < MAX_MISSED) missed[missed.length] = self;
    }
    return result;
  });
}

/**
 * @param {any} owner
 * @param {string} name
 * @param {(self: any, result: any, first: any, given: IArguments) => void} observer
 */
export const observeCalls = (owner, name, observer) => observeHalf(owner, name, "value", observer);

/**
 * @param {any} owner
 * @param {string} name
 * @param {(self: any, result: any) => void} observer
 */
export const observeGets = (owner, name, observer) => observeHalf(owner, name, "get", observer);

/**
 * Observes the setter of a name.
 * @param {any} owner
 * @param {(self: any) => string} nameOf its getter
 * @param {(self: any, before: string) => void} observer gets the name that was there before
 */
export function observeRenames(owner, nameOf, observer) {
  const nameNow = (/** @type {any} */ self) => {
    try {
      return nameOf(self);
    } catch {
      // It has none. The native says so.
      return "";
    }
  };
  replace(owner, "name", "set", (native) => (self, first, given) => {
    let before = nameNow(self);
    const result = apply(native, self, runsCode(first) ? [stringOf(first, () => (before = nameNow(self)))] : given);
    try {
      observer(self, before);
    } catch {
      if (active && missed.length < MAX_MISSED) missed[missed.length] = self;
    }
    return result;
  });
}

/**
 * As `observeCalls`, for a method whose first argument is a name; the observer gets the name that
 * it took.
 * @param {any} owner
 * @param {string} name
 * @param {(self: any, result: any, name: string) => void} observer
 */
export function observeNamed(owner, name, observer) {
  replace(owner, name, "value", (native) => (self, first, given) => {
    let taken = first;
    const result = apply(native, self, runsCode(first) ? [stringOf(first, (text) => (taken = text))] : given);
    try {
      observer(self, result, `${taken}`);
    } catch {
      if (active && missed.length < MAX_MISSED) missed[missed.length] = self;
    }
    return result;
  });
}

/**
 * Whether code of the page may run where something is converted to a string. What is no object is
 * converted without, and refused (a symbol) in the native's own words. `document.all` is an object,
 * and calls itself undefined.
 * @param {any} value
 */
function runsCode(value) {
  if (typeof value === "undefined") return value !== undefined;
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/**
 * What the native gets in the place of an object: it converts that itself, once and at its own
 * time.
 * @param {any} value
 * @param {(text: string) => void} taken called when that is done
 */
function stringOf(value, taken) {
  return {
    __proto__: null,
    toString() {
      const text = `${value}`;
      taken(text);
      return text;
    },
  };
}
