/** One service's story: get its machine, reach it, boot, publish what it made, verify. */
import { BUILT_IN_ATTRIBUTES } from "../plan/launchPlan.js";
import type { AttributeRecord, MachineRecord } from "../state/records.js";
import { programsOf } from "./bundles.js";
import { asServiceError, InterruptedError, serviceError, type FailureDetails } from "./failure.js";
import { enterState, inStep, stepDirectory, warn, writerOf } from "./journal.js";
import { cloudOf, machineKey, type Launch } from "./launchMachines.js";
import type { ReachableMachine } from "./machineWatch.js";
import type { Placements } from "./placements.js";
import { describeResult, runServiceProgram } from "./programs.js";
import type { RunContext, Service } from "./runContext.js";
import { verify } from "./verify.js";

/**
 * Brings one service up.
 * @param launch how the launch of its machine ends; null for a service on a host.
 * @throws ServiceError at the step that failed; InterruptedError between steps, when the operator wants to stop.
 */
export async function bootService(context: RunContext, placements: Placements, service: Service, launch: Promise<Launch> | null): Promise<void> {
  const goOn = () => {
    if (context.stop.aborted) throw new InterruptedError();
  };
  goOn();
  await place(context, placements, service, launch);
  goOn();
  await connect(context, placements, service);
  goOn();
  await boot(context, placements, service);
  goOn();
  await enterState(context, service, "verifying");
  await verify(context, placements, service);
  await enterState(context, service, "ready");
}

/** Waits for the machine and publishes what is known before boot: built-in and declared attributes. */
async function place(context: RunContext, placements: Placements, service: Service, launch: Promise<Launch> | null): Promise<void> {
  if (launch !== null) {
    await enterState(context, service, "launching");
    const machine = await inStep(context, service, "launch", 1, async () => {
      const ended = await launch;
      if ("error" in ended) throw ended.error;
      return { value: ended.machine, outcome: "launched", exitCode: null };
    });
    placements.set(service, recordOf(context, service, machine));
    await publish(context, service, builtIns(service, cloudOf(service), machine));
  }
  try {
    if (launch === null) await publish(context, service, hostBuiltIns(placements, service));
    await publish(context, service, declared(context, service));
  } catch (error) {
    throw asServiceError(service, "resolve", error);
  }
}

/** A service without programs on its machine needs no connection: that the cloud calls the machine running is all there is to verify. */
async function connect(context: RunContext, placements: Placements, service: Service): Promise<void> {
  const first = programsOf(service.spec).find(({ step, program }) => step !== "terminate" && program.where === "machine");
  if (first === undefined) return;
  await enterState(context, service, "connecting");
  await inStep(context, service, "connect", 1, async () => {
    await placements.link(service, first.program).connection();
    return { value: undefined, outcome: "connected", exitCode: null };
  });
}

async function boot(context: RunContext, placements: Placements, service: Service): Promise<void> {
  const program = service.spec.boot;
  if (program === null) return;
  await enterState(context, service, "booting");
  await writerOf(context).markBooted(service.id);
  const end = await inStep(context, service, "boot", 1, async (stepId) => {
    const directory = stepDirectory(service, "boot", stepId) as string;
    const end = await runServiceProgram(context, placements, { service, step: "boot", program, directory, timeoutMs: program.timeoutMs, attempt: 1 });
    const { machine, log, lastLines, result } = end;
    if (result.kind === "exited" && result.code === 0) return { value: { outputs: result.outputs, machine, log, lastLines }, outcome: "exited", exitCode: 0 };
    const exitCode = result.kind === "exited" ? result.code : null;
    throw serviceError(service, "boot", `the boot program failed: ${describeResult(result)}`, { exitCode, machine, log, lastLines });
  });
  const { outputs, ...details } = end;
  await publishOutputs(context, service, outputs, { ...details, exitCode: 0 });
}

async function publishOutputs(context: RunContext, service: Service, outputs: ReadonlyMap<string, string>, details: FailureDetails): Promise<void> {
  const promised = new Map(service.spec.outputs.map((output) => [output.name, output.secret]));
  const missing = [...promised.keys()].filter((name) => !outputs.has(name));
  if (missing.length > 0) {
    throw serviceError(service, "boot", `the boot program did not set ${missing.map((name) => `"${name}"`).join(", ")}, promised under outputs`, { ...details, remedy: 'let it write a line name=value to "$BOOTLEVEL_OUTPUT"' });
  }
  const taken = [...outputs.keys()].find((name) => (BUILT_IN_ATTRIBUTES as readonly string[]).includes(name) || Object.hasOwn(service.spec.attributes, name));
  if (taken !== undefined) throw serviceError(service, "boot", `the boot program set "${taken}", which every machine has or the plan declares under attributes`, { ...details, remedy: "give the output another name" });
  const extra = [...outputs.keys()].filter((name) => !promised.has(name));
  if (extra.length > 0) await warn(context, service, `the boot program set ${extra.join(", ")}, which the plan does not declare under outputs: nothing can refer to it`);
  await publish(context, service, [...outputs].map(([name, value]) => ({ serviceId: service.id, name, value, kind: "output", secret: promised.get(name) ?? false })));
}

async function publish(context: RunContext, service: Service, attributes: readonly AttributeRecord[]): Promise<void> {
  context.redactor.add(attributes.filter((attribute) => attribute.secret).map((attribute) => attribute.value));
  await writerOf(context).saveAttributes(attributes);
  for (const { name, value, secret, kind } of attributes) context.book.set(service.name, name, { value, secret, kind });
}

function builtIns(service: Service, cloud: string, machine: ReachableMachine): AttributeRecord[] {
  return builtInRecords(service, {
    host: machine.host, private_host: machine.privateHost ?? machine.host, hostname: machine.hostname ?? machine.host, instance_id: machine.id, cloud,
  });
}

function hostBuiltIns(placements: Placements, service: Service): AttributeRecord[] {
  const access = placements.access(service);
  const host = access.kind === "local" ? access.address : access.host;
  return builtInRecords(service, { host, private_host: host, hostname: host, instance_id: "", cloud: "" });
}

function builtInRecords(service: Service, values: Record<string, string>): AttributeRecord[] {
  const all = { ...values, replica: String(service.replica), replicas: String(service.spec.replicas) };
  return Object.entries(all).map(([name, value]) => ({ serviceId: service.id, name, value, kind: "builtin", secret: false }));
}

function declared(context: RunContext, service: Service): AttributeRecord[] {
  return Object.entries(service.spec.attributes).map(([name, { value, secret }]) => ({
    serviceId: service.id, name, value: context.book.resolve(value, service.name), kind: "declared", secret,
  }));
}

function recordOf(context: RunContext, service: Service, machine: ReachableMachine): MachineRecord {
  const now = Date.now();
  return {
    id: 0, serviceId: service.id, cloud: cloudOf(service), key: machineKey(context, service), generation: service.generation, state: "running",
    driverId: machine.id, host: machine.host, privateHost: machine.privateHost, hostname: machine.hostname, access: JSON.stringify(machine.access),
    requestedAt: now, launchedAt: now, endedAt: null, endReason: null,
  };
}
