// What the function is given that `worker_hook.js` is.

/** The secret name of the channel to the bridge. */
declare const channelName: string;
