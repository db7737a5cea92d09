/** Compiles a draft without mistakes into the launch plan. */
import { basename, dirname, resolve } from "node:path";
import type { DriverDefinition } from "../../drivers/contract/driver.js";
import { programPath } from "../check/checkFiles.js";
import { driverName } from "../check/checkDrivers.js";
import { hasProgram } from "../check/checkReports.js";
import { compileSetup } from "./compileImages.js";
import { compileSsh } from "./compileSsh.js";
import { keyOf, mergedEntries, outputsOf, replicasOf, sizesOf, type Draft, type DraftService } from "../draft/draft.js";
import { durationMs } from "../../time/duration.js";
import { Files, isArchive } from "../draft/files.js";
import type {
  CloudSpec,
  Keep,
  OnFailure,
  LaunchPlan,
  ProgramSpec,
  ReadySpec,
  ReportSpec,
  ServiceSpec,
  SourcePosition,
  Template,
  VariableSpec,
} from "../launchPlan/launchPlan.js";
import type { Located } from "../yaml/located.js";
import { parseTemplate, type TemplateMode } from "../references/references.js";
import { splitReplicas } from "../launchPlan/replicas.js";
import { LOG_LIMIT_BYTES, REPORT_FILE_LIMIT_BYTES, REPORT_LIMIT_BYTES } from "../launchPlan/limits.js";
import { parseByteSize } from "../../text/byteSize.js";
import { DEFAULT_CLOUD } from "../launchPlan/defaultCloud.js";
import { compileTree } from "../references/resolve.js";
import { Secrets } from "../draft/secrets.js";
import { cloudOptions, cloudTemplates, templatesOf, usedClouds } from "../draft/templates.js";
import { compileInputs } from "./compileInputs.js";

const PROGRAM_TIMEOUT_MS = 20 * 60_000;
const READY_EVERY_MS = 2_000;
const READY_WINDOW_MS = 30_000;

/** Compiles a draft. `definitions` has the drivers by cloud, for their SSH defaults. */
export function compile(draft: Draft, definitions: ReadonlyMap<string, DriverDefinition>): Omit<LaunchPlan, "given"> {
  return new Compiler(draft, definitions).plan();
}

class Compiler {
  private readonly files = new Files();
  private readonly secrets: Secrets;

  constructor(
    private readonly draft: Draft,
    private readonly definitions: ReadonlyMap<string, DriverDefinition>,
  ) {
    this.secrets = new Secrets(draft);
  }

  plan(): Omit<LaunchPlan, "given"> {
    const { root, levels } = this.draft;
    const file = root.source.path;
    const environment = this.environment();
    return {
      name: root.get("plan")?.text ?? basename(file),
      description: root.get("description")?.text ?? "",
      file,
      dir: dirname(file),
      concurrency: numberOf(root.get("concurrency"), 64),
      prelaunch: prelaunchOf(root.get("prelaunch")),
      variables: [...this.draft.variables].map(([name, place]) => variable(name, place)),
      environment: [...environment.keys()],
      environmentSources: [...environment.values()],
      clouds: Object.fromEntries([...usedClouds(this.draft)].map((name) => [name, this.cloud(name)])),
      keep: (root.get("keep")?.text as Keep | undefined) ?? null,
      onFailure: (root.get("on_failure")?.text as OnFailure | undefined) ?? "abort",
      deadlines: Object.fromEntries(
        (root.get("deadlines")?.entries() ?? []).map(([phase, place]) => [phase, duration(place, 0)]),
      ),
      levels: levels.map((level) => ({
        name: level.name,
        services: level.services.map((service) => this.service(service)),
      })),
    };
  }

  /** The environment variables that references read, each with the place of its first reference. */
  private environment(): Map<string, SourcePosition> {
    const found = new Map<string, SourcePosition>();
    const used = usedClouds(this.draft);
    const clouds = [...this.draft.clouds]
      .filter(([name]) => used.has(name))
      .flatMap(([, cloud]) => cloudTemplates(cloud));
    const services = this.draft.levels.flatMap((level) => level.services).flatMap((service) => templatesOf(service));
    for (const { place, mode } of [...clouds, ...services]) {
      for (const { reference, offset, text } of parseTemplate(place.text ?? "", mode).references) {
        if (reference.kind !== "environment" || found.has(reference.name)) continue;
        const { file, line, column } = place.source.mistakeInside(place.path, offset, text, "");
        found.set(reference.name, { file, line, column });
      }
    }
    return found;
  }

  private cloud(name: string): CloudSpec {
    const cloud = this.draft.clouds.get(name);
    const driver = cloud?.get("driver");
    if (!cloud || !driver) return DEFAULT_CLOUD;
    return {
      name,
      driver: driverName(driver),
      options: Object.fromEntries(cloudOptions(cloud).map(([key, { value }]) => [key, value])),
    };
  }

