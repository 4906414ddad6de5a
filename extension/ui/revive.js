// Loads the extension again where Chromium has lost its background.
//
// A service worker that is ended in the milliseconds in which the browser registers it (behind an
// installation or an update) is registered no more. Then no event starts it, and no message of a
// page, until the browser starts again. Only a page of the extension can find that out.

if (chrome.runtime.getURL("").startsWith("chrome-extension:")) {
  const reviveIfLost = (/** @type {readonly ServiceWorkerRegistration[]} */ registrations) => {
    if (registrations.length === 0) chrome.runtime.reload();
  };
  // Where the browser does not say, nothing is known to be wrong.
  navigator.serviceWorker?.getRegistrations().then(reviveIfLost, () => {});
}
