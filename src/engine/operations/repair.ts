/** Finds unhealthy services of a run and repairs only those. */
import type { PlannedTask, RunState, ServiceFailure } from "../../model/events.js";
import { isCloudUnreachableError } from "../../drivers/contract/driver.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { StateError } from "../../state/contract/errors.js";
import { checkNotAborted } from "./abort.js";
import { Agenda, plannedTasks, type Task } from "../tasks/agenda.js";
import { runAgenda } from "../bringUp/runAgenda.js";
import { dependencies } from "../attributes/dependents.js";
import { followersOf, type Beginning, type Follower } from "../attributes/followers.js";
import { isTask, repairUnfinished, repairTask, unfinishedTask, type Diagnosis } from "../health/diagnosis.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { type RunContext } from "../run/context.js";
import { chooseServices } from "../run/selection.js";
import { survey, type SurveyDepth, type ServiceFinding } from "../health/survey.js";
import type { UnusedMachine } from "../launch/unusedMachines.js";
import type { Service } from "../run/service.js";
import { closeContext, openContext } from "../session/openContext.js";

export interface RepairOptions extends WorkOptions {
  /** Services whose machines are replaced even if they are healthy. */
  readonly replace: readonly string[];
  /** The maximum number of unusable machines to replace; null for a third of the run's machines, at least 1. */
  readonly maxReplacements: number | null;
  /** Skip the terminate programs of replaced machines. */
  readonly force: boolean;
  /** Dry run: only report the tasks. */
  readonly dryRun: boolean;
}

export interface RepairResult {
  readonly run: string;
  readonly state: RunState;
  /** The tasks, in the order of the levels. Changed attributes may have added more during the repair. */
  readonly tasks: readonly PlannedTask[];
  /** Services that may have to follow values of those in `tasks`. Whether they do depends on the values. */
  readonly followers: readonly Follower[];
  /** Services that are no longer in the plan and were to be taken down. */
  readonly removed: readonly string[];
  /** Unhealthy services that a repair cannot fix, and why. */
  readonly blocked: readonly { readonly service: string; readonly message: string }[];
  /** Why nothing was changed although there were tasks, or null. */
  readonly refused: string | null;
  readonly failures: readonly ServiceFailure[];
  readonly cloudUnreachable: boolean;
  /**
   * Machines that were started early for levels that never began: destroyed if the repair failed, kept if it was
   * interrupted.
   */
  readonly unused: readonly UnusedMachine[];
  readonly ms: number;
}

/** A ready program is retried: an occasional failure must not boot a healthy service again. */
const READY_TRIES = 3;

/**
 * Repairs a run: boots a failed service again if its machine is fine, replaces unusable machines, finishes interrupted
 * work, then handles services of later levels that refer to a changed attribute. Does nothing to a healthy run.
 * @throws RunBusyError; StateError for a run that is being taken down or is aborted, or for an unknown service in
 *   `replace`.
 */
export async function repairRun(store: Store, run: RunRecord, options: RepairOptions): Promise<RepairResult> {
  checkGoal(run);
  if (!options.dryRun) return workOnRun(store, run, "repair", options, (context, now) => repair(context, now, options));
  const context = await openContext({ run, store, writer: null, stop: options.signal, observe: options.observe });
  try {
    return await repair(context, run, options);
  } finally {
    await closeContext(context);
  }
}

/** @throws StateError for a run that is being taken down, is terminated or is aborted */
export function checkGoal(run: RunRecord): void {
  if (run.goal === "up") return checkNotAborted(run);
  if (run.state === "terminated")
    throw new StateError(`run "${run.name}" is terminated`, "boot its plan again, as a new run");
  throw new StateError(
    `run "${run.name}" is being taken down`,
    `finish it with: bootlevel terminate ${run.name}, or bring all of it up again with: bootlevel reboot ${run.name}`,
  );
}

async function repair(context: RunContext, run: RunRecord, options: RepairOptions): Promise<RepairResult> {
  checkGoal(run);
  const startedAt = context.clock.now();
  const assignments = await MachineAssignments.read(context);
  const { agenda, blocked, cloudUnreachable } = await diagnose(
    context,
    assignments,
    chooseServices(context, options.replace),
  );
  // These findings may only be an effect of the operator stopping the command.
  if (context.stop.aborted)
    return {
      run: run.name,
      state: "interrupted",
      tasks: [],
      followers: [],
      removed: [],
      blocked: [],
      refused: null,
      failures: [],
      cloudUnreachable: false,
      unused: [],
      ms: context.clock.now() - startedAt,
    };
  const tasks = plannedTasks(context, agenda);
  const refused = tooMany(context, agenda, new Set(chooseServices(context, options.replace)), options.maxReplacements);
  const idle = tasks.length === 0 && context.dropped.length === 0;
  const removed = context.dropped.map(({ name }) => name.replace(/~\d+$/, ""));
  const result = {
    run: run.name,
    tasks,
    followers: followersOf(context.plan, beginnings(context, agenda)),
    removed,
    blocked,
    refused,
    failures: [],
    cloudUnreachable,
    unused: [],
    ms: context.clock.now() - startedAt,
  };
  if (refused !== null || options.dryRun || (idle && (blocked.length > 0 || run.state === "ready"))) {
    return { ...result, state: idle && blocked.length === 0 ? "ready" : run.state === "ready" ? "failed" : run.state };
  }
  const end = await runAgenda(context, assignments, agenda, {
    verb: "repair",
    state: "repairing",
    startedAt,
    force: options.force,
  });
  const state = blocked.length > 0 && end.state === "ready" ? "failed" : end.state;
  return {
    ...result,
    ...end,
    state,
    cloudUnreachable: cloudUnreachable || end.cloudUnreachable,
    ms: context.clock.now() - startedAt,
  };
}

