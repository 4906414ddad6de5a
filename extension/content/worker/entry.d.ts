// What the function is given that `worker_hook.js` is.

/** The secret name of the channel to the bridge. */
declare const channelName: string;

/**
 * Whether the worker has run already, and its origin has no storage bucket but the default one:
 * what it has opened is that one's.
 */
declare const isOldInDefault: boolean | undefined;
