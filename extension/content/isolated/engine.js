// Which engine the document is in. For what no feature tells.

export const isFirefox = chrome.runtime.getURL("").startsWith("moz-extension:");
