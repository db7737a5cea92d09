/** Images: build, list, remove. */
import type { ImageBuild, ListedImage } from "./types.js";
import { watch, type HomeOption, type VariableOptions, type WatchOptions } from "./options.js";
import { userHome } from "../model/environment.js";
import { planFile } from "./planFile.js";
import { withStore } from "./openRecord.js";
import { resolveValues, withoutSecrets } from "./variables.js";

/**
 * Builds an image of a plan in one of its clouds, or continues that build. It boots a run with one machine, sets the
 * machine up as the image says, and has the cloud create an image from it. Later boots start from the image. Failures
 * are in the result.
 * @param options.name the run's name; default `image-<image>-<random>`.
 * @param options.keepMachine keep the run and its machine after the build.
 * @param options.onProgress receives progress messages for people.
 * @throws PlanError, also for an image or a cloud that is not in the plan; DriverError for a cloud that cannot create
 *   images; RunBusyError, StateError
 */
export async function buildImage(
  path: string,
  image: string,
  cloud: string,
  options: HomeOption &
    VariableOptions &
    WatchOptions & {
      readonly name?: string;
      readonly keepMachine?: boolean;
      readonly onProgress?: (message: string) => void;
    } = {},
): Promise<ImageBuild> {
  const [{ loadImagePlan }, { loadDriver }, { buildImage: build }] = await Promise.all([
    import("../plan/imagePlan.js"),
    import("../drivers/registry.js"),
    import("../engine/operations/buildImage.js"),
  ]);
  const plan = await loadImagePlan(await planFile(path), { image, cloud }, loadDriver, userHome(options.env ?? {}));
  const variables = await resolveValues(plan, options);
  const { name = null, keepMachine = false, onProgress: progress = () => undefined } = options;
  return withStore(
    options,
    (store) =>
      withoutSecrets(variables, () =>
        build(store, { plan, image, cloud, variables, name, keepMachine, progress, ...watch(options) }),
      ),
    "create",
  );
}

/** Lists the images that were built or whose build has started, without removed ones, oldest first. */
export async function listImages(options: HomeOption = {}): Promise<ListedImage[]> {
  return withStore(options, async (store) => (await import("../engine/images/inventory.js")).listImages(store));
}

/**
 * Removes built images of one name from a cloud.
 * @param options.version one version; default: all.
 * @param options.confirm receives the images to remove; false removes nothing. Default: yes.
 * @throws StateError if there is none, or a run that is not terminated uses one; CloudUnreachableError
 */
export async function removeImages(
  image: string,
  cloud: string,
  options: HomeOption &
    Pick<WatchOptions, "signal"> & {
      readonly version?: number;
      readonly confirm?: (images: readonly ListedImage[]) => Promise<boolean>;
    } = {},
): Promise<ListedImage[]> {
  const { version = null, confirm = async () => true } = options;
  const { signal } = watch(options);
  return withStore(options, async (store) => [
    ...(
      await (
        await import("../engine/images/inventory.js")
      ).removeImages(store, { image, cloud, version, confirm, signal })
    ).removed,
  ]);
}
