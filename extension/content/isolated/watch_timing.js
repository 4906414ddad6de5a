// Every duration of the search for unseen writes, in milliseconds, with its reason.

/**
 * How often the meter is read: while something moves, and at most while nothing does. An unseen
 * write is to be in Memcached within 2 s; a reading costs 0.3 ms, most of it in the browser's
 * process.
 */
export const BUSY_INTERVAL = 100;
export const IDLE_INTERVAL = 500;
/**
 * How long a movement waits for the commit that explains it. A document's own `complete` event
 * comes before the meter can be read (in Chromium: by up to a millisecond), unless its thread is
 * busy; another document's commit comes by way of its bridge and the background.
 */
export const OWN_PATIENCE = 100;
export const OTHERS_PATIENCE = 400;
/** How long the browser may go on removing the files of a database that the page has deleted. */
export const CLEANUP = 2000;

/** Until the first scheduled comparison, and what this grows to while nothing is found. */
export const FIRST_WAIT = 2000;
export const LAST_WAIT = 300_000;
/**
 * The shortest wait behind captured commits of an origin of which no worker is known. It grows
 * without an end: twice as long each time.
 */
export const UNSUSPECTED_WAIT = 64_000;
/** The shortest rest between two comparisons. */
export const SHORTEST_REST = 500;
/**
 * How long an origin is left alone after a comparison, as a multiple of what it took: if there is a
 * reason for the next one, and if it is only time for it. And at most.
 */
export const ALARM_REST = 10;
export const SCHEDULED_REST = 100;
export const REST_LIMIT = 600_000;
/** After so many times the wait behind movements that were none, they count as rare again. */
export const FORGIVING = 10;
