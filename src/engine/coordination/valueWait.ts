/** The wait of `bl get` for a value, or for one of each of several replicas. */
import { bytesOfText } from "../../text/surrogateEscape.js";
import type { BlReply, BlRequest } from "../../machines/coordination/blRequest.js";
import type { AttributeValue } from "../attributes/attributes.js";
import type { RunContext } from "../run/context.js";
import { BL_EXIT, done, refusal } from "./answers.js";
import type { Meaning, ValueSource } from "./names.js";
import type { Progress } from "./progress.js";
import type { Wait } from "./waits.js";

export interface ValueWaitParts {
  readonly context: RunContext;
  readonly progress: Progress;
  /** Whose program asks. */
  readonly service: string;
  readonly meaning: Exclude<Meaning, { kind: "unknown" }>;
  readonly request: BlRequest;
  readonly gone: AbortSignal;
}

/** What wakes those who wait for an attribute of a replica. */
export function keyOf({ id, service, attribute }: ValueSource): string {
  return `${id ?? service} ${attribute}`;
}

/** The name that the replica has by now. */
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
    look: () => (meaning.kind === "value" ? done(bytesOfText(meaning.value)) : lookAt(context, progress, sources)),
    on: () =>
      unset().map((source) => ({ to: nameOf(context, source), why: `${nameOf(context, source)}.${source.attribute}` })),
    late: () =>
      stillUnset(
        unset().map((source) => nameOf(context, source)),
        sources.length,
      ),
    timeoutMs: request.timeoutMs,
    ignoreAbort: request.ignoreAbort,
    gone,
  };
}

/** The value; or that it does not come any more; or null: it may come. */
function lookAt(context: RunContext, progress: Progress, sources: readonly ValueSource[]): BlReply | null {
  const [first] = sources;
  if (sources.length === 1 && first !== undefined) {
    const bytes = bytesOf(context, first);
    if (bytes !== null) return done(bytes);
  }
  const values = sources.map((source) => valueOf(context, source));
  if (values.every((value) => value !== null)) return done(bytesOfText(values.join(",")));
  for (const [index, source] of sources.entries()) {
    const over = values[index] === null ? progress.over(nameOf(context, source)) : null;
    if (over !== null) return refusal(BL_EXIT.notSet, `${over}, and has set no "${source.attribute}"`);
  }
  return null;
}

/** A value of this boot; what an earlier one has set does not count. */
function fresh(context: RunContext, source: ValueSource): AttributeValue | null {
  const found = context.attributes.of(nameOf(context, source)).get(source.attribute);
  return found === undefined || found.stale === true ? null : found;
}

function valueOf(context: RunContext, source: ValueSource): string | null {
  return fresh(context, source)?.value ?? null;
}

/** Bytes of values that were asked for: two hundred who wait for one of 16 MiB share it. */
const asked = new WeakMap<AttributeValue, Buffer>();

function bytesOf(context: RunContext, source: ValueSource): Buffer | null {
  const found = fresh(context, source);
  if (found === null) return null;
  const bytes = asked.get(found) ?? bytesOfText(found.value);
  asked.set(found, bytes);
  return bytes;
}

/** How many are named. */
const MOST_NAMED = 5;

function stillUnset(unset: readonly string[], all: number): string {
  if (all < 2) return "";
  const names = unset.slice(0, MOST_NAMED).join(", ");
  return `${unset.length} of ${all} have not set it: ${names}${unset.length > MOST_NAMED ? ", …" : ""}`;
}
