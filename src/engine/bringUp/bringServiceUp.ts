import type { Task } from "../tasks/agenda.js";
import { bootOnMachine } from "./bootProgram.js";
import { programsOf } from "../programs/bundles.js";
import { asServiceError, InterruptedError, isServiceError, unlessAborted } from "../run/failure.js";
import { enterState, inBareStep, passState } from "../run/journal.js";
import { isMachineDiedError } from "../launch/machineDied.js";
import type { LaunchResult } from "../launch/machineLaunches.js";
import { markHost } from "../programs/hostUse.js";
import { prepare } from "./prepareMachine.js";
import { setUp } from "./setup.js";
import { declared, hostBuiltIns, machineBuiltIns, publish, publishAddress } from "./publish.js";
import { endUnfinished } from "../programs/unfinished.js";
import { verify } from "./verify.js";
import { willExecute } from "./willExecute.js";
import type { Service } from "../run/service.js";
import type { BringUp } from "./bringUpContext.js";

/**
 * Brings one service up. A machine that must be replaced has already been destroyed.
 * @param launch the result of its machine's launch; null if its task does not include a launch, or it has no machine of
 *   its own.
 * @throws ServiceError at the step that failed; InterruptedError between steps, when the operator stops the command or
 *   the run is aborted.
 */
export async function bringServiceUp(
  work: BringUp,
  service: Service,
  task: Task,
  launch: Promise<LaunchResult> | null,
): Promise<void> {
  const { context, assignments } = work;
  const goOn = () => {
    if (context.halt.aborted) throw new InterruptedError();
  };
  goOn();
  await getMachine(work, service, task, launch);
  goOn();
  const settingUp = task.stage !== "verify" && (await setUp(work, service));
  goOn();
  const verifying = task.stage !== "verify" && (await bootOnMachine(work, service, task, settingUp));
  goOn();
  if (!verifying) {
    // Without a boot program, this is when the service begins to count as booted: its machine has let us in.
    const began = service.spec.boot === null ? [{ kind: "booted", id: service.id } as const] : [];
    passState(context, service, "verifying", [{ kind: "due", id: service.id, due: null }, ...began]);
    await endEarlierVerification(work, service);
  }
  await verify(context, assignments, service);
  await enterState(
    context,
    service,
    "ready",
    willExecute(work, service, task)
      ? [{ kind: "due", id: service.id, due: { stage: "execute", reason: "it has not executed yet" } }]
      : [],
  );
}

/**
 * Waits for the service's machine until it has let us in. One that its cloud ends before that is replaced by another:
 * nothing has run on it yet.
 */
async function getMachine(
  work: BringUp,
  service: Service,
  task: Task,
  launch: Promise<LaunchResult> | null,
): Promise<void> {
  if (task.stage !== "verify") await place(work, service, launch);
  if (launch === null) await publishAddress(work, service);
  if (work.context.halt.aborted) throw new InterruptedError();
  try {
    await connect(work, service, launch !== null);
  } catch (error) {
    const died = isServiceError(error) && isMachineDiedError(error.cause) ? error.cause : null;
    const again = died === null ? null : await work.machines.again(service, died);
    if (again === null) throw died !== null && work.context.halt.aborted ? new InterruptedError() : error;
    await getMachine(work, service, task, again.launch);
  }
}

/**
 * A ready program from an earlier launcher may still run. It is ended, and its end recorded, before a new one starts.
 */
async function endEarlierVerification({ context, assignments, unfinished }: BringUp, service: Service): Promise<void> {
  const machineKey = assignments.machine(service)?.key ?? null;
  const steps = (unfinished.get(service.id) ?? []).filter(
    (step) => step.step === "ready" && step.machineKey === machineKey,
  );
  await endUnfinished(context, assignments, service, steps);
}

/** Waits for the machine and publishes the attributes that are known before boot: built-in and declared ones. */
async function place(work: BringUp, service: Service, launch: Promise<LaunchResult> | null): Promise<void> {
  const { context, assignments } = work;
  if (launch !== null) {
    if (!work.early.isLaunching(service)) passState(context, service, "launching");
    const machine = await inBareStep(context, service, "launch", null, async () => {
      const ended = await launch;
      if ("error" in ended) throw ended.error;
      return { value: ended.machine, outcome: "launched", exitCode: null };
    });
    await publish(work, service, machineBuiltIns(service, machine));
  }
  try {
    if (service.spec.placement.kind === "host") await publish(work, service, hostBuiltIns(assignments, service));
    await publish(work, service, declared(context, service));
  } catch (error) {
    throw asServiceError(service, "resolve", error);
  }
}

/**
 * Connects to the machine, also for a service without programs: that its cloud reports the machine as running does not
 * say that it is of any use. Where all programs run on the launcher, they look at the machine in their own way.
 */
async function connect(work: BringUp, service: Service, isNew: boolean): Promise<void> {
  const { context, assignments } = work;
  const programs = programsOf(service.spec).filter(({ step }) => step !== "report" && step !== "terminate");
  const onMachine = programs.some(({ program }) => program.where === "machine");
  if (programs.length > 0 && !onMachine) return;
  passState(context, service, "connecting");
  await inBareStep(context, service, "connect", assignments.machine(service)?.key ?? null, async () => {
    // A machine may take minutes to answer.
    const reached = assignments.reach(service);
    await unlessAborted(context.halt, isNew ? work.machines.whileItLives(service, reached) : reached);
    if (!onMachine) await markHost(context, assignments, service);
    return { value: undefined, outcome: "connected", exitCode: null };
  });
  if (onMachine) await prepare(context, assignments, service);
}
