/**
 * A launcher in a process of its own, the real thing but for its end: it is told at which of the points that the
 * store's probe names it dies, by a real SIGKILL of its own. Orders come over IPC, one after the other, so that
 * starting a process is paid once a death.
 */
import { writeSync } from "node:fs";

import { bootRun, type BootResult } from "../../src/engine/operations/boot.js";
import { buildImage } from "../../src/engine/operations/buildImage.js";
import { rebootRun } from "../../src/engine/operations/reboot.js";
import { reloadRun } from "../../src/engine/operations/reload.js";
import { repairRun, type RepairResult } from "../../src/engine/operations/repair.js";
import { resumeRun } from "../../src/engine/operations/resume.js";
import { terminateRun, type TerminateResult } from "../../src/engine/operations/terminate.js";
import type { LaunchPlan } from "../../src/plan/launchPlan/launchPlan.js";
import { openStore } from "../../src/state/openStore.js";
import type { Store } from "../../src/state/contract/store.js";

export type Command =
  | { readonly verb: "boot" | "reload"; readonly plan: LaunchPlan }
  | { readonly verb: "resume" | "repair" | "terminate" | "reboot" }
  /** The plan is one of `loadImagePlan`. */
  | { readonly verb: "image"; readonly plan: LaunchPlan; readonly image: string; readonly cloud: string };

/** Where the launcher gets a signal: at the point of this number, from 1, or of this name. */
export interface Death {
  readonly point: number | string;
  /** SIGKILL, unless it is to be frozen; or somebody aborts the run then. */
  readonly signal?: "SIGKILL" | "SIGSTOP" | "abort";
}

export interface Order {
  readonly home: string;
  readonly run: string;
  readonly command: Command;
  readonly death: Death | null;
}

/** What the record says. */
export interface Record {
  readonly state: string;
  readonly services: readonly {
    readonly name: string;
    readonly state: string;
    readonly due: string | null;
    readonly key: string | null;
    readonly id: string | null;
  }[];
  /** Live machines that belong to no such service. */
  readonly others: readonly string[];
  readonly outputs: Readonly<{ [name: string]: string }>;
  /** Programs that nobody has seen the end of. */
  readonly open: number;
}

export interface Report {
  readonly points: readonly string[];
  readonly state: string;
  /** Failures, blocked services and refusals, in words. */
  readonly problems: readonly string[];
  readonly record: Record | null;
}

async function carryOut({ home, run, command, death }: Order): Promise<Report> {
  const points: string[] = [];
  const probe = (point: string) => {
    points.push(point);
    if (death === null || (death.point !== points.length && death.point !== point)) return;
    if (death.signal === "abort")
      setImmediate(() => {
        void abortBeside(home, run);
      });
    else process.kill(process.pid, death.signal ?? "SIGKILL");
  };
  const store = await openStore(home, { probe, env: process.env });
  try {
    const { state, problems } = await work(store, run, command).catch((error: unknown) => ({
      state: "error",
      problems: [`${(error as Error).name}: ${(error as Error).stack ?? ""}`],
    }));
    return { points: [...points], state, problems, record: await look(store, run) };
  } finally {
    await store.close();
  }
}

/** As another process does: not in the midst of a write, which would wait for itself. */
async function abortBeside(home: string, run: string): Promise<void> {
  const store = await openStore(home, { env: process.env });
  if ((await store.runNames()).includes(run))
    await store.putRequest(await store.findRun(run), {
      kind: "abort",
      data: { reason: "a test" },
      origin: "operator",
      at: Date.now(),
    });
  await store.close();
}

async function work(store: Store, name: string, command: Command): Promise<{ state: string; problems: string[] }> {
  const signal = new AbortController().signal;
  const observe = () => undefined;
  const options = { observe, signal, waitMs: 0 };
  const variables =
    command.verb === "boot" || command.verb === "reload"
      ? command.plan.variables.map((variable) => ({
          kind: "variable" as const,
          name: variable.name,
          secret: false,
          value: variable.default ?? "",
        }))
      : [];
  if (command.verb === "boot")
    return told(await bootRun(store, { plan: command.plan, variables, name, observe, signal }));
  if (command.verb === "image") {
    const { plan, image, cloud } = command;
    const { state, reason } = await buildImage(store, {
      plan,
      image,
      cloud,
      variables,
      name: null,
      keepMachine: false,
      observe,
      progress: observe,
      signal,
    });
    return { state, problems: reason === "" ? [] : [reason] };
  }
  const run = await store.findRun(name);
  if (command.verb === "reload")
    return told(
      await reloadRun(store, run, {
        ...options,
        plan: command.plan,
        chooseVariables: () => variables,
        confirm: async () => true,
        force: false,
      }),
    );
  switch (command.verb) {
    case "resume":
      return told(await resumeRun(store, run, options));
    case "repair":
      return told(
        await repairRun(store, run, { ...options, replace: [], maxReplacements: null, force: false, dryRun: false }),
      );
    case "reboot":
      return told(await rebootRun(store, run, { ...options, services: [], force: false }));
    case "terminate":
      return told(await terminateRun(store, run, { ...options, force: false, keep: false }));
  }
}

function told(result: BootResult | RepairResult | TerminateResult): { state: string; problems: string[] } {
  const { failures, refused, blocked } = { refused: null, blocked: [], ...result };
  const problems = [
    ...failures.map(({ service, message }) => `${service}: ${message}`),
    ...blocked.map(({ service, message }) => `${service} is blocked: ${message}`),
  ];
  return { state: result.state, problems: refused === null ? problems : [...problems, refused] };
}

async function look(store: Store, name: string): Promise<Record | null> {
  if (!(await store.runNames()).includes(name)) return null;
  const run = await store.findRun(name);
  const services = await store.services(run);
  const live = (await store.machines(run)).filter((machine) => machine.state !== "ended");
  const of = new Map(live.map((machine) => [machine.serviceId, machine]));
  const names = new Map(services.map((service) => [service.id, service.name]));
  return {
    state: run.state,
    services: services.map(({ id, name: service, state, due }) => ({
      name: service,
      state,
      due: due?.stage ?? null,
      key: of.get(id)?.key ?? null,
      id: of.get(id)?.driverId ?? null,
    })),
    others: live
      .filter((machine) => !names.has(machine.serviceId) || of.get(machine.serviceId) !== machine)
      .map(({ key }) => key),
    outputs: Object.fromEntries(
      (await store.attributes(run))
        .filter(({ kind }) => kind === "output")
        .map((one) => [`${names.get(one.serviceId) ?? "?"}.${one.name}`, one.value]),
    ),
    open: (await store.steps(run)).filter(
      ({ directory, endedAt, machineKey }) =>
        directory !== null && endedAt === null && live.some(({ key }) => key === machineKey),
    ).length,
  };
}

process.on("message", (order: Order) => {
  void carryOut(order).then(
    (report) => {
      process.send?.(report);
    },
    (error: unknown) => {
      writeSync(2, `${(error as Error).stack ?? ""}\n`);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