  private service(service: DraftService): ServiceSpec {
    const host = keyOf(service, "host");
    const [size = null, ...fallbackSizes] = service.cloud === null ? [] : sizesOf(service);
    return {
      name: service.name,
      was: service.own.get("was")?.text ?? null,
      replicas: replicasOf(service),
      placement:
        service.cloud === null
          ? { kind: "host", host: this.template(host) ?? [] }
          : { kind: "cloud", cloud: service.cloud },
      image: service.cloud === null ? null : this.template(keyOf(service, "image")),
      size: this.template(size),
      fallbackSizes: fallbackSizes.map((place) => this.template(place) ?? []),
      launch:
        service.cloud === null
          ? {}
          : (compileTree(keyOf(service, "launch")?.value ?? {}, this.draft.services) as Record<string, unknown>),
      attributes: Object.fromEntries(
        [...mergedEntries(service, "attributes")].map(([name, place]) => [
          name,
          { value: this.template(place) ?? [], secret: this.secrets.attribute(service.name, name) },
        ]),
      ),
      outputs: [...outputsOf(service)].map(([name, { secret, default: value }]) => ({
        name,
        secret,
        ...(value === null ? {} : { default: value.text ?? "" }),
      })),
      ssh: compileSsh(
        service,
        service.cloud === null ? undefined : this.definitions.get(service.cloud),
        this.draft.home,
      ),
      boot: this.program(service, "boot"),
      ready: this.ready(service),
      terminate: this.program(service, "terminate"),
      execute: this.program(service, "execute"),
      inputs: compileInputs(this.draft, service, this.secrets),
      report: this.report(service),
      logLimitBytes: byteSize(keyOf(service, "log_limit") ?? this.draft.root.get("log_limit"), LOG_LIMIT_BYTES),
      ...this.image(service),
      source: service.own.position,
    };
  }

  private image(service: DraftService): Pick<ServiceSpec, "imageName" | "setup"> {
    if (service.image === null) return { imageName: null, setup: [] };
    const timeoutMs = duration(keyOf(service, "timeout"), PROGRAM_TIMEOUT_MS);
    return {
      imageName: service.image.name,
      setup: compileSetup(this.draft, service, (recipe) => this.written(service, recipe), timeoutMs),
    };
  }

  private program(service: DraftService, key: string): ProgramSpec | null {
    const program = keyOf(service, key);
    return program === null ? null : this.written(service, program);
  }

  private written(service: DraftService, program: Located): ProgramSpec {
    return {
      run: this.run(program),
      args: (program.get("args")?.items() ?? []).map((place) => this.template(place) ?? []),
      env: Object.fromEntries(
        (program.get("env")?.entries() ?? []).map(([name, place]) => [name, this.template(place) ?? []]),
      ),
      files: (program.get("files")?.items() ?? []).map((place) => resolve(place.dir, place.text ?? "")),
      timeoutMs: duration(program.get("timeout") ?? keyOf(service, "timeout"), PROGRAM_TIMEOUT_MS),
      where: program.get("where")?.text === "launcher" ? "launcher" : "machine",
      sudo: program.get("sudo")?.value === true,
    };
  }

  private ready(service: DraftService): ReadySpec | null {
    const program = this.program(service, "ready");
    const written = keyOf(service, "ready");
    if (program === null || written === null) return null;
    const retries = written.get("retries");
    const window = retries === null ? READY_WINDOW_MS : Number.MAX_SAFE_INTEGER;
    return {
      ...program,
      everyMs: duration(written.get("every"), READY_EVERY_MS),
      retries: retries === null ? null : numberOf(retries, 0),
      windowMs: duration(written.get("timeout"), window),
      bounded: written.get("timeout") !== null,
    };
  }

  private report(service: DraftService): ReportSpec | null {
    const written = keyOf(service, "report");
    if (written === null) return null;
    return {
      program: hasProgram(written) ? this.program(service, "report") : null,
      patterns: (written.get("patterns")?.items() ?? []).map((place) => this.template(place) ?? []),
      timeoutMs: duration(written.get("timeout") ?? keyOf(service, "timeout"), PROGRAM_TIMEOUT_MS),
      sudo: written.get("sudo")?.value === true,
      limitBytes: byteSize(written.get("limit"), REPORT_LIMIT_BYTES),
      fileLimitBytes: byteSize(written.get("file_limit"), REPORT_FILE_LIMIT_BYTES),
    };
  }

  private run(program: Located): ProgramSpec["run"] {
    const place = programPath(program);
    if (place === null) return { kind: "command", line: this.template(program.get("command"), "command") ?? [] };
    const path = resolve(place.dir, place.text ?? "");
    return { kind: this.files.kind(path) === "folder" ? "folder" : isArchive(path) ? "archive" : "file", path };
  }

  private template(place: Located | null, mode: TemplateMode = "strict"): Template | null {
    const text = place?.text ?? null;
    return text === null ? null : splitReplicas(parseTemplate(text, mode).parts, this.draft.services);
  }
}

function variable(name: string, place: Located): VariableSpec {
  return {
    name,
    description: place.get("description")?.text ?? "",
    default: place.text ?? place.get("default")?.text ?? null,
    secret: place.get("secret")?.value === true,
    env: place.get("env")?.text ?? null,
    source: place.position,
  };
}

function duration(place: Located | null, otherwise: number): number {
  return place?.text ? durationMs(place.text) : otherwise;
}

function byteSize(place: Located | null, otherwise: number): number {
  return place?.text ? parseByteSize(place.text) : otherwise;
}

function numberOf(place: Located | null, otherwise: number): number {
  return typeof place?.value === "number" ? place.value : otherwise;
}

function prelaunchOf(place: Located | null): LaunchPlan["prelaunch"] {
  const written = place?.text;
  return written === "none" || written === "all" || written === "just-in-time" ? written : "next";
}
