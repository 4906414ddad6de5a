// One test in this document, run as wasm-bindgen's own test runner does.

const { module, bindings, test, ended } = frameElement.job;
const { default: init, WasmBindgenTestContext: Context, ...exported } = await import(bindings);

// What went wrong where no test was looking: in a listener, a timer, a promise.
const faults = [];
addEventListener("error", ({ message, error }) => {
  // A list that changes its size during layout is notified once more in the next frame.
  if (!message.startsWith("ResizeObserver loop")) faults.push(error?.stack ?? message);
});
addEventListener("unhandledrejection", ({ reason }) => faults.push(reason?.stack ?? String(reason)));

// Of what is said on the console the context keeps what is said while the test itself runs; errors
// are reported whenever they come.
const errors = [];
for (const method of ["debug", "log", "info", "warn", "error"]) {
  const keep = exported[`__wbgtest_console_${method}`];
  console[method] = (...words) => {
    if (method === "error") errors.push(words.join(" "));
    keep(words);
  };
}
globalThis.__wbg_test_invoke = (step) => step();

// Where the context writes; it finds the element once, and the page that is tested need not have
// it.
const output = document.createElement("pre");
output.id = "output";
document.body.append(output);

let passed = false;
try {
  const wasm = await init({ module_or_path: module });
  const context = new Context(false);
  output.remove();
  passed = await context.run([wasm[test]]);
  // What the test's last step has set going for the next frame may fail, too.
  await new Promise((drawn) => (document.hidden ? setTimeout(drawn) : requestAnimationFrame(() => setTimeout(drawn))));
} catch (error) {
  faults.push(error.stack ?? String(error));
}
if (faults.length > 0) {
  passed = false;
  output.append("\nWhat went wrong outside of the test:\n", [...errors, ...faults].join("\n"));
}
// Frames in the module say little that a panic does not, at great length.
const lines = output.textContent.split("\n").filter((line) => !line.includes(`${location.origin}/`));
ended({ passed, said: lines.join("\n") });
