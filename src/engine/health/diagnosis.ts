/** From what is recorded of a service, and what was found when it was looked at, to what is to be done for it. */
import type { ServiceRecord } from "../../state/contract/records.js";
import type { Task } from "../tasks/agenda.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { ServiceFinding } from "./survey.js";
import type { Service } from "../run/service.js";

/** A task; or a service that is not well and for which nothing can be done from here; or null: all is well. */
export type Diagnosis = Task | { readonly blocked: string } | null;

export function isTask(diagnosis: Diagnosis): diagnosis is Task {
  return diagnosis !== null && "stage" in diagnosis;
}

/** Where the story of a service goes on that an earlier command did not finish; null when it is finished. */
export function unfinishedTask(assignments: MachineAssignments, service: Service, record: ServiceRecord): Task | null {
  const task = recordedTask(record);
  if (task === null || task.stage === "launch" || task.stage === "discard" || task.stage === "replace") return task;
  // Its machine is gone since then: nothing can be done on it.
  const needsMachine = service.spec.placement.kind === "cloud" && assignments.machine(service) === null;
  return needsMachine ? { ...task, stage: "launch" } : task;
}

function recordedTask({ state, due, failure }: ServiceRecord): Task | null {
  if (due !== null && due.stage !== "remove") return { stage: due.stage, reason: due.reason, resume: false };
  const resume = (stage: Task["stage"], reason: string): Task => ({ stage, reason, resume: true });
  switch (state) {
    case "ready":
      return null;
    case "planned":
      return resume("launch", "it was not started yet");
    case "launching":
    case "connecting":
      return resume("launch", `it was left while ${state}`);
    case "booting":
      return resume("boot", "it was left while booting");
    case "verifying":
      return resume("verify", "it was left while verifying");
    case "executing":
      return resume("execute", "it was left while executing");
    case "terminating":
    case "terminated":
      return resume("boot", `it was left ${state}`);
    case "failed":
      return failedTask(failure?.step ?? "launch", failure?.message ?? "");
  }
}

function failedTask(step: string, message: string): Task {
  const stage =
    step === "setup" || step === "boot" || step === "terminate" || step === "destroy"
      ? "boot"
      : step === "ready"
        ? "verify"
        : step === "execute"
          ? "execute"
          : "launch";
  return { stage, reason: `it failed in ${step}: ${message}`, resume: true };
}

/** What mends a service that is recorded as ready. */
export function repairTask(service: Service, finding: ServiceFinding): Diagnosis {
  const own = service.spec.placement.kind === "cloud";
  const { cause, message } = finding;
  switch (cause) {
    case null:
      return null;
    case "silent":
      return { blocked: message };
    case "refused":
      return { blocked: `its machine refuses the launcher, which another machine would not mend: ${message}` };
    case "gone":
    case "stopped":
      return { stage: "discard", reason: message, resume: false };
    case "unreachable":
      return {
        stage: own ? "discard" : "boot",
        reason: own ? `its machine does not answer: ${message}` : message,
        resume: false,
      };
    case "not-ready":
      return { stage: "boot", reason: message, resume: false };
  }
}

/** What mends a service that is not ready: its task, or another machine if the one that it has is no good. */
export function mendTask(service: Service, task: Task, finding: ServiceFinding): Diagnosis {
  const found = repairTask(service, finding);
  if (found === null) return task;
  if ("blocked" in found) return found;
  return found.stage === "discard" ? found : task;
}
