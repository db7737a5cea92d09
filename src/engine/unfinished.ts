/** Programs of which nobody has seen the end: their launcher died while they ran. */
import { recoverProgram } from "../machines/program/runProgram.js";
import type { StepRecord } from "../state/records.js";
import type { ProgramStep } from "./bundles.js";
import { warn } from "./journal.js";
import type { Placements } from "./placements.js";
import { hasMachine } from "./programs.js";
import type { RunContext, Service } from "./runContext.js";

/** Milliseconds between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;

export interface Unfinished {
  readonly step: ProgramStep;
  readonly directory: string;
}

/** By service number. */
export function unfinishedPrograms(steps: readonly StepRecord[]): Map<number, Unfinished[]> {
  const unfinished = new Map<number, Unfinished[]>();
  for (const { serviceId, step, directory, endedAt } of steps) {
    if (endedAt !== null || directory === null) continue;
    unfinished.set(serviceId, [...(unfinished.get(serviceId) ?? []), { step: step as ProgramStep, directory }]);
  }
  return unfinished;
}

/** Ends such programs of a service: nothing may run beside a terminate program, or on a host that is given back. */
export async function endUnfinished(context: RunContext, placements: Placements, service: Service, programs: readonly Unfinished[]): Promise<void> {
  if (programs.length === 0 || !hasMachine(placements, service)) return;
  const onWarning = (message: string) => context.tell({ at: Date.now(), type: "warning", service: service.name, message });
  for (const { step, directory } of programs) {
    const program = service.spec[step];
    if (program === null) continue;
    const end = await recoverProgram(placements.link(service, program), {
      directory, timeoutMs: GRACE_MS, graceMs: GRACE_MS, sudo: program.sudo, keep: true, onOutput: () => undefined, onWarning, signal: AbortSignal.abort(),
    });
    if (end.kind === "unknown") await warn(context, service, `its ${step} program of before may still run: ${end.reason}`);
  }
}
