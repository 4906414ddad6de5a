// Elements whose names hide members of the window and of the document.

"use strict";

// What an engine may lack: of a frame with another site's page nothing can be asked. Not `chrome`:
// with an element of that name Chromium itself gives a script that comes late no API.
const lacking = `exportFunction XPCNativeWrapper credentialless fence StorageBucket StorageBucketManager ImageBitmap CryptoKey
  FileSystemHandle RTCCertificate FileList DOMPoint DOMRect DOMMatrix DOMQuad ImageData scheduler navigation
  wrappedJSObject prototype unwrap`;
// What the window inherits.
const inherited = "addEventListener removeEventListener dispatchEvent hasOwnProperty isPrototypeOf valueOf toString";
// Elements hide the members of the document that have the same name.
const documents = `head body hidden createElement createEvent addEventListener removeEventListener dispatchEvent documentElement
  visibilityState readyState defaultView implementation prerendering parentNode children firstChild`;

const elsewhere = location.origin.replace("localhost", "127.0.0.1");
const each = (names, html) => names.split(/\s+/).map(html).join("");
document.currentScript.insertAdjacentHTML(
  "afterend",
  each(lacking, (name) => `<iframe hidden name="${name}" src="${elsewhere}/blank/"></iframe>`) +
    each(inherited, (name) => `<form id="${name}"></form>`) +
    each(documents, (name) => `<form name="${name}"></form>`),
);
