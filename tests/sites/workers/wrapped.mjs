// What runs first replaces a method, as a library does that retries writes. It is an import that no
// extension sees.

import "data:text/javascript,const { put } = IDBObjectStore.prototype; IDBObjectStore.prototype.put = function (...given) { return put.apply(this, given); };";
import { answer } from "./imported.mjs";

globalThis.onmessage = answer;
