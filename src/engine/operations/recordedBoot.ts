/** Reads from the record how booting and executing a run ended, for a command that finishes the run. */
import type { RunState, ServiceFailure } from "../../model/events.js";
import type { EventRecord, RunRecord } from "../../state/contract/records.js";
import type { RunKey, Store } from "../../state/contract/store.js";
import type { BootResult } from "./boot.js";

/** Whether the run was started by `bootlevel run`, which also ends it. */
export async function wasBegunToEnd(store: Store, run: RunKey): Promise<boolean> {
  return (await store.events(run)).find(({ type }) => type === "run-started")?.data["verb"] === "run";
}

/** The result of the last command that brought the run up. If it died, the run has failed. */
export async function recordedBoot(store: Store, run: RunRecord): Promise<BootResult> {
  const events = await store.events(run);
  const start = events.findLastIndex(({ type, data }) => type === "run-started" && data["verb"] !== "terminate");
  const rest = events.slice(start + 1);
  const down = rest.findIndex(({ type }) => type === "run-started");
  const own = down === -1 ? rest : rest.slice(0, down);
  const finished = own.find(({ type }) => type === "run-finished");
  const end = finished ?? own.at(-1);
  const startedAt = events[start]?.at ?? run.createdAt;
  return {
    run: run.name,
    state: (finished?.data["state"] as RunState | undefined) ?? "failed",
    failures: own.flatMap(failureOf),
    cloudUnreachable: false,
    aborted: run.abort,
    unused: [],
    ms: (end?.at ?? startedAt) - startedAt,
  };
}

function failureOf({ type, data }: EventRecord): ServiceFailure[] {
  return type === "service-failed" ? [data["failure"] as ServiceFailure] : [];
}
