/** The wait of `bl get` for a value, or for the values of several replicas. */
import { bytesOfText } from "../../text/surrogateEscape.js";
import type { BlReply, BlRequest } from "../../machines/coordination/blRequest.js";
import type { AttributeValue } from "../attributes/attributes.js";
import type { RunContext } from "../run/context.js";
import { BL_EXIT, done, refusal } from "./replies.js";
import type { ResolvedName, ValueSource } from "./resolveName.js";
import type { Progress } from "./progress.js";
import type { Wait } from "./waitQueue.js";

type Sources = ResolvedName & { kind: "sources" };

export interface ValueWaitParts {
  readonly context: RunContext;
  readonly progress: Pick<Progress, "endReason">;
  /** The service whose program asks. */
  readonly service: string;
  readonly meaning: Exclude<ResolvedName, { kind: "unknown" }>;
  readonly request: BlRequest;
  readonly gone: AbortSignal;
}

/** The key that wakes the waits for an attribute of a replica. */
export function keyOf({ id, service, attribute }: ValueSource): string {
  return `${id ?? service} ${attribute}`;
}

/** The replica's current name. */
function nameOf({ byId }: RunContext, { id, service }: ValueSource): string {
  return (id === null ? undefined : byId.get(id)?.name) ?? service;
}

export function getWait({ context, progress, service, meaning, request, gone }: ValueWaitParts): Wait {
  const sources = meaning.kind === "sources" ? meaning.sources : [];
  const unset = (): ValueSource[] => sources.filter((source) => valueOf(context, source) === null);
  return {
    service,
    what: meaning.kind === "sources" ? meaning.what : request.name,
    keys: sources.map(keyOf),
    check: () => {
      const json = request.json === true;
      return meaning.kind === "value"
        ? done(bytesOfText(json ? JSON.stringify(meaning.value) : meaning.value))
        : checkValues(context, progress, { ...meaning, json: json || meaning.json });
    },
    dependencies: () =>
      unset().map((source) => ({ to: nameOf(context, source), why: `${nameOf(context, source)}.${source.attribute}` })),
    timeoutDetail: () => {
      const names = unset().map((source) => nameOf(context, source));
      const silent = names.flatMap((name) => context.outages.wordsFor(name) ?? []);
      return [stillUnset(names, sources.length), ...silent].filter((words) => words !== "").join("; ");
    },
    timeoutMs: request.timeoutMs,
    ignoreAbort: request.ignoreAbort,
    gone,
  };
}

/** The value, or a refusal if it cannot be set any more, or null if it can. */
function checkValues(
  context: RunContext,
  progress: Pick<Progress, "endReason">,
  { sources, all, json }: Sources,
): BlReply | null {
  const [first] = sources;
  if (sources.length === 1 && first !== undefined && !json) {
    const bytes = bytesOf(context, first);
    if (bytes !== null) return done(bytes);
  }
  const values = sources.map((source) => valueOf(context, source));
  if (values.every((value) => value !== null)) return done(bytesOfText(json ? asJson(values, all) : values.join(",")));
  for (const [index, source] of sources.entries()) {
    const over = values[index] === null ? progress.endReason(nameOf(context, source)) : null;
    if (over !== null) return refusal(BL_EXIT.notSet, `${over}, and has set no "${source.attribute}"`);
  }
  return null;
}

/** A list of all replicas, or the one value. */
function asJson(values: readonly string[], all: boolean): string {
  return JSON.stringify(all ? values : values[0]);
}

/** A value from this boot; values from an earlier one are stale. */
function fresh(context: RunContext, source: ValueSource): AttributeValue | null {
  const found = context.attributes.of(nameOf(context, source)).get(source.attribute);
  return found === undefined || found.stale === true ? null : found;
}

function valueOf(context: RunContext, source: ValueSource): string | null {
  return fresh(context, source)?.value ?? null;
}

/** Caches a value's bytes, so that two hundred programs that wait for a 16 MiB value share one buffer. */
const cachedBytes = new WeakMap<AttributeValue, Buffer>();

function bytesOf(context: RunContext, source: ValueSource): Buffer | null {
  const found = fresh(context, source);
  if (found === null) return null;
  const bytes = cachedBytes.get(found) ?? bytesOfText(found.value);
  cachedBytes.set(found, bytes);
  return bytes;
}

/** How many services are named at most. */
const MOST_NAMED = 5;

function stillUnset(unset: readonly string[], all: number): string {
  if (all < 2) return "";
  const names = unset.slice(0, MOST_NAMED).join(", ");
  return `${unset.length} of ${all} have not set it: ${names}${unset.length > MOST_NAMED ? ", …" : ""}`;
}
