/* Nothing but comments stands in front of it. */ --> A comment, as HTML ends one.
  --> Another one.
importScripts(`${origin}/workers/classic.js`);
