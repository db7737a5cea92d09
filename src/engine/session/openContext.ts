/** Opens and closes a command's context for a run. */
import { setMaxListeners } from "node:events";

import type { RunEvent } from "../../model/events.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { SecretReading, Store } from "../../state/contract/store.js";
import type { RunWriter } from "../../state/contract/writer.js";
import { RunAbort } from "../run/abort.js";
import { sayAsAsked, setOutputAsAsked } from "../run/outputRequests.js";
import { RunRequests } from "../run/requests.js";
import { standAside as letGo } from "../run/standAside.js";
import type { RunContext } from "../run/context.js";
import { FollowingContext } from "./followingContext.js";
import { readRun } from "./runView.js";
import { Session } from "./session.js";

export interface ContextParts {
  readonly run: Pick<RunRecord, "id" | "uid" | "name">;
  readonly store: Store;
  /** Null for a read-only command. */
  readonly writer: RunWriter | null;
  /** Aborted when the operator stops the command. */
  readonly stop: AbortSignal;
  /** Stops the command because another command requested the run. A read-only command needs none. */
  readonly standAside?: () => void;
  /** See `RunContext.cleanupExpired`. Default: null. */
  readonly over?: AbortSignal | null;
  readonly observe: (event: RunEvent) => void;
  /** "optional" if no program that needs them will run. Default: "needed". */
  readonly secrets?: SecretReading;
  /**
   * The source of connections and drivers. Its owner closes it after the context. Default: a new session, closed with
   * the context.
   */
  readonly session?: Session;
}

/**
 * Reads a run from the database. Connects to nothing yet.
 * @throws StateError when the record cannot be read.
 */
export async function openContext(parts: ContextParts): Promise<RunContext> {
  const { run, store, writer, stop, standAside = () => undefined, secrets, over = null, observe } = parts;
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
  let open: (context: RunContext) => void = () => undefined;
  const opened = new Promise<RunContext>((resolve) => {
    open = resolve;
  });
  const requests = await RunRequests.open({
    store,
    run,
    writer,
    handlers: {
      abort: (request) => abort.requested(request),
      "stand-aside": (request) => letGo(request, store.clock.now(), standAside),
      "set-output": async (request) => setOutputAsAsked(await opened, request),
      say: async (request) => sayAsAsked(await opened, request),
    },
    redact: (event) => redactor.redactData(event),
    tell: emit,
  });
  const context = new FollowingContext(
    source,
    { run, store, writer, stop, cleanupExpired: over, emit, abort, requests, session },
    recorded,
  );
  open(context);
  return context;
}

/** Releases connections and drivers. A default session keeps none of them. */
export async function closeContext(context: RunContext): Promise<void> {
  context.requests.close();
  await context.links.close();
  await context.clouds.close(context.stop);
}
