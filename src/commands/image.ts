import type { Argv } from "yargs";

import { buildImage, listImages, removeImages, type ImageBuild, type ListedImage } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { VERBOSE, YES } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { print, printError, printJson, screen } from "./output.js";
import { demandYes, withProgress } from "./progress.js";
import { addVariableOptions, readVariableOptions, type VariableArguments } from "./variableOptions.js";

type Action = "build" | "list" | "remove";

interface ImageArguments extends VariableArguments {
  readonly action: Action;
  readonly image?: string;
  readonly cloud?: string;
  readonly plan?: string;
  readonly name?: string;
  readonly version?: number;
  readonly keepMachine: boolean;
  readonly yes: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

export const command = "image <action> [image]";
export const describe = "Build images of a plan in its clouds, list them, or remove them";

export function builder(yargs: Argv) {
  return (
    addVariableOptions(
      yargs
        .positional("action", { choices: ["build", "list", "remove"], demandOption: true, describe: "What to do" })
        .positional("image", { type: "string", describe: "Name of the image in the plan (build, remove)" }),
    )
      .option("cloud", { type: "string", requiresArg: true, describe: "Name of the cloud in the plan (build, remove)" })
      .option("plan", {
        type: "string",
        requiresArg: true,
        describe: "Plan file, or folder with a launch.yaml (build; default: current folder)",
      })
      .option("name", {
        type: "string",
        requiresArg: true,
        describe: "Name of the run that builds the image (build; default: image-IMAGE and four random characters)",
      })
      .option("keep-machine", {
        type: "boolean",
        default: false,
        describe: "Keep the machine that the image was made from (build)",
      })
      // Here, --version selects the version of an image, not that of bootlevel.
      .version(false)
      .option("version", {
        type: "number",
        requiresArg: true,
        describe: "Remove only this version (remove; default: all)",
      })
      .option("yes", YES)
      .option("verbose", VERBOSE)
      .example("$0 image build apache --cloud aws --plan shop.yaml", "Later boots of shop.yaml start from the image")
      .example("$0 image list", "List built images and the runs that use them")
      .example("$0 image remove apache --cloud aws --version 1 --yes", "Remove one version")
  );
}

export async function handler(options: ImageArguments): Promise<number> {
  refuseForeign(options);
  if (options.action === "list") return list(options);
  const { image, cloud } = options;
  if (image === undefined) throw new UsageError(`no image given: bootlevel image ${options.action} NAME --cloud CLOUD`);
  if (cloud === undefined) throw new UsageError("name one cloud with --cloud: an image is built and removed per cloud");
  return options.action === "build" ? build(options, image, cloud) : remove(options, image, cloud);
}

/** Rejects options of other actions, which would otherwise be ignored silently. */
function refuseForeign(options: ImageArguments): void {
  const { action, image, cloud, plan, name, version, keepMachine, yes, var: variables, varFile } = options;
  const building = [
    plan !== undefined && "--plan",
    name !== undefined && "--name",
    keepMachine && "--keep-machine",
    variables !== undefined && "--var",
    varFile !== undefined && "--var-file",
  ];
  const removing = [version !== undefined && "--version", yes && "--yes"];
  const both = [image !== undefined && "a name", cloud !== undefined && "--cloud"];
  const foreign = [
    ...(action === "build" ? [] : building),
    ...(action === "remove" ? [] : removing),
    ...(action === "list" ? both : []),
  ].filter((word) => word !== false);
  if (foreign.length > 0) throw new UsageError(`image ${action} does not take ${foreign.join(", ")}`);
}

async function build(options: ImageArguments, image: string, cloud: string): Promise<number> {
  const { plan = ".", name, keepMachine } = options;
  const onProgress = (message: string) => {
    printError(`bootlevel: ${message}`);
  };
  const values = { ...readVariableOptions(options), keepMachine, onProgress, ...(name === undefined ? {} : { name }) };
  const { result, interrupted } = await withProgress(
    { ...options, afterwards: "Run the same command again to continue." },
    (watch) => buildImage(plan, image, cloud, { ...ENVIRONMENT, ...values, ...watch }),
  );
  if (options.json) printJson("image", { action: "build", image: result });
  else await printBuild(result);
  if (interrupted && result.state === "building") return EXIT.interrupted;
  if (result.cloudUnreachable) return EXIT.unreachable;
  return result.state === "available" && result.reason === "" ? EXIT.fine : EXIT.notFine;
}

async function printBuild({
  image,
  cloud,
  version,
  id,
  state,
  reason,
  run,
  runState,
  failures,
}: ImageBuild): Promise<void> {
  const { formatFailures } = await import("../display/failure.js");
  if (failures.length > 0) print(`\n${formatFailures(failures, screen())}`);
  const again = `bootlevel image build ${image} --cloud ${cloud}`;
  if (state === "building")
    print(`\nImage ${image} is not built yet: ${reason}. Continue: ${again}   Cancel: bootlevel terminate ${run}`);
  if (state === "failed") print(`\nImage ${image} was not built: ${reason}. Output: bootlevel logs ${run}`);
  if (state === "available")
    print(
      `\nImage ${image} version ${version} is built: ${id ?? ""} in ${cloud}. ` +
        `New machines of its services start from it.${reason === "" ? "" : `\n${reason}: bootlevel terminate ${run}`}`,
    );
  if (state !== "building" && reason === "" && runState !== "terminated")
    print(`Its machine is kept: bootlevel show ${run}   Terminate it: bootlevel terminate ${run}`);
}

async function list({ json }: ImageArguments): Promise<number> {
  const images = await listImages(ENVIRONMENT);
  if (json) printJson("image", { action: "list", images });
  else if (images.length === 0)
    print("There are no images yet. Build one: bootlevel image build NAME --cloud CLOUD --plan PLAN");
  else print(await tableOf(images));
  return EXIT.fine;
}

async function tableOf(images: readonly ListedImage[]): Promise<string> {
  const [{ formatTable }, { formatTime }] = await Promise.all([
    import("../display/table.js"),
    import("../display/time.js"),
  ]);
  const rows = images.map(({ image, version, cloud, state, driverId, requestedAt, availableAt, run, usedBy }) => [
    image,
    String(version),
    cloud,
    state,
    driverId ?? "",
    formatTime(availableAt ?? requestedAt),
    run,
    usedBy.join(", "),
  ]);
  return formatTable(["IMAGE", "VERSION", "CLOUD", "STATE", "ID", "SINCE", "MADE IN", "USED BY"], rows, {
    ...screen(),
    align: ["left", "right"],
  });
}

async function remove(options: ImageArguments, image: string, cloud: string): Promise<number> {
  const removed = await removeImages(image, cloud, {
    ...ENVIRONMENT,
    ...(options.version === undefined ? {} : { version: options.version }),
    confirm: async (images) => {
      const table = await tableOf(images);
      if (options.json) printError(table);
      else print(table);
      return (
        options.yes || demandYes(`Remove ${images.length === 1 ? "this image" : `these ${images.length} images`}?`)
      );
    },
  });
  if (options.json) printJson("image", { action: "remove", removed });
  else print(removed.length === 0 ? "Nothing was removed." : `\n${removed.length} removed.`);
  return removed.length === 0 ? EXIT.wrong : EXIT.fine;
}
