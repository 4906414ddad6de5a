#!/usr/bin/env node
--> A comment, as HTML ends one at the beginning of a line.
importScripts(`${origin}/workers/classic.js`);
