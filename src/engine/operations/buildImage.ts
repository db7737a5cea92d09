/**
 * Builds an image: boots a run with one machine, sets it up as the image says, has the cloud create an image from it,
 * and terminates the run. The build is recorded before anything starts. A repeated command continues it, so no second
 * image is created.
 */
import {
  isCloudUnreachableError,
  DriverError,
  isDriverError,
  isImageFailedError,
  type Driver,
} from "../../drivers/contract/driver.js";
import type { RunEvent, RunState, ServiceFailure } from "../../model/events.js";
import type { CloudSpec, LaunchPlan } from "../../plan/launchPlan/launchPlan.js";
import { resolveTemplate } from "../../plan/references/resolve.js";
import type { BuiltImage, ImageState, ImageIntent } from "../../state/contract/images.js";
import type { RunRecord, VariableRecord } from "../../state/contract/records.js";
import { isUnknownRunError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import { bootRun, type BootResult } from "./boot.js";
import { packBundles } from "../programs/bundles.js";
import { resumeRun } from "./resume.js";
import { workOnRun } from "../session/lease.js";
import { MachineAssignments } from "../run/machineAssignments.js";
import { terminateRun } from "./terminate.js";
import { definitionOf, imageValues, placeOf, withContents } from "../images/definition.js";
import { openCloud } from "../clouds/openCloud.js";
import { freeRunName, settleAbandoned } from "../images/unfinishedBuilds.js";

export interface BuildRequest {
  /** The plan with the one machine that becomes the image (`plan/imagePlan.ts`). */
  readonly plan: LaunchPlan;
  readonly image: string;
  readonly cloud: string;
  readonly variables: readonly VariableRecord[];
  /** The run's name; null generates one. */
  readonly name: string | null;
  /** Keep the run and its machine after the build. */
  readonly keepMachine: boolean;
  readonly observe: (event: RunEvent) => void;
  /** Receives progress messages for people. */
  readonly progress: (message: string) => void;
  /** Aborted when the operator stops the command. */
  readonly signal: AbortSignal;
}

export interface BuildResult {
  readonly image: string;
  readonly cloud: string;
  readonly version: number;
  /** The driver's id; null until there is one. */
  readonly id: string | null;
  /** "building": the build was interrupted, or the cloud did not answer. The same command continues it. */
  readonly state: ImageState;
  /** Why the image is not available; "" if it is. */
  readonly reason: string;
  readonly run: string;
  readonly runState: RunState;
  readonly failures: readonly ServiceFailure[];
  readonly cloudUnreachable: boolean;
}

/**
 * Builds an image, or continues the build of the same one. Failures are in the result.
 * @throws DriverError for a cloud that cannot create images; RunBusyError when another launcher builds it; StateError.
 */
export async function buildImage(store: Store, request: BuildRequest): Promise<BuildResult> {
  const cloud = request.plan.clouds[request.cloud] as CloudSpec;
  await checkDriver(store, request, cloud);
  const intent = await intentOf(store, request, cloud);
  await settleAbandoned(store, intent, request.progress);
  const image = await store.beginImage(intent);
  if (image.driverId !== null) return finish(store, request, image, { id: image.driverId });
  const { booted, run } = await bringUp(store, request, image);
  if (booted.state === "ready")
    return finish(store, request, { ...image, run }, await make(store, request, { ...image, run }));
  if (booted.state !== "failed" || request.signal.aborted)
    return resultOf({ ...image, run }, "building", "interrupted", booted);
  const reason = booted.failures[0]?.message ?? "its machine did not come up";
  return fail(store, request, { ...image, run }, reason, booted);
}

async function checkDriver(store: Store, { plan, variables }: BuildRequest, cloud: CloudSpec): Promise<void> {
  const driver = await openCloud(store, plan, cloud, variables);
  try {
    if (driver.createImage === undefined)
      throw new DriverError(
        `cloud "${cloud.name}" (driver "${cloud.driver}") cannot make images: there, packages and recipes run at each boot of a new machine`,
      );
  } finally {
    await driver.close?.();
  }
}

async function intentOf(
  store: Store,
  { plan, image, variables, name }: BuildRequest,
  cloud: CloudSpec,
): Promise<ImageIntent> {
  const [service] = plan.levels.flatMap(({ services }) => services);
  if (service === undefined) throw new Error("the plan of an image has one service");
  const lookup = imageValues(variables);
  const setup = withContents(service, await packBundles(plan, store.files.bundles), lookup);
  const base = service.image === null ? "" : resolveTemplate(service.image, lookup);
  return {
    image,
    cloud: cloud.name,
    driver: cloud.driver,
    place: placeOf(cloud, lookup),
    definition: definitionOf(cloud, base, setup.at(-1), lookup),
    planFile: plan.file,
    run: name ?? (await freeRunName(store, plan.name)),
    installation: await store.installation(),
  };
}

/** Brings up the machine that becomes the image: that of an interrupted build, or a new run's. */
async function bringUp(
  store: Store,
  request: BuildRequest,
  image: BuiltImage,
): Promise<{ booted: BootResult; run: string }> {
  const { plan, variables, observe, signal } = request;
  const options = { observe, signal, waitMs: 0 };
  const known = await findRun(store, image.run);
  if (known !== null && known.state !== "terminated" && known.planName === plan.name) {
    if (known.goal === "up") return { booted: await resumeRun(store, known, options), run: known.name };
    await terminateRun(store, known, { ...options, force: true, keep: false });
  }
  const run = known === null ? image.run : await freeRunName(store, plan.name);
  if (run !== image.run) await store.changeImage(image.id, { run });
  return { booted: await bootRun(store, { plan, variables, name: run, observe, signal, images: "parents" }), run };
}

async function findRun(store: Store, name: string): Promise<RunRecord | null> {
  try {
    return await store.findRun(name);
  } catch (error) {
    if (isUnknownRunError(error)) return null;
    throw error;
  }
}

/** The cloud's answer: the image's id, or why there is none. */
type Made = { readonly id: string } | { readonly error: Error };

async function make(
  store: Store,
  { image, cloud, progress, observe, signal }: BuildRequest,
  { run, name, version }: BuiltImage,
): Promise<Made> {
  return workOnRun(
    store,
    await store.findRun(run),
    "image build",
    { observe, signal, waitMs: 0 },
    async (context): Promise<Made> => {
      const assignments = await MachineAssignments.read(context);
      const [service] = context.levels.flat();
      const machine = service === undefined ? null : (assignments.machine(service)?.driverId ?? null);
      if (machine === null) throw new Error(`run ${run} has no machine to make an image of`);
      progress(`cloud "${cloud}" makes image ${name} of machine ${machine}`);
      const mark = { installation: await store.installation(), run: context.run.uid, runName: run, service: image };
      const driver = (await context.clouds.driver(cloud)) as Driver & Required<Pick<Driver, "createImage">>;
      try {
        return await driver.createImage(
          { machine, name, mark, description: `${image}, version ${version}, made by bootlevel in run ${run}` },
          context.stop,
        );
      } catch (error) {
        if (!isDriverError(error) && !context.stop.aborted) throw error;
        return { error: error as Error };
      }
    },
  );
}

async function finish(store: Store, request: BuildRequest, image: BuiltImage, made: Made): Promise<BuildResult> {
  if ("error" in made) {
    const { error } = made;
    if (isImageFailedError(error)) return fail(store, request, image, error.message, null);
    const reason = request.signal.aborted ? "interrupted" : error.message;
    return { ...resultOf(image, "building", reason, null), cloudUnreachable: isCloudUnreachableError(error) };
  }
  // Recorded before the machine is destroyed: afterwards, its base can no longer be looked up.
  await store.changeImage(image.id, { driverId: made.id });
  const ended = request.keepMachine ? null : await endRun(store, request, image.run);
  await store.changeImage(image.id, { state: "available" });
  const left =
    ended === null || ended.state === "terminated" ? "" : `the image is there, and run ${image.run} could not be ended`;
  return { ...resultOf(image, "available", left, ended), id: made.id, runState: ended?.state ?? "ready" };
}

/** Ends a build that failed for good. No later command continues it, and its machine is useless. */
async function fail(
  store: Store,
  request: BuildRequest,
  image: BuiltImage,
  reason: string,
  booted: BootResult | null,
): Promise<BuildResult> {
  // Destroy the machine first. If the launcher dies in between, the build is still open and a later command destroys
  // the machine. In the other order, a machine of a closed build would cost money.
  const ended = request.keepMachine ? null : await endRun(store, request, image.run);
  await store.changeImage(image.id, { state: "failed", reason });
  return { ...resultOf(image, "failed", reason, booted), runState: ended?.state ?? booted?.state ?? "ready" };
}

async function endRun(
  store: Store,
  { observe, signal }: BuildRequest,
  name: string,
): Promise<Pick<BootResult, "state" | "failures" | "cloudUnreachable"> | null> {
  const run = await findRun(store, name);
  return run === null ? null : terminateRun(store, run, { observe, signal, waitMs: 0, force: true, keep: false });
}

function resultOf(
  image: BuiltImage,
  state: ImageState,
  reason: string,
  end: Pick<BootResult, "state" | "failures" | "cloudUnreachable"> | null,
): BuildResult {
  const { image: name, cloud, version, driverId: id, run } = image;
  return {
    image: name,
    cloud,
    version,
    id,
    state,
    reason,
    run,
    runState: end?.state ?? "ready",
    failures: end?.failures ?? [],
    cloudUnreachable: end?.cloudUnreachable ?? false,
  };
}
