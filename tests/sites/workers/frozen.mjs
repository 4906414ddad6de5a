// What runs first allows no method to be replaced. It is an import that no extension sees.

import "data:text/javascript,Object.freeze(IDBObjectStore.prototype);";
import { answer } from "./imported.mjs";

globalThis.onmessage = answer;
