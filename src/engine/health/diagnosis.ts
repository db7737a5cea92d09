/** Derives a service's task from its record and from the findings of a survey. */
import type { ServiceRecord } from "../../state/contract/records.js";
import type { Task } from "../tasks/agenda.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import type { ServiceFinding } from "./survey.js";
import type { Service } from "../run/service.js";

/** A task; or why a service is unhealthy and cannot be repaired from here; or null for a healthy service. */
export type Diagnosis = Task | { readonly blocked: string } | null;

export function isTask(diagnosis: Diagnosis): diagnosis is Task {
  return diagnosis !== null && "stage" in diagnosis;
}

/** The task that an earlier command did not finish for a service, or null. */
export function unfinishedTask(assignments: MachineAssignments, service: Service, record: ServiceRecord): Task | null {
  const task = recordedTask(record);
  if (task === null || task.stage === "launch" || task.stage === "discard" || task.stage === "replace") return task;
  // Its machine has been destroyed since then: start with a new one.
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
      return resume("launch", "it has not started yet");
    case "launching":
    case "connecting":
      return resume("launch", `it was interrupted while ${state}`);
    case "booting":
      return resume("boot", "it was interrupted while booting");
    case "verifying":
      return resume("verify", "it was interrupted while verifying");
    case "executing":
      return resume("execute", "it was interrupted while executing");
    case "terminating":
    case "terminated":
      return resume("boot", `an earlier command left it ${state}`);
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

/** The task that repairs a service that is recorded as ready. */
export function repairTask(service: Service, finding: ServiceFinding): Diagnosis {
  const own = service.spec.placement.kind === "cloud";
  const { cause, message, moved } = finding;
  switch (cause) {
    case null:
      return moved === null ? null : { stage: "verify", reason: moved, resume: false };
    case "silent":
      return { blocked: message };
    case "unchecked":
      return { blocked: `it could not be checked: ${message}` };
    case "refused":
      return { blocked: `its machine refuses the launcher, and another machine would not help: ${message}` };
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

/** The task that repairs a service that is not ready: its own task, or another machine if its machine is unusable. */
export function repairUnfinished(service: Service, task: Task, finding: ServiceFinding): Diagnosis {
  const found = repairTask(service, { ...finding, moved: null });
  if (found === null) return task;
  if ("blocked" in found) return found;
  return found.stage === "discard" ? found : task;
}
