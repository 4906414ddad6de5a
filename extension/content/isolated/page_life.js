// The document's comings and goings: it may go away, freeze, go into the back/forward cache and
// come back; it may be hidden and shown.

import { INTERRUPTION } from "../shared/timing.js";
import { isHidden, listenTo } from "../shared/unnamed.js";
import { isFirefox } from "./engine.js";

/** Whether Firefox has ended the listener that waits for it. */
let wasInterrupted = false;

function wait() {
  wasInterrupted = true;
  for (const end = performance.now() + INTERRUPTION; performance.now() < end;);
  wasInterrupted = false;
}

/**
 * Firefox alone interrupts the scripts of a page that it is about to close, and ends the one that
 * runs then, or else the next one: what the page saves as it leaves would be lost, for the hook's
 * loops are where it looks. So a listener of ours waits for it. A second interruption may follow a
 * first.
 */
const beInterrupted = (/** @type {Event} */ event) => {
  if (isFirefox && event.isTrusted && (event.type === "pagehide" || isHidden(document))) wait();
};
const beInterruptedAgain = () => {
  if (wasInterrupted) wait();
};

/**
 * @param {(mayComeBack: boolean) => void} leave
 * @param {() => void} comeBack
 * @param {() => void} changeSight
 */
export function watchPageLife(leave, comeBack, changeSight) {
  /** @param {Event | PageTransitionEvent} event */
  const handle = (event) => {
    if (!event.isTrusted) return;
    if (event.type === "pagehide") leave(/** @type {PageTransitionEvent} */ (event).persisted);
    else if (event.type === "freeze") leave(true);
    else if (event.type === "visibilitychange") changeSight();
    else comeBack();
  };
  const again = [1, 2].map(() => (/** @type {Event} */ event) => handle(event));
  // `document.open()` removes the window's listeners. Listening twice changes nothing.
  const listen = () => {
    for (const name of ["pagehide", "visibilitychange"]) {
      listenTo(window, name, beInterrupted, { capture: true });
      listenTo(window, name, beInterruptedAgain, { capture: true });
    }
    for (const name of ["pagehide", "pageshow", "freeze", "resume", "visibilitychange"]) {
      listenTo(window, name, handle, { capture: true });
    }
    // To go on where the first one was ended.
    for (const handleAgain of again) listenTo(window, "pagehide", handleAgain, { capture: true });
  };
  listen();
  // It also removes the document's children.
  new MutationObserver(listen).observe(document, { childList: true });
}
