// Every duration that the page scripts wait for or measure against, in milliseconds.
//
// A lint refuses others (`xtask/src/lint/timers.rs`). Tests under Node let time pass themselves, so
// none of these is shortened for them.

// In the page.

/**
 * After how long a transaction is checked whose end was not seen: the page may have
 * stopped its events. Long enough that most have ended by themselves.
 */
export const LOOK_AFTER = 1000;

// The bridge and its port.

/** How long a busy page is waited for: some are never idle. */
export const LONGEST_IDLE = 500;

/** How long the page is left alone where it can't be known what it has to do. */
export const PAUSE = 10;

/** How long a page that is hooked late is said nothing of while its hook is on the way. */
export const HOOK_PATIENCE = 1000;

/**
 * The first pause before a port is opened again, and the longest: a background that has ended is
 * back at once, one that was updated or switched off is not.
 */
export const FIRST_DELAY = 100;
export const LAST_DELAY = 10_000;

/** How long small commits wait for others after the last ones left: about a frame. */
export const LONGEST_WAIT = 16;

/**
 * A commit that comes later than this after the one before, while nothing is on its way, never
 * waits: a page that writes now and then gains nothing by it.
 */
export const STREAM = 3;

/** How often a hook that writes is asked whether it still does. */
export const REST_CHECK = 50;

// Surveys and comparisons.

/** How long it may take until a survey can see what the page does. */
export const SURVEY_DELAY = 1000;

/** How much longer each pause is before a survey that databases were changed under begins again. */
export const SURVEY_AGAIN = 1000;

/** How long it may take until a comparison can see what the page does. */
export const COMPARE_DELAY = 1000;

/**
 * How much longer than a comparison took stores are left alone after it. A page that often opens a
 * transaction to write, and then writes nothing, is not worse off for it.
 */
export const REST = 100;

/** How long stores are left alone at most after a comparison, however long it took. */
export const LONGEST_REST = 600_000;

// Reading.

/** The first pause until a refused delivery is sent again, and the longest. */
export const FIRST_PAUSE = 250;
export const LAST_PAUSE = 8000;

/**
 * How long an `open` may take: it waits for upgrades of the page, and engines never finish some of
 * these.
 */
export const OPEN_PATIENCE = 3000;

/** How long a reading may wait for transactions of the page, which need never end. */
export const READING_PATIENCE = 5000;

/**
 * How long an `open` is waited for before the next one. The page's own wait behind ours, so there
 * is one at a time; those that never open cost one wait together.
 */
export const NEXT_OPEN = 100;

/** After how long of listing databases the document says that it goes on: it has not gone. */
export const SIGN = 1000;

/** For how long the page gets opens at once: less than a frame. */
export const OPENS_SLICE = 10;

/** How long a database that is listed is taken to be there. */
export const LISTED = 200;

/**
 * How long a stretch is read that is reported by its digest, and how long stretches wait for others
 * until the host is asked about them: a document that says nothing for long is taken to hang.
 */
export const STRETCH_TIME = 1000;
export const DIGESTS_TIME = 3000;

// The search for unseen writes (watch.js).

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

/** How long a page that is hidden waits for Firefox to interrupt its scripts. */
export const INTERRUPTION = 4;

/** How long a worker's channel stays open behind its last message, in milliseconds. */
export const CHANNEL_IDLE = 1000;

/** How often the bridge is asked again how far it is, by a worker that gives up commits. */
export const ASK_AGAIN = 1000;
