/**
 * Makes a run follow a changed plan: shows the change for each service, stores the plan, and applies it level by level.
 */
import { isDeepStrictEqual } from "node:util";

import type { LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { resolveTree, withoutSecretDefaults } from "../../plan/references/resolve.js";
import type { RunRecord, VariableRecord } from "../../state/contract/records.js";
import type { NewRevision, ServiceRevision } from "../../state/contract/revisions.js";
import { StateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { Agenda } from "../tasks/agenda.js";
import type { BootResult } from "./boot.js";
import { chooseImages } from "../images/chooseImages.js";
import { packBundles } from "../programs/bundles.js";
import { runAgenda } from "../bringUp/runAgenda.js";
import { unfinishedTask } from "../health/diagnosis.js";
import { writerOf } from "../run/journal.js";
import { followersOf, type Beginning, type Follower } from "../attributes/followers.js";
import { changedSettings } from "../planChange/planSettings.js";
import { withReplicaNumbers } from "../planChange/replicaNumbers.js";
import { workOnRun, type WorkOptions } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { diffPlans, type ServiceChange } from "../planChange/planDiff.js";
import { checkGoal } from "./repair.js";
import { type RunContext } from "../run/context.js";
import type { PlanVersion } from "../planChange/planVersion.js";

export interface ReloadOptions extends WorkOptions {
  readonly plan: LaunchPlan;
  /** Chooses the values of the changed plan's variables, given those of the run. @throws PlanError */
  readonly chooseVariables: (before: readonly VariableRecord[], beforePlan: LaunchPlan) => readonly VariableRecord[];
  /** Receives the difference; false stops the command before anything is stored. */
  readonly confirm: (difference: PlanDifference) => Promise<boolean>;
  /** Skip the terminate programs of replaced and removed services. */
  readonly force: boolean;
}

export interface PlanDifference {
  readonly changes: readonly ServiceChange[];
  /** What changes beside the services, for people: `concurrency: 100 → 50`. */
  readonly settings: readonly string[];
  /** Services that do not change themselves, but may have to follow values of those that do. */
  readonly followers: readonly Follower[];
}

export interface ReloadResult extends BootResult, PlanDifference {
  /** False if it was not confirmed or there is nothing to change. */
  readonly applied: boolean;
}

/**
 * Reloads a run's plan.
 * @throws RunBusyError; StateError for a run that is being taken down, and for a changed cloud that has machines of the
 *   run; PlanError for variables.
 */
export async function reloadRun(store: Store, run: RunRecord, options: ReloadOptions): Promise<ReloadResult> {
  checkGoal(run);
  return workOnRun(store, run, "reload", options, async (context, now) => {
    checkGoal(now);
    const startedAt = context.clock.now();
    const { revision, before, after } = await versions(context, options);
    await checkClouds(context, before, after);
    const changes = diffPlans(before, after, await store.services(now), now.name);
    const difference = {
      changes,
      settings: changedSettings(before.plan, after.plan),
      followers: followersOf(after.plan, beginnings(changes)),
    };
    const nothing = {
      run: now.name,
      state: now.state,
      failures: [],
      cloudUnreachable: false,
      unused: [],
      aborted: null,
      ...difference,
      applied: false,
    };
    const same =
      changes.every((change) => change.action === "keep" && change.differences.length === 0 && change.was === null) &&
      difference.settings.length === 0;
    if (same || !(await options.confirm(difference))) return { ...nothing, ms: context.clock.now() - startedAt };
    await writerOf(context).storeRevision(newRevision(context, revision + 1, after, changes));
    await store.files.logs.rename(
      now.uid,
      changes.flatMap(({ was, name }) => (was === null ? [] : [{ from: was, to: name }])),
    );
    await context.follow();
    return { ...(await applyRevision(context, options, startedAt)), ...difference, applied: true };
  });
}

async function versions(
  context: RunContext,
  options: ReloadOptions,
): Promise<{ revision: number; before: PlanVersion; after: PlanVersion }> {
  const { store, run } = context;
  const { revision, ...stored } = await store.plan(run);
  const before: PlanVersion = { ...stored, variables: await store.variables(run) };
  const changed = withoutSecretDefaults(options.plan);
  const plan = withReplicaNumbers(stored.plan, changed, await store.services(run), await store.replicasEver(run));
  const chosen = options.chooseVariables(before.variables, stored.plan);
  // Programs of removed services, and clouds that still have machines, may refer to variables that are no longer in the
  // plan.
  const names = new Set(chosen.map(({ kind, name }) => `${kind} ${name}`));
  const variables = [...chosen, ...before.variables.filter(({ kind, name }) => !names.has(`${kind} ${name}`))];
  const bundles = await packBundles(plan, store.files.bundles);
  const chosenImages = chooseImages({
    plan: await withLiveClouds(context, stored.plan, plan),
    bundles,
    variables,
    built: await store.builtImages(),
    before: stored.plan,
    whole: true,
  });
  for (const message of chosenImages.warnings)
    context.emit({ at: context.clock.now(), type: "warning", service: null, message });
  return { revision, before, after: { plan: chosenImages.plan, bundles, variables } };
}

/** The plan, plus the clouds that it no longer has but that still have machines of the run. */
async function withLiveClouds(context: RunContext, before: LaunchPlan, after: LaunchPlan): Promise<LaunchPlan> {
  const live = (await context.store.machines(context.run))
    .filter((machine) => machine.state !== "ended")
    .map((machine) => machine.cloud);
  const kept = Object.fromEntries(
    Object.entries(before.clouds).filter(([name]) => live.includes(name) && !Object.hasOwn(after.clouds, name)),
  );
  return { ...after, clouds: { ...after.clouds, ...kept } };
}

/**
 * A machine is found through the cloud that started it: that cloud must not change while the machine exists. @throws
 * StateError
 */
async function checkClouds(context: RunContext, before: PlanVersion, after: PlanVersion): Promise<void> {
  const live = new Set(
    (await context.store.machines(context.run))
      .filter((machine) => machine.state !== "ended")
      .map((machine) => machine.cloud),
  );
  for (const name of live) {
    const [old, fresh] = [before, after].map(({ plan, variables }) => {
      const cloud = plan.clouds[name];
      const values = new Map(variables.map((variable) => [`${variable.kind} ${variable.name}`, variable.value]));
      // The hosts of a pool may change: the hosts in use are recorded.
      const options = Object.fromEntries(Object.entries(cloud?.options ?? {}).filter(([key]) => key !== "hosts"));
      return [
        cloud?.driver,
        resolveTree(options, (reference) =>
          "name" in reference ? (values.get(`${reference.kind} ${reference.name}`) ?? "") : "",
        ),
      ];
    });
    if (isDeepStrictEqual(old, fresh)) continue;
    throw new StateError(
      `the changed plan changes cloud "${name}", which still has machines of run "${context.run.name}": bootlevel could no longer find them`,
      `keep "${name}" as it was, and define the changed cloud under a new name: services that move to it are replaced`,
    );
  }
}

/** Services that were never started begin anyway, with the values of that time. */
function beginnings(changes: readonly ServiceChange[]): Beginning[] {
  return changes.flatMap(({ spec, replica, action }) =>
    action === "replace" || action === "boot" || action === "verify" || action === "execute"
      ? [{ spec, replica, stage: action }]
      : [],
  );
}

function newRevision(
  context: RunContext,
  revision: number,
  { plan, bundles, variables }: PlanVersion,
  changes: readonly ServiceChange[],
): NewRevision {
  const services = changes
    .filter((change) => change.action !== "remove")
    .map((change): ServiceRevision => {
      const { id, level, spec, name, replica, action, differences } = change;
      const record = id === null ? undefined : context.records.get(id);
      // Tasks left by an earlier command stay. A service that was never started needs no other task.
      const started = record !== undefined && record.state !== "planned";
      const own =
        action === "replace" || action === "boot" || action === "verify" || action === "execute"
          ? { stage: action, reason: `the plan changed: ${differences.join(", ")}` }
          : null;
      const due = !started ? null : earlier(record.due, own);
      return { id, level, spec, name, replica, due: due && { ...due, reason: context.redactor.redact(due.reason) } };
    });
  const dropped = changes.flatMap(({ id, action }) => (action === "remove" && id !== null ? [id] : []));
  return { revision, plan, bundles, variables, services, dropped };
}

const ORDER = ["discard", "replace", "boot", "verify", "execute"];

function earlier(one: ServiceRevision["due"], other: ServiceRevision["due"]): ServiceRevision["due"] {
  if (one === null || other === null) return one ?? other;
  return ORDER.indexOf(one.stage) <= ORDER.indexOf(other.stage) ? one : other;
}

/** Carries out the tasks of the new revision, and those that earlier commands left. */
async function applyRevision(context: RunContext, options: ReloadOptions, startedAt: number): Promise<BootResult> {
  const assignments = await MachineAssignments.read(context);
  const agenda = new Agenda();
  for (const service of context.levels.flat()) {
    const record = context.records.get(service.id);
    const task = record === undefined ? null : unfinishedTask(assignments, service, record);
    if (task !== null) agenda.add(service, task);
  }
  const end = await runAgenda(context, assignments, agenda, {
    verb: "reload",
    state: "reloading",
    startedAt,
    force: options.force,
  });
  return { run: context.run.name, ...end, ms: context.clock.now() - startedAt };
}
