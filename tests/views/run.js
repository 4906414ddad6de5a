// Runs what `#[wasm_bindgen_test]` has made of a crate's tests, each in a document of its own:
// `tests/src/views.rs` calls these two.

// How long a test may take, in milliseconds: its own waits end long before.
const PATIENCE = 60_000;

const modules = new Map();

function compiled(crate) {
  if (!modules.has(crate)) modules.set(crate, WebAssembly.compileStreaming(fetch(`${crate}/views_bg.wasm`)));
  return modules.get(crate);
}

// The names of a crate's tests, as the module exports them.
async function tests(crate) {
  const exported = WebAssembly.Module.exports(await compiled(crate));
  return exported.map(({ name }) => name).filter((name) => name.startsWith("__wbgt_"));
}

// Runs one of them: whether it passed, and what it said.
async function run(crate, test) {
  const module = await compiled(crate);
  const frame = document.createElement("iframe");
  const end = await new Promise((ended) => {
    frame.src = "frame.html";
    frame.job = { module, bindings: `./${crate}/views.js`, test, ended };
    document.body.replaceChildren(frame);
    setTimeout(() => ended({ passed: false, said: `It has not ended within ${PATIENCE / 1000} s.` }), PATIENCE);
  });
  frame.remove();
  return end;
}
