/** The database's shape, as numbered steps. A step that was published is never edited: a change is a new step. */

const first = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  plan_name TEXT NOT NULL,
  plan_file TEXT NOT NULL,
  plan TEXT NOT NULL,
  bundles TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
-- A name may be used again once its run is terminated; the old run keeps its number.
CREATE UNIQUE INDEX runs_live_name ON runs(name) WHERE state <> 'terminated';
CREATE INDEX runs_name ON runs(name, id);

CREATE TABLE variables (
  run_id INTEGER NOT NULL REFERENCES runs(id),
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  secret INTEGER NOT NULL,
  value TEXT,
  sealed BLOB,
  PRIMARY KEY (run_id, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE services (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  level INTEGER NOT NULL,
  spec TEXT NOT NULL,
  name TEXT NOT NULL,
  replica INTEGER NOT NULL,
  state TEXT NOT NULL,
  failure TEXT,
  generation INTEGER NOT NULL,
  booted INTEGER NOT NULL DEFAULT 0,
  updated_at INTEGER NOT NULL,
  UNIQUE (run_id, name)
) STRICT;

CREATE TABLE machines (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  service_id INTEGER NOT NULL REFERENCES services(id),
  cloud TEXT NOT NULL,
  key TEXT NOT NULL UNIQUE,
  generation INTEGER NOT NULL,
  state TEXT NOT NULL,
  driver_id TEXT,
  host TEXT,
  private_host TEXT,
  hostname TEXT,
  access TEXT,
  requested_at INTEGER NOT NULL,
  launched_at INTEGER,
  ended_at INTEGER,
  end_reason TEXT
) STRICT;
CREATE INDEX machines_run ON machines(run_id);
CREATE INDEX machines_service ON machines(service_id);

CREATE TABLE attributes (
  service_id INTEGER NOT NULL REFERENCES services(id),
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  secret INTEGER NOT NULL,
  value TEXT,
  sealed BLOB,
  PRIMARY KEY (service_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE steps (
  id INTEGER PRIMARY KEY,
  service_id INTEGER NOT NULL REFERENCES services(id),
  step TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  directory TEXT,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT,
  exit_code INTEGER
) STRICT;
CREATE INDEX steps_service ON steps(service_id);

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  at INTEGER NOT NULL,
  type TEXT NOT NULL,
  service TEXT,
  data TEXT NOT NULL
) STRICT;
CREATE INDEX events_run ON events(run_id, id);
CREATE TRIGGER events_are_final BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

CREATE TABLE host_keys (
  scope TEXT NOT NULL,
  address TEXT NOT NULL,
  key TEXT NOT NULL,
  pinned_at INTEGER NOT NULL,
  PRIMARY KEY (scope, address, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  run_id INTEGER PRIMARY KEY REFERENCES runs(id),
  fence INTEGER NOT NULL,
  holder TEXT,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  process_start TEXT NOT NULL,
  command TEXT NOT NULL,
  since INTEGER NOT NULL,
  renewed_at INTEGER NOT NULL
) STRICT;
`;

/**
 * Runs that change while they live: every plan that a run ever followed is kept, in a table of its own (its size would
 * slow the listing of runs), and a service remembers what is still to be done again for it.
 */
const second = `
CREATE TABLE plans (
  run_id INTEGER NOT NULL REFERENCES runs(id),
  revision INTEGER NOT NULL,
  plan TEXT NOT NULL,
  bundles TEXT NOT NULL,
  stored_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, revision)
) STRICT;
INSERT INTO plans SELECT id, 1, plan, bundles, created_at FROM runs;
ALTER TABLE runs DROP COLUMN plan;
ALTER TABLE runs DROP COLUMN bundles;
-- Whether the run is meant to be up or down: a terminate that failed half-way must not be taken for a boot that did.
ALTER TABLE runs ADD COLUMN goal TEXT NOT NULL DEFAULT 'up';
UPDATE runs SET goal = 'down' WHERE state IN ('terminating', 'terminated') OR id IN (SELECT run_id FROM services WHERE state IN ('terminating', 'terminated'));

-- A machine's generation is in its own row.
ALTER TABLE services DROP COLUMN generation;
-- The revision of the plan that describes the service.
ALTER TABLE services ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
-- The stage from which its story is to be told again ('discard', 'replace', 'boot', 'verify', 'remove'), and why; null when there is nothing to do again.
ALTER TABLE services ADD COLUMN due TEXT;
ALTER TABLE services ADD COLUMN due_reason TEXT;
-- No plan has it any more, and its machine is gone: only its history is left.
ALTER TABLE services ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;

CREATE INDEX machines_live ON machines(run_id) WHERE state <> 'ended';

-- The machine that the step was for: what an earlier machine ran says nothing about this one.
ALTER TABLE steps ADD COLUMN machine_key TEXT;

-- On one computer silence is measured by a clock that nobody sets.
ALTER TABLE leases ADD COLUMN uptime_id TEXT NOT NULL DEFAULT '';
ALTER TABLE leases ADD COLUMN renewed_uptime INTEGER NOT NULL DEFAULT 0;
`;

/** The first contact with machines that were given keys when they were launched. */
const third = `
-- How far the first contact with a machine came; it is named as its driver names it for ever.
CREATE TABLE contacts (
  machine TEXT NOT NULL,
  stage TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (machine, stage)
) STRICT, WITHOUT ROWID;

-- The key that bootlevel has made for a run where the launcher had none; its private half is encrypted. It goes when the run is terminated.
CREATE TABLE run_keys (
  run_id INTEGER PRIMARY KEY REFERENCES runs(id),
  public TEXT NOT NULL,
  sealed BLOB NOT NULL,
  made_at INTEGER NOT NULL
) STRICT;

-- Whom the machine was told to let in, as JSON: a launch that is asked for again must ask for the same.
ALTER TABLE machines ADD COLUMN authorized TEXT;
`;

/** Services that talk while they start. */
const fourth = `
-- An output of an earlier boot of the service: who waits for it waits for the one of this boot.
ALTER TABLE attributes ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;
-- How the value is written: NULL as it is, 'base64' for bytes that are no UTF-8.
ALTER TABLE attributes ADD COLUMN encoding TEXT;
-- Why and by whom the run was aborted, as JSON; NULL while it is not. The first reason stays.
ALTER TABLE runs ADD COLUMN abort TEXT;
-- What the service's programs said last.
ALTER TABLE services ADD COLUMN said TEXT;
`;

/** Images that were built of machines, and steps that make them. */
const fifth = `
CREATE TABLE built_images (
  id INTEGER PRIMARY KEY,
  image TEXT NOT NULL,
  cloud TEXT NOT NULL,
  driver TEXT NOT NULL,
  -- Where the cloud is, hashed: an image of one region is none in another.
  place TEXT NOT NULL,
  -- What makes it, hashed.
  definition TEXT NOT NULL,
  version INTEGER NOT NULL,
  -- What the cloud calls it: the same for each time that it is asked for.
  name TEXT NOT NULL UNIQUE,
  plan_file TEXT NOT NULL,
  -- The name of the run that it was made in.
  run TEXT NOT NULL,
  driver_id TEXT,
  -- 'building', 'available', 'failed' or 'deleted'.
  state TEXT NOT NULL,
  reason TEXT,
  requested_at INTEGER NOT NULL,
  available_at INTEGER,
  deleted_at INTEGER,
  UNIQUE (image, cloud, version)
) STRICT;

-- What a setup step makes of its machine, hashed: one that has it is not set up again.
ALTER TABLE steps ADD COLUMN content TEXT;
`;

/** SQL of each step; the step's number is its place, from 1. */
export const migrations: readonly string[] = [first, second, third, fourth, fifth];
