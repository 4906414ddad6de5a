// How the objects of the platform look: blobs, files, and the ones that JSON can't carry, which are named instead.

import { append, appendMark, opaque } from "./encode.js";
import { addKind } from "./kinds.js";
import { getterOf, stringify } from "./pristine.js";

const platform = /** @type {any} */ (globalThis);

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
const sizeOfBlob = getterOf(platform.Blob?.prototype, "size");
const typeOfBlob = getterOf(platform.Blob?.prototype, "type");
const nameOfFile = getterOf(platform.File?.prototype, "name");
const timeOfFile = getterOf(platform.File?.prototype, "lastModified");
addKind(platform.File, nameOfFile, (file) =>
  writeBlob(file, `,"name":${stringify(nameOfFile(file))},"lastModified":${timeOfFile(file)}`),
);
addKind(platform.Blob, sizeOfBlob, (blob) => writeBlob(blob, ""));

// Platform objects that can be stored and that JSON can't carry, each with an accessor that only a true one answers.
for (const [type, accessor] of Object.entries({
  FileList: "length",
  ImageData: "width",
  ImageBitmap: "width",
  CryptoKey: "type",
  FileSystemHandle: "kind",
  RTCCertificate: "expires",
  DOMPointReadOnly: "w",
  DOMRectReadOnly: "top",
  DOMQuad: "p1",
  DOMMatrixReadOnly: "is2D",
})) {
  addKind(platform[type], getterOf(platform[type]?.prototype, accessor), () => {
    append(opaque(type, "not representable in JSON"));
  });
}

const nameOfException = getterOf(platform.DOMException?.prototype, "name");
const messageOfException = getterOf(platform.DOMException?.prototype, "message");
addKind(platform.DOMException, nameOfException, (error) => {
  append(`{"$error":{"name":${stringify(nameOfException(error))},"message":${stringify(messageOfException(error))}}}`);
});
