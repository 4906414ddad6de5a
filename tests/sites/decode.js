"use strict";
// Reads the typed form back into JavaScript values: the other half of the proof that it loses
// nothing.

/**
 * The value that a typed text stands for. What JSON can't carry comes back as an object that says
 * so.
 * @param {string} text
 * @returns {any}
 */
function decodeTyped(text) {
  /** @type {Map<number, any>} */
  const shared = new Map();

  /**
   * Fills objects after they are known by their id, so that cycles close. @param {any} typed @param
   * {(value: any) => void} [known] @returns {any}
   */
  const read = (typed, known = () => {}) => {
    if (typeof typed !== "object" || typed === null) return typed;
    if (Array.isArray(typed)) {
      const array = /** @type {any[]} */ ([]);
      known(array);
      for (const item of typed) array.push(read(item));
      return array;
    }
    const names = Object.keys(typed);
    if (names.length === 1 && names[0].startsWith("$")) return form(names[0], typed[names[0]], known);
    return members({}, typed, known);
  };

  const members = (/** @type {any} */ object, /** @type {any} */ typed, /** @type {(value: any) => void} */ known) => {
    known(object);
    for (const name of Object.keys(typed)) {
      Object.defineProperty(object, name, {
        value: read(typed[name]),
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return object;
  };

  const form = (/** @type {string} */ name, /** @type {any} */ content, /** @type {(value: any) => void} */ known) => {
    const made = (/** @type {any} */ value) => (known(value), value);
    switch (name) {
      case "$undefined":
        return undefined;
      case "$number":
        return Number(content);
      case "$bigint":
        return BigInt(content);
      case "$date":
        return made(new Date(content ?? NaN));
      case "$regexp":
        return made(new RegExp(content.source, content.flags));
      case "$map": {
        const map = made(new Map());
        for (const [key, value] of content) {
          const readKey = read(key);
          map.set(readKey, read(value));
        }
        return map;
      }
      case "$set": {
        const set = made(new Set());
        for (const item of content) set.add(read(item));
        return set;
      }
      case "$bytes":
        return made(bytes(content));
      case "$error":
        return made(error(content));
      case "$blob":
        return made(blob(content));
      case "$platform":
        return made(platform(content));
      case "$boxed":
        return made(Object(read(content)));
      case "$sparse": {
        const array = members([], content.items, known);
        array.length = content.length;
        return array;
      }
      case "$id":
        return read(content.value, (value) => shared.set(content.id, value));
      case "$ref": {
        if (!shared.has(content)) throw new Error(`{"$ref":${content}} before its $id`);
        return shared.get(content);
      }
      case "$object":
        return members({}, content, known);
      default:
        return made({ [name]: content });
    }
  };

  const bytes = (/** @type {any} */ content) => {
    const View = /** @type {any} */ (globalThis)[content.type];
    if (content.buffer !== undefined) {
      const buffer = read(content.buffer);
      return new View(
        buffer,
        content.offset,
        content.type === "DataView" ? content.length : content.length / View.BYTES_PER_ELEMENT,
      );
    }
    const fixed = Uint8Array.from(atob(content.base64), (char) => char.charCodeAt(0));
    if (content.maxByteLength !== undefined) {
      const resizable = new /** @type {any} */ (ArrayBuffer)(fixed.length, { maxByteLength: content.maxByteLength });
      new Uint8Array(resizable).set(fixed);
      return resizable;
    }
    const { buffer } = fixed;
    return content.type === "ArrayBuffer" ? buffer : new View(buffer);
  };

  const blob = (/** @type {any} */ content) => {
    const parts = [content.base64 === undefined ? new Uint8Array(content.size) : atob(content.base64)];
    return "name" in content ? new File(parts, content.name, content) : new Blob(parts, content);
  };

  const platform = (/** @type {any} */ { type, ...rest }) => {
    const { x, y, z, w, width, height, p1, p2, p3, p4, data, colorSpace, items, is2D, ...cells } = members(
      {},
      rest,
      () => {},
    );
    const Type = /** @type {any} */ (globalThis)[type];
    if (type === "ImageData") return new Type(data, width, height, colorSpace && { colorSpace });
    if (type === "DOMQuad") return new Type(p1, p2, p3, p4);
    if (type.startsWith("DOMPoint")) return new Type(x, y, z, w);
    if (type.startsWith("DOMRect")) return new Type(x, y, width, height);
    if (type.startsWith("DOMMatrix")) {
      const { m11, m12, m21, m22, m41, m42 } = cells;
      return new Type(is2D ? [m11, m12, m21, m22, m41, m42] : Object.values(cells));
    }
    const transfer = new DataTransfer();
    for (const file of items) transfer.items.add(file);
    return transfer.files;
  };

  const error = (/** @type {any} */ content) => {
    // Errors of the language have one of their seven names; others are the platform's.
    if (!(content.name in globalThis)) return new DOMException(content.message, content.name);
    const made = new /** @type {any} */ (globalThis)[content.name](content.message);
    if ("cause" in content)
      Object.defineProperty(made, "cause", { value: read(content.cause), configurable: true, writable: true });
    return made;
  };

  return read(JSON.parse(text));
}
