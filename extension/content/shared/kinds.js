// Objects with internal slots, by kind: how each is recognised and written. `builtins.js` and
// `platform.js` add them.

import { emptyList, getPrototypeOf, sealedOff } from "./pristine.js";

/**
 * `probe` throws unless the object has the slots; `write` appends the object's text.
 * @typedef {{ probe: (value: any) => any, write: (value: any) => void }} Kind
 */

/** @type {Kind[]} */
const kinds = emptyList();
/**
 * The kind that a prototype stands for, `null` for the prototypes of plain objects. A prototype
 * that is new (a class, another frame's) is settled by its first object: probing throws, which is
 * slow.
 * @type {WeakMap<object, Kind | null>}
 */
const kindOfPrototype = sealedOff(new WeakMap());
kindOfPrototype.set(Object.prototype, null);

/**
 * @param {any} constructor `undefined` where this engine or this context has none
 * @param {(value: any) => any} probe
 * @param {(value: any) => void} write
 */
export function addKind(constructor, probe, write) {
  if (constructor === undefined || probe === undefined) return;
  const kind = { probe, write };
  kinds[kinds.length] = kind;
  kindOfPrototype.set(constructor.prototype, kind);
}

/**
 * The kind of an object; `null` for plain ones.
 * @param {object} value
 * @returns {Kind | null}
 */
export function kindOf(value) {
  const prototype = getPrototypeOf(value);
  if (prototype === null) return null;
  const known = kindOfPrototype.get(prototype);
  if (known === null || (known !== undefined && is(known, value))) return known;
  for (let index = 0; index < kinds.length; index++) {
    const kind = kinds[index];
    if (is(kind, value)) {
      if (known === undefined) kindOfPrototype.set(prototype, kind);
      return kind;
    }
  }
  if (known === undefined) kindOfPrototype.set(prototype, null);
  return null;
}

/**
 * @param {Kind} kind
 * @param {object} value
 */
function is({ probe }, value) {
  try {
    probe(value);
    return true;
  } catch {
    return false;
  }
}
