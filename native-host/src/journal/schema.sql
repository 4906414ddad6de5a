-- The tables of a journal. Their format's number is `FORMAT` in schema.rs.
--
-- Times are milliseconds since the epoch. A stamp (conflict/stamp.rs) is who wrote last, and the
-- span of time that encloses the moment: a context (negative: it read; 0: several), `began` and `at`.

CREATE TABLE meta (                         -- one row
    profile TEXT NOT NULL,
    browser TEXT NOT NULL,
    base INTEGER NOT NULL                   -- events have higher numbers; grows with what is removed or renumbered
) STRICT;

CREATE TABLE identity (                     -- one row
    made INTEGER NOT NULL                   -- when this journal was; tells it from an earlier one of the profile
) STRICT;

CREATE TABLE rules (                        -- at most one row: the redaction rules that hold (rules.rs)
    fingerprint TEXT NOT NULL,
    generation INTEGER NOT NULL             -- values have generation 0 until rules are first named
) STRICT;

CREATE TABLE usage (                        -- one row: what the events take (retention/limits.rs)
    bytes INTEGER NOT NULL,                 -- of all events' rows, texts and keys
    stripped INTEGER NOT NULL,              -- how many events have lost their text, since the beginning
    backfill_pending INTEGER NOT NULL       -- how many rows are still to be backfilled
) STRICT;

-- Documents.
CREATE TABLE context (
    id INTEGER PRIMARY KEY,                 -- 0 is never used
    name TEXT NOT NULL UNIQUE,
    origin TEXT NOT NULL,
    last_sequence INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

CREATE TABLE store (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    bucket TEXT NOT NULL,
    database TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,               -- of the database; 0: it was deleted
    -- One more than the losses of its origin: the mirror has every record, so a key without a row is
    -- absent, unless the store has an unseen writer. Every start of a host clears it, every loss
    -- ends it.
    complete INTEGER NOT NULL DEFAULT 0,
    -- 1: single records are to be read again (conflict/requery.rs); 2: all of it is
    -- (conflict/resync.rs). A read that began before the time of each does not end it.
    pending_reads INTEGER NOT NULL DEFAULT 0,
    records_pending_since INTEGER NOT NULL DEFAULT 0,
    resync_pending_since INTEGER NOT NULL DEFAULT 0,
    -- Whether a value before is known: see write/before.rs.
    lapsed_at INTEGER NOT NULL DEFAULT 0,
    unseen_writer_at INTEGER NOT NULL DEFAULT 0,
    -- Not 0: a store list lacks it, and no event after this number is about it (retention/forget.rs).
    gone INTEGER NOT NULL DEFAULT 0,
    -- The stamp of the last clear or range delete.
    range_deleted_by INTEGER NOT NULL DEFAULT 0,
    range_deleted_began INTEGER NOT NULL DEFAULT 0,
    range_deleted_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (origin, bucket, database, name)
) STRICT;

-- Origins that have lost something: what was known of their stores until then is not certain.
CREATE TABLE loss (
    origin TEXT PRIMARY KEY,
    number INTEGER NOT NULL,                -- how often
    lapsed_at INTEGER NOT NULL              -- the last time was before this one
) STRICT, WITHOUT ROWID;

-- The mirror.
CREATE TABLE record (
    store INTEGER NOT NULL,
    key BLOB NOT NULL,                      -- protocol::key's ordered bytes
    value TEXT,                             -- typed JSON; null: a tombstone
    context INTEGER NOT NULL,               -- its stamp
    began INTEGER NOT NULL,
    at INTEGER NOT NULL,
    redaction INTEGER NOT NULL DEFAULT 0,   -- the generation of the rules that made the value
    PRIMARY KEY (store, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone ON record (at) WHERE value IS NULL;

CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    store INTEGER NOT NULL REFERENCES store (id),
    state INTEGER NOT NULL,                 -- of its text (row_state.rs)
    key BLOB,                               -- null for a truncate
    event TEXT NOT NULL                     -- empty if it was stripped
) STRICT;
CREATE INDEX backfill_pending ON journal (number) WHERE state IN (2, 4);

-- Whole-store reads (conflict/read_mark.rs).
CREATE TABLE read_mark (
    store INTEGER NOT NULL,
    context INTEGER NOT NULL,               -- 0: several
    at INTEGER NOT NULL,                    -- when its last stretch was read
    until BLOB NOT NULL,                    -- the keys before this one were seen
    PRIMARY KEY (store, context)
) STRICT, WITHOUT ROWID;

-- The stamp of the last store list of an origin.
CREATE TABLE store_list (
    origin TEXT PRIMARY KEY,
    context INTEGER NOT NULL,
    began INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Store lists that leave nothing of an origin, not confirmed yet (write/emptied.rs).
CREATE TABLE emptied (
    origin TEXT NOT NULL,
    bucket TEXT NOT NULL,                   -- of the list
    context INTEGER NOT NULL,               -- the one that read it, and when
    read_at INTEGER NOT NULL,
    PRIMARY KEY (origin, bucket)
) STRICT, WITHOUT ROWID;

-- Origins that lost something in a store that is not known (conflict/resync.rs).
CREATE TABLE resync (
    origin TEXT PRIMARY KEY,
    since INTEGER NOT NULL                  -- a read that began earlier does not end it
) STRICT, WITHOUT ROWID;

CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    enabled INTEGER NOT NULL,
    number INTEGER NOT NULL,                -- the last event that it has passed on
    state TEXT NOT NULL,
    error TEXT,
    fix TEXT,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last problem of each sink.
CREATE TABLE failed (
    sink TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    error TEXT NOT NULL,
    fix TEXT NOT NULL,
    at INTEGER NOT NULL,
    over_at INTEGER                         -- null: not resolved
) STRICT, WITHOUT ROWID;

-- How often a sink has failed since it last came further.
CREATE TABLE attempt (
    sink TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sinks whose host ended with every request answered.
CREATE TABLE ended (
    sink TEXT PRIMARY KEY,
    starts INTEGER NOT NULL                 -- how often a host has started since
) STRICT, WITHOUT ROWID;

-- What tells this journal from a copy of it (tokens.rs).
CREATE TABLE token (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE delivery (
    stage TEXT NOT NULL,                    -- 'journal' or a sink's name
    last INTEGER NOT NULL,                  -- events up to this one ...
    at INTEGER NOT NULL,                    -- ... passed the stage at this time
    PRIMARY KEY (stage, last)
) STRICT, WITHOUT ROWID;

CREATE TABLE notice (
    stage TEXT NOT NULL,
    number INTEGER NOT NULL,                -- the event
    text TEXT NOT NULL,
    PRIMARY KEY (stage, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_number ON notice (number);

-- Workers that are not observed (workers.rs).
CREATE TABLE worker (
    origin TEXT NOT NULL,
    url TEXT NOT NULL,                      -- of its script
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (origin, url)
) STRICT, WITHOUT ROWID;
