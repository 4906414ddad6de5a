// How the objects of the platform look: blobs, files, and the ones that JSON can't carry, which are
// named instead.

import { append, appendMark, opaque, writeValue } from "./encode.js";
import { addKind } from "./kinds.js";
import { emptyList, getPrototypeOf, getterOf, globalFunction, stringify, uncurry } from "./pristine.js";

/**
 * @param {string} type
 * @returns {any} undefined where this engine or this context has none
 */
const prototypeOf = (type) => globalFunction(type)?.prototype;

/** How many bytes of a blob are carried; of a longer one their SHA-256 is. */
export const BLOB_BYTES = 512 * 1024;

/**
 * @param {Blob} blob
 * @param {string} file
 */
const writeBlob = (blob, file) => {
  const size = sizeOfBlob(blob);
  append(`{"$blob":{"type":${stringify(typeOfBlob(blob))},"size":${size}${file}`);
  appendMark(blob, size > BLOB_BYTES ? 80 : size * 1.34 + 12);
  append("}}");
};
const sizeOfBlob = getterOf(prototypeOf("Blob"), "size");
const typeOfBlob = getterOf(prototypeOf("Blob"), "type");
const nameOfFile = getterOf(prototypeOf("File"), "name");
const timeOfFile = getterOf(prototypeOf("File"), "lastModified");
addKind(globalFunction("File"), nameOfFile, (file) =>
  writeBlob(file, `,"name":${stringify(nameOfFile(file))},"lastModified":${timeOfFile(file)}`),
);
addKind(globalFunction("Blob"), sizeOfBlob, (blob) => writeBlob(blob, ""));

/**
 * Platform objects that are what their members are: each member is asked for by its accessor, which
 * only a true one answers.
 * @param {string} type
 * @param {string} names of the members; the first one is the type's own, not inherited
 */
function addMembers(type, names) {
  const prototype = prototypeOf(type);
  if (prototype === undefined) return;
  /** @type {{ text: string, get: (value: any) => any }[]} */
  const members = emptyList();
  for (const name of names.split(" ")) {
    const get = getterOf(prototype, name) ?? getterOf(getPrototypeOf(prototype), name);
    if (get !== undefined) members[members.length] = { text: `,"${name}":`, get };
  }
  addKind(globalFunction(type), members[0].get, (value) => {
    append(`{"$platform":{"type":"${type}"`);
    for (let index = 0; index < members.length; index++) {
      const { text, get } = members[index];
      append(text);
      writeValue(get(value));
    }
    append("}}");
  });
}

// Both kinds inherit from the read-only one: the mutable one comes first.
for (const suffix of ["", "ReadOnly"]) {
  addMembers("DOMPoint" + suffix, "x y z w");
  addMembers("DOMRect" + suffix, "x y width height");
  const cells = [1, 2, 3, 4].map((column) => [1, 2, 3, 4].map((row) => `m${column}${row}`).join(" "));
  addMembers("DOMMatrix" + suffix, cells.join(" ") + " is2D");
}
addMembers("DOMQuad", "p1 p2 p3 p4");
addMembers("ImageData", "width height colorSpace data");

const lengthOfFiles = getterOf(prototypeOf("FileList"), "length");
const fileAt = uncurry(prototypeOf("FileList")?.item);
addKind(globalFunction("FileList"), lengthOfFiles, (files) => {
  append('{"$platform":{"type":"FileList","items":[');
  for (let index = 0; index < lengthOfFiles(files); index++) {
    if (index > 0) append(",");
    writeValue(fileAt(files, index));
  }
  append("]}}");
});

// Platform objects that can be stored and that JSON can't carry, each with an accessor that only a
// true one answers.
for (const [type, accessor] of Object.entries({
  ImageBitmap: "width",
  CryptoKey: "type",
  FileSystemHandle: "kind",
  RTCCertificate: "expires",
})) {
  addKind(globalFunction(type), getterOf(prototypeOf(type), accessor), () => {
    append(opaque(type, "not representable in JSON"));
  });
}
