// What the page complains of: errors and warnings that its scripts write, and failures that no
// script handles. The first script of each of these pages.

"use strict";

window.complaints = [];

for (const level of ["warn", "error"]) {
  const write = console[level];
  console[level] = (...words) => {
    complaints.push([level, ...words].join(" "));
    write.apply(console, words);
  };
}

addEventListener("error", ({ message }) => complaints.push(`error ${message}`));
addEventListener("unhandledrejection", ({ reason }) => complaints.push(`rejection ${reason}`));
