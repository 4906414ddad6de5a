// Whether the page has workers, as far as it shows without touching the page: none is hooked.
//
// Not seen are workers of `blob:` and `data:` addresses, and shared ones.

/** What the address of a worker's script ends with, or has in it. */
const SCRIPT = /\.[cm]?[jt]s(\?|$)|worker/i;

/**
 * Calls back once for each sign of a worker.
 * @param {() => void} sawWorker
 */
export function watchWorkers(sawWorker) {
  watchScripts(sawWorker);
  void askForServiceWorkers(sawWorker);
}

/** @param {() => void} sawWorker */
function watchScripts(sawWorker) {
  try {
    // Engines do not tell a worker's script from other things that are not named, such as icons.
    const observer = new PerformanceObserver((list) => {
      const scripts = list
        .getEntriesByType("resource")
        .filter((entry) => /** @type {any} */ (entry).initiatorType === "other" && SCRIPT.test(entry.name));
      if (scripts.length > 0) sawWorker();
    });
    observer.observe({ type: "resource", buffered: true });
  } catch {
    // Without it workers are found by what they write.
  }
}

/** @param {() => void} sawWorker */
async function askForServiceWorkers(sawWorker) {
  try {
    // One that does not control this document may write as well.
    if ((await navigator.serviceWorker.getRegistrations()).length > 0) sawWorker();
  } catch {
    // Pages without TLS and sandboxed ones have none.
  }
}
