#!/usr/bin/env node
/* Directives stand behind a byte order mark, a line for a shell, a comment, */ // another one,
'and another directive'
"use strict"
/* that counts, although no semicolon follows. */
var isStrict = (function () {
  return this === undefined;
})();

importScripts(`${origin}/workers/classic.js`);