interface Diagnoses {
  readonly agenda: Agenda;
  readonly blocked: { service: string; message: string }[];
  readonly cloudUnreachable: boolean;
}

/** Checks every service: ready services must still be ready; for the others, the machine must answer. */
async function diagnose(
  context: RunContext,
  assignments: MachineAssignments,
  replaced: readonly Service[],
): Promise<Diagnoses> {
  const agenda = new Agenda();
  for (const service of replaced) agenda.add(service, { stage: "replace", reason: "it was requested", resume: false });
  const known = new Map(context.levels.flat().map((service) => [service, taskOf(context, assignments, service)]));
  const looked = [...known.keys()].filter((service) => agenda.of(service) === null);
  const verified = (service: Service) => {
    const task = known.get(service) ?? null;
    return task === null || (task.stage === "verify" && task.resume);
  };
  // A machine without a connection so far may still be starting, and its level may begin much later: only its cloud is
  // asked.
  const untouched = (service: Service) =>
    ["planned", "launching"].includes(context.records.get(service.id)?.state ?? "planned");
  const depth = (service: Service): SurveyDepth =>
    verified(service) ? "ready" : known.get(service)?.stage === "discard" || untouched(service) ? "cloud" : "reach";
  const findings = await survey(context, assignments, looked, depth, READY_TRIES);
  const blocked: { service: string; message: string }[] = [];
  for (const service of looked) {
    const diagnosis = diagnosisOf(service, known.get(service) ?? null, findings.get(service) as ServiceFinding);
    if (isTask(diagnosis)) agenda.add(service, diagnosis);
    else if (diagnosis !== null) blocked.push({ service: service.name, message: diagnosis.blocked });
  }
  return {
    agenda,
    blocked,
    cloudUnreachable: [...findings.values()].some(({ error }) => isCloudUnreachableError(error)),
  };
}

function taskOf(context: RunContext, assignments: MachineAssignments, service: Service): Task | null {
  const record = context.records.get(service.id);
  return record === undefined ? null : unfinishedTask(assignments, service, record);
}

function diagnosisOf(service: Service, task: Task | null, finding: ServiceFinding): Diagnosis {
  if (task === null) return repairTask(service, finding);
  // A service that was interrupted or failed while it was verified, and is still not ready, needs another boot.
  if (task.stage === "verify" && task.resume && finding.cause === "not-ready")
    return { stage: "boot", reason: task.reason, resume: false };
  return repairUnfinished(service, task, finding);
}

/** Why the replacements are refused, or null. Replacements caused by changed addresses count as well. */
function tooMany(
  context: RunContext,
  agenda: Agenda,
  asked: ReadonlySet<Service>,
  limit: number | null,
): string | null {
  const machines = context.levels.flat().filter((service) => service.spec.placement.kind === "cloud");
  const allowed = limit ?? Math.max(1, Math.floor(machines.length / 3));
  const lost = machines.filter(
    (service) => !asked.has(service) && !wasDecided(context, service) && agenda.of(service)?.stage === "discard",
  );
  const count = lost.length + replacedWith(context, new Set(lost)).size;
  if (count <= allowed) return null;
  return `${count} of ${machines.length} machines would be replaced, and the limit is ${allowed}: nothing was changed. If they are really lost, allow it: --max-replacements ${count}`;
}

/**
 * Whether an earlier command was to replace the service's machine. It may have died after destroying it: that is not a
 * loss.
 */
function wasDecided({ records }: RunContext, { id }: Service): boolean {
  const stage = records.get(id)?.due?.stage;
  return stage === "replace" || stage === "discard";
}

/** Services whose machines were started with attributes of replaced services. */
function replacedWith(context: RunContext, replaced: ReadonlySet<Service>): Set<Service> {
  const bySource = dependencies(context.plan);
  const found = new Set<Service>();
  const queue = [...replaced];
  for (let service = queue.pop(); service !== undefined; service = queue.pop()) {
    for (const { dependent, stage } of bySource.get(service.spec.name) ?? []) {
      if (stage !== "replace") continue;
      for (const follower of context.bySpec.get(dependent) ?? []) {
        if (found.has(follower) || replaced.has(follower)) continue;
        found.add(follower);
        queue.push(follower);
      }
    }
  }
  return found;
}

function beginnings(context: RunContext, agenda: Agenda): Beginning[] {
  return agenda.among(context.levels.flat()).flatMap((service): Beginning[] => {
    const { stage, resume } = agenda.of(service) as Task;
    // What continues, or was never launched, brings no value that others had before.
    if (resume || stage === "launch") return [];
    return [{ spec: service.spec.name, replica: service.replica, stage }];
  });
}
