// The JavaScript built-ins as they were before any script of the page ran.
//
// Invariant: the page scripts call nothing else. A page may overwrite `Array.prototype.push`,
// `Map.prototype.get` or a getter on `Object.prototype`; none of that may break us, run inside us,
// or tell the page that we are there. Hence no iteration protocol (`for…of`, spread, destructuring
// of arrays), no method calls on built-in objects other than through these functions, no reading of
// members that an object may lack, and `{ __proto__: null }` for option dictionaries. (Setting up,
// before the page's first script, is free of this.) The build refuses what breaks this in a
// function that runs later, as far as syntax tells: `xtask/src/build/content/lint.rs`. The page of
// `tests/sites/hardened/` shows the rest.

const { bind, call } = Function.prototype;

/**
 * Turns a method into a function that takes `this` as its first argument.
 * @type {(method: Function) => (self: any, ...rest: any[]) => any}
 */
export const uncurry = bind.bind(call);

export const {
  create,
  defineProperty,
  getOwnPropertyDescriptor,
  getOwnPropertyNames,
  getPrototypeOf,
  hasOwn,
  keys: keysOf,
  setPrototypeOf,
} = Object;
export const { apply } = Reflect;
export const { isArray } = Array;
export const { parse, stringify } = JSON;
export const { now } = Date;
export const slice = uncurry(String.prototype.slice);
export const indexOf = uncurry(String.prototype.indexOf);
const hasNoLoneSurrogates = uncurry(/** @type {any} */ (String.prototype).isWellFormed);
/** The longest name that is sent, in UTF-16 code units: `protocol::body::MAX_NAME_UNITS`. */
export const MAX_NAME = 1024;
/**
 * Whether a name can be sent: it has no lone surrogates, which JSON readers refuse, and is not so
 * long that each event would be.
 * @param {string} name
 */
export const isWellFormed = (name) => name.length <= MAX_NAME && hasNoLoneSurrogates(name);

/**
 * An object of the page's as the page has it. Firefox shows the page's objects to the isolated
 * world through wrappers that hide what many of them hold ("Xray vision"); elsewhere there are
 * none.
 * @type {<T>(object: T) => T}
 */
export const bare = unwrapOfXrays() ?? ((object) => object);

function unwrapOfXrays() {
  const unwrap = globalFunction("XPCNativeWrapper")?.unwrap;
  return typeof unwrap === "function" ? unwrap : undefined;
}

/**
 * A global function or class; undefined where this engine or this context has none. An element of
 * the page may have the name: a frame of another site's, that throws when it is asked anything.
 * @param {string} name
 * @returns {any}
 */
export function globalFunction(name) {
  const found = /** @type {any} */ (globalThis)[name];
  return typeof found === "function" ? found : undefined;
}

/**
 * The getter of an accessor on a prototype, as a function of the object; `undefined` where this
 * engine has none.
 * @param {any} owner
 * @param {PropertyKey} name
 * @returns {(self: any) => any}
 */
export const getterOf = (owner, name) => {
  const get = owner && getOwnPropertyDescriptor(owner, name)?.get;
  return /** @type {any} */ (get && uncurry(get));
};

/**
 * An object that carries its methods itself, so that the page's changes to the prototype do not
 * reach it.
 * @template {object} T
 * @param {T} object
 * @returns {T}
 */
export const sealedOff = (object) => {
  const prototype = getPrototypeOf(object);
  for (const name of getOwnPropertyNames(prototype)) {
    defineProperty(object, name, /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(prototype, name)));
  }
  return object;
};

/**
 * An empty list whose elements no setter on `Array.prototype` can catch.
 * @returns {any[]}
 */
export const emptyList = () => setPrototypeOf(/** @type {any[]} */ ([]), null);
