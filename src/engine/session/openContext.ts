/** Opens and closes a command's context of a run. */
import { setMaxListeners } from "node:events";

import type { RunEvent } from "../../model/events.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { SecretReading } from "../../state/sqlite/runReader.js";
import type { RunWriter } from "../../state/sqlite/runWriter.js";
import type { Store } from "../../state/sqlite/store.js";
import { RunAbort } from "../run/abort.js";
import type { RunContext } from "../run/context.js";
import { FollowingContext } from "./followingContext.js";
import { readRun } from "./runView.js";
import { Session } from "./session.js";

export interface ContextParts {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly store: Store;
  /** Null for a command that only reads. */
  readonly writer: RunWriter | null;
  /** Aborted when the operator wants to stop. */
  readonly stop: AbortSignal;
  /** See `RunContext.cleanupExpired`. Default: null. */
  readonly over?: AbortSignal | null;
  readonly observe: (event: RunEvent) => void;
  /** "optional" where no program runs that would need them. Default: "needed". */
  readonly secrets?: SecretReading;
  /**
   * Where connections and drivers come from. Whoever made it closes it, after the context. Default: a session of the
   * context's own, in which nothing outlives the context.
   */
  readonly session?: Session;
}

/** Gathers what the database knows of a run. Nothing is connected or asked yet. */
export async function openContext(parts: ContextParts): Promise<RunContext> {
  const { run, store, writer, stop, secrets, over = null, observe } = parts;
  const { session = new Session({ idleMs: 0 }) } = parts;
  if (over !== null) setMaxListeners(0, over);
  const source = { store, run, secrets, holdsLease: writer !== null };
  const recorded = await readRun(source, null);
  const redactor = session.redactor(run);
  redactor.add(recorded.secrets);
  const emit = (event: RunEvent): void => {
    observe(redactor.redactData(event));
  };
  const abort = await RunAbort.open({ store, run, writer, tell: emit });
  return new FollowingContext(
    source,
    { run, store, writer, stop, cleanupExpired: over, emit, abort, session },
    recorded,
  );
}

/** Lets go of connections and drivers. A session of the context's own keeps none of them. */
export async function closeContext(context: RunContext): Promise<void> {
  context.abort.close();
  await context.links.close();
  await context.clouds.close(context.stop);
}
