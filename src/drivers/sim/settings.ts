/**
 * Parses the keys of a simulated cloud and of a service's `launch:`. In the result nothing is optional and durations
 * are milliseconds.
 */
import type { Distribution } from "./chance.js";
import { allReplicas, readScript, type ScriptEntry, type Step, type WrittenEntry } from "./script.js";
import { readDistribution, readDuration, readNumber, type WrittenDistribution } from "./values.js";

type WrittenNumber = number | string;

interface WrittenProgram {
  readonly duration?: WrittenDistribution;
  readonly fail?: WrittenNumber;
  readonly exit?: WrittenNumber;
  readonly hang?: WrittenNumber;
  readonly output?: string;
}

/** `launch:` of a service, and an entry of the cloud's `services`. */
export interface WrittenService {
  readonly latency?: WrittenDistribution;
  readonly refuse?: WrittenNumber;
  readonly die?: { readonly probability: WrittenNumber; readonly within: string };
  readonly programs?: { readonly [step in Step]?: WrittenProgram };
  readonly outputs?: Readonly<Record<string, string | number | boolean>>;
}

interface WrittenCloud {
  readonly seed?: WrittenNumber;
  readonly file?: string;
  readonly launch?: Pick<WrittenService, "latency" | "refuse"> & { readonly capacity?: WrittenNumber };
  readonly machines?: Pick<WrittenService, "die">;
  readonly calls?: {
    readonly latency?: WrittenDistribution;
    readonly throttle?: WrittenNumber;
    readonly lost_reply?: WrittenNumber;
    readonly limit?: WrittenNumber;
  };
  readonly visibility?: string;
  readonly programs?: WrittenService["programs"];
  readonly services?: Readonly<Record<string, WrittenService>>;
  readonly script?: readonly WrittenEntry[];
}

export interface ProgramSettings {
  readonly duration: Distribution;
  /** Probabilities of a failure and of a program that never ends, and the exit code of a failure. */
  readonly fail: number;
  readonly exit: number;
  readonly hang: number;
  readonly output: string;
}

export interface ServiceSettings {
  readonly latency: Distribution;
  readonly refuse: number;
  readonly die: { readonly probability: number; readonly withinMs: number };
  readonly programs: Readonly<Record<Step, ProgramSettings>>;
  /** Outputs that its boot program sets, by name. */
  readonly outputs: Readonly<Record<string, string>>;
}

export interface CallSettings {
  readonly latency: Distribution;
  readonly throttle: number;
  readonly lostReply: number;
  /** Calls per second. Infinity: no limit. */
  readonly limit: number;
}

const PROBABILITY = [0, 1] as const;

/** The settings of a cloud. */
export class Settings {
  readonly seed: string | null;
  readonly file: string;
  readonly capacity: number;
  readonly calls: CallSettings;
  readonly visibilityMs: number;
  readonly script: readonly ScriptEntry[];
  private readonly written: WrittenCloud;

  /**
   * @param options the cloud's keys, references resolved.
   * @throws DriverError for an invalid value from a reference, which the schema could not check.
   */
  constructor(cloud: string, options: Readonly<Record<string, unknown>>) {
    const written = options as WrittenCloud;
    const { launch = {}, calls = {} } = written;
    this.written = written;
    this.seed = written.seed === undefined ? null : String(written.seed);
    this.file = written.file ?? `${encodeURIComponent(cloud)}.db`;
    this.capacity = readNumber("capacity", launch.capacity, Infinity, [1, Infinity]);
    this.visibilityMs = written.visibility === undefined ? 0 : readDuration("visibility", written.visibility);
    this.calls = {
      latency: readDistribution("latency of calls", calls.latency),
      throttle: readNumber("throttle", calls.throttle, 0, PROBABILITY),
      lostReply: readNumber("lost_reply", calls.lost_reply, 0, PROBABILITY),
      limit: readNumber("limit", calls.limit, Infinity, [Number.MIN_VALUE, Infinity]),
    };
    this.script = readScript(written.script ?? []);
    this.service("");
  }

  /**
   * The effective settings of a service: from its `launch:`, then the cloud's `services` (its own name before that of
   * all replicas), then the cloud.
   * @throws DriverError
   */
  service(name: string, launch: WrittenService = {}): ServiceSettings {
    const { services = {}, programs } = this.written;
    const meant = [...new Set([allReplicas(name), name])].filter((entry) => Object.hasOwn(services, entry));
    const cloud: WrittenService = { ...this.written.launch, ...this.written.machines, ...(programs && { programs }) };
    return readService([...meant.map((entry) => services[entry] ?? {}), launch].reduce(overlay, cloud));
  }
}

function overlay(under: WrittenService, over: WrittenService): WrittenService {
  const program = (step: Step): WrittenProgram => ({ ...under.programs?.[step], ...over.programs?.[step] });
  const programs = { boot: program("boot"), ready: program("ready"), terminate: program("terminate") };
  return { ...under, ...over, programs, outputs: { ...under.outputs, ...over.outputs } };
}

function readService({ latency, refuse, die, programs = {}, outputs = {} }: WrittenService): ServiceSettings {
  return {
    latency: readDistribution("latency", latency),
    refuse: readNumber("refuse", refuse, 0, PROBABILITY),
    die:
      die === undefined
        ? { probability: 0, withinMs: 0 }
        : {
            probability: readNumber("die", die.probability, 0, PROBABILITY),
            withinMs: readDuration("die", die.within),
          },
    programs: {
      boot: readProgram("boot", programs.boot),
      ready: readProgram("ready", programs.ready),
      terminate: readProgram("terminate", programs.terminate),
    },
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, String(value)])),
  };
}

function readProgram(step: Step, { duration, fail, exit, hang, output }: WrittenProgram = {}): ProgramSettings {
  return {
    duration: readDistribution(`duration of ${step}`, duration),
    fail: readNumber(`fail of ${step}`, fail, 0, PROBABILITY),
    exit: readNumber(`exit of ${step}`, exit, 1, [1, 255]),
    hang: readNumber(`hang of ${step}`, hang, 0, PROBABILITY),
    output: output ?? "",
  };
}
