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
export const describe = "Build images of a plan in its clouds, list those that were built, remove them";

export function builder(yargs: Argv) {
  return (
    addVariableOptions(
      yargs
        .positional("action", { choices: ["build", "list", "remove"], demandOption: true, describe: "what to do" })
        .positional("image", { type: "string", describe: "the image's name in the plan (build, remove)" }),
    )
      .option("cloud", { type: "string", requiresArg: true, describe: "which cloud (build, remove)" })
      .option("plan", {
        type: "string",
        requiresArg: true,
        describe: "a plan file, or a folder with launch.yaml (build; default: this folder)",
      })
      .option("name", {
        type: "string",
        requiresArg: true,
        describe: "the name of the run that builds it (default: image-IMAGE with a random ending)",
      })
      .option("keep-machine", {
        type: "boolean",
        default: false,
        describe: "leave the machine that the image was made of (build)",
      })
      // Here it is an image's version and not bootlevel's.
      .version(false)
      .option("version", { type: "number", requiresArg: true, describe: "one version instead of all (remove)" })
      .option("yes", YES)
      .option("verbose", VERBOSE)
      .example("$0 image build apache --cloud aws --plan shop.yaml", "later boots of shop.yaml start from it")
      .example("$0 image list", "what was built, and which runs use it")
      .example("$0 image remove apache --cloud aws --version 1 --yes", "removes one version")
  );
}

export async function handler(options: ImageArguments): Promise<number> {
  refuseForeign(options);
  if (options.action === "list") return list(options);
  const { image, cloud } = options;
  if (image === undefined) throw new UsageError(`which image? bootlevel image ${options.action} NAME --cloud CLOUD`);
  if (cloud === undefined || Array.isArray(cloud))
    throw new UsageError(`which cloud? Say --cloud once: an image is built and removed in one cloud`);
  return options.action === "build" ? build(options, image, cloud) : remove(options, image, cloud);
}

/** An option that belongs to another action would be taken for heeded. */
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
  if (Array.isArray(name)) throw new UsageError("--name was given twice");
}

async function build(options: ImageArguments, image: string, cloud: string): Promise<number> {
  const { plan = ".", name, keepMachine } = options;
  const onProgress = (message: string) => {
    printError(`bootlevel: ${message}`);
  };
  const values = { ...readVariableOptions(options), keepMachine, onProgress, ...(name === undefined ? {} : { name }) };
  const { result, interrupted } = await withProgress(
    { ...options, noun: "the same command goes on with the image" },
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
    print(`\nImage ${image} is not built yet: ${reason}. Go on: ${again}   Give it up: bootlevel terminate ${run}`);
  if (state === "failed") print(`\nImage ${image} was not built: ${reason}. The output: bootlevel logs ${run}`);
  if (state === "available")
    print(
      `\nImage ${image}, version ${version}, is built: ${id ?? ""} in ${cloud}. Machines of services made from it start from it from now on.${reason === "" ? "" : `\n${reason}: bootlevel terminate ${run}`}`,
    );
  if (state !== "building" && reason === "" && runState !== "terminated")
    print(`Its machine is kept: bootlevel show ${run}   End it: bootlevel terminate ${run}`);
}

async function list({ json }: ImageArguments): Promise<number> {
  const images = await listImages(ENVIRONMENT);
  if (json) printJson("image", { action: "list", images });
  else if (images.length === 0)
    print("No image was built yet. Build one: bootlevel image build NAME --cloud CLOUD --plan PLAN");
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
  if (options.version !== undefined && !Number.isSafeInteger(options.version))
    throw new UsageError("--version takes a whole number");
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
