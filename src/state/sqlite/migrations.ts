/**
 * The database's schema as numbered steps. A released step is never edited: a change is a new step at the end. Until
 * the first release, the first step may still change.
 */

const first = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  plan_name TEXT NOT NULL,
  plan_file TEXT NOT NULL,
  state TEXT NOT NULL,
  -- 'up' or 'down', as the run is meant to be: a terminate that failed half-way must not be taken for a boot that did.
  goal TEXT NOT NULL DEFAULT 'up',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
-- A name may be used again once its run is terminated; the old run keeps its number.
CREATE UNIQUE INDEX runs_live_name ON runs(name) WHERE state <> 'terminated';
CREATE INDEX runs_name ON runs(name, id);
-- Years of ended runs must not slow a list of the live ones.
CREATE INDEX runs_live ON runs(id) WHERE state <> 'terminated';

-- Every plan that a run ever followed; a table of its own, since their size would slow the listing of runs.
CREATE TABLE plans (
  run_id INTEGER NOT NULL REFERENCES runs(id),
  revision INTEGER NOT NULL,
  plan TEXT NOT NULL,
  bundles TEXT NOT NULL,
  stored_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, revision)
) STRICT;

CREATE TABLE variables (
  run_id INTEGER NOT NULL REFERENCES runs(id),
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  secret INTEGER NOT NULL,
  value TEXT,
  sealed BLOB,
  -- The plan's default: a changed plan may have another one.
  is_default INTEGER NOT NULL DEFAULT 0,
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
  -- The revision of the plan that describes the service.
  revision INTEGER NOT NULL DEFAULT 1,
  -- The stage from which it is to be brought up again ('discard', 'replace', 'boot', 'verify', 'execute', 'remove'), and
  -- why; null when there is nothing to do again.
  due TEXT,
  due_reason TEXT,
  booted INTEGER NOT NULL DEFAULT 0,
  -- No plan has it any more, and its machine is gone: only its history is left.
  removed INTEGER NOT NULL DEFAULT 0,
  -- What the service's programs said last.
  said TEXT,
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
  -- Whom the machine was told to let in, as JSON: a launch that is asked for again must ask for the same.
  authorized TEXT,
  requested_at INTEGER NOT NULL,
  launched_at INTEGER,
  -- When a launcher was first connected to it: from then on it is known to have booted.
  met_at INTEGER,
  ended_at INTEGER,
  end_reason TEXT
) STRICT;
CREATE INDEX machines_run ON machines(run_id);
CREATE INDEX machines_service ON machines(service_id);
CREATE INDEX machines_live ON machines(run_id) WHERE state <> 'ended';

CREATE TABLE attributes (
  service_id INTEGER NOT NULL REFERENCES services(id),
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  secret INTEGER NOT NULL,
  value TEXT,
  sealed BLOB,
  -- An output of an earlier boot of the service: who waits for it waits for the one of this boot.
  stale INTEGER NOT NULL DEFAULT 0,
  -- The step whose program set an output; NULL for other attributes, and for outputs that no program set.
  step TEXT,
  -- How the value is written: NULL as it is, 'base64' for bytes that are no UTF-8.
  encoding TEXT,
  PRIMARY KEY (service_id, name)
) STRICT, WITHOUT ROWID;

-- Secret values that the run had before; encrypted. A value is recognised by its keyed hash.
CREATE TABLE former_secrets (
  run_id INTEGER NOT NULL REFERENCES runs(id),
  fingerprint TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (run_id, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE steps (
  id INTEGER PRIMARY KEY,
  service_id INTEGER NOT NULL REFERENCES services(id),
  step TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  -- The machine that the step was for: what an earlier machine ran says nothing about this one.
  machine_key TEXT,
  directory TEXT,
  -- What a setup step makes of its machine, hashed: one that has it is not set up again.
  content TEXT,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT,
  exit_code INTEGER
) STRICT;
CREATE INDEX steps_service ON steps(service_id);

-- Requests of running programs (bl) that were handled: one that comes again is not handled again.
CREATE TABLE answered_requests (
  run_id INTEGER NOT NULL REFERENCES runs(id),
  program TEXT NOT NULL,
  request TEXT NOT NULL,
  PRIMARY KEY (run_id, program, request)
) STRICT, WITHOUT ROWID;

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

-- How far the first connection to a machine came; it is named as its driver names it for ever.
CREATE TABLE contacts (
  machine TEXT NOT NULL,
  stage TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (machine, stage)
) STRICT, WITHOUT ROWID;

-- The key that bootlevel has made for a run where the launcher had none; its private half is encrypted. It goes when
-- the run is terminated.
CREATE TABLE run_keys (
  run_id INTEGER PRIMARY KEY REFERENCES runs(id),
  public TEXT NOT NULL,
  sealed BLOB NOT NULL,
  made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE leases (
  run_id INTEGER PRIMARY KEY REFERENCES runs(id),
  -- Grows with each holder, and never starts again: a write that carries an earlier one is refused.
  fence INTEGER NOT NULL,
  holder TEXT,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  process_start TEXT NOT NULL,
  -- Where the pid means the same: the boot of the computer, and the PID namespace. '' if unknown.
  pid_space TEXT NOT NULL,
  command TEXT NOT NULL,
  since INTEGER NOT NULL,
  renewed_at INTEGER NOT NULL,
  -- On one computer silence is measured by a clock that nobody sets.
  uptime_id TEXT NOT NULL,
  renewed_uptime INTEGER NOT NULL
) STRICT;

-- What is asked of whoever works on a run.
CREATE TABLE requests (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES runs(id),
  kind TEXT NOT NULL,
  data TEXT NOT NULL,
  origin TEXT NOT NULL,
  at INTEGER NOT NULL,
  -- What is handed over with it, encrypted. It goes with the answer.
  sealed BLOB,
  -- The holder that it is for; NULL: every holder.
  fence INTEGER,
  answered_at INTEGER,
  answer TEXT,
  withdrawn_at INTEGER
) STRICT;
CREATE INDEX requests_open ON requests(run_id) WHERE answered_at IS NULL AND withdrawn_at IS NULL;
-- A run is aborted once, until that is taken back: the first reason stays.
CREATE UNIQUE INDEX requests_abort ON requests(run_id) WHERE kind = 'abort' AND withdrawn_at IS NULL;

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
`;

/**
 * The highest `user_version` of databases from before the first release (1 to this number). They cannot be read any
 * more.
 */
export const UNRELEASED = 7;

/** The SQL of each step. It migrates from `user_version` `UNRELEASED` plus its index to the next version. */
export const migrations: readonly string[] = [first];
