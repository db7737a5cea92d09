/**
 * The compiled launch plan: what `plan/` makes of a YAML file. All later code relies on it. Nothing is optional,
 * durations are milliseconds, file paths are absolute, and strings with references are parsed into parts. It is plain
 * JSON and is stored with the run, so later commands need no file.
 */

import type { Given } from "./given.js";
import type { HostKeyPolicy } from "../../drivers/contract/driver.js";

/** A place in the plan's text, counted from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * One `${…}`. `replica` is 0 for `${web.host}`, n for `${web-2.host}` and "all" for `${web.*.host}`. `json` for
 * `${web.*.host|json}`: the value as JSON, of all replicas as a list.
 */
export type Reference = (
  | { readonly kind: "service"; readonly service: string; readonly replica: number | "all"; readonly attribute: string }
  | { readonly kind: "self"; readonly attribute: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "run"; readonly field: "name" }
  | { readonly kind: "plan"; readonly field: "dir" }
) & { readonly json?: true };

/** A string parsed into literal text and references, in order. */
export type Template = readonly (string | Reference)[];

/** One variable of the plan. `resolveVariables` selects its value. A secret's default is not in the stored plan. */
export interface VariableSpec {
  readonly name: string;
  readonly description: string;
  readonly default: string | null;
  readonly secret: boolean;
  /** The launcher's environment variable that provides the value, or null. */
  readonly env: string | null;
  readonly source: SourcePosition;
}

/**
 * One of the plan's `clouds`: the driver and the driver's own keys. Their templates may use only variables and the
 * environment.
 */
export interface CloudSpec {
  readonly name: string;
  /** `local`, `existing`, the name of an npm package, or the absolute path of a module. */
  readonly driver: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** How a machine is reached over SSH. */
export interface SshSpec {
  readonly user: string;
  readonly port: number;
  /** Absolute paths of private keys, tried in order. Empty: the agent and the default files in ~/.ssh. */
  readonly identities: readonly string[];
  /** The launcher's environment variable that contains the keys' passphrase, or null. */
  readonly passphraseEnv: string | null;
  readonly agent: boolean;
  readonly jump: { readonly host: string; readonly user: string; readonly port: number } | null;
  /** The program that carries the connection, with its arguments, or null. */
  readonly proxyCommand?: readonly string[] | null;
  readonly hostKeys: HostKeyPolicy;
  /** Whether the launcher waits for a new machine's cloud-init, if it has one, before the first program. */
  readonly cloudInit: "wait" | "ignore";
  /** The timeout of cloud-init. */
  readonly cloudInitTimeoutMs: number;
  /** Absolute path of the known_hosts file. */
  readonly knownHosts: string;
  /** How long a machine may take until it answers. */
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number;
}

/** A program of a service, and the files that are sent with it. */
export interface ProgramSpec {
  /** A file, a folder with run.sh or a .tar.gz of one (absolute path), or one line for the machine's shell. */
  readonly run:
    | { readonly kind: "file" | "folder" | "archive"; readonly path: string }
    | { readonly kind: "command"; readonly line: Template };
  readonly args: readonly Template[];
  readonly env: Readonly<Record<string, Template>>;
  /** Files and folders (absolute paths) that are placed beside the program under their base names. */
  readonly files: readonly string[];
  readonly timeoutMs: number;
  readonly where: "machine" | "launcher";
  /** Whether it runs as root; "itself": it runs as the user, and calls sudo for parts of its work. */
  readonly sudo: boolean | "itself";
}

/** The ready program: its retry interval and time limits. */
export interface ReadySpec extends ProgramSpec {
  readonly everyMs: number;
  /** Retries after a failure. Null: retry until `windowMs` has passed. */
  readonly retries: number | null;
  /** No try begins later than this after the first one. */
  readonly windowMs: number;
  /** The plan sets a timeout for the ready program: a running try is also ended after `windowMs`. */
  readonly bounded: boolean;
}

export interface OutputSpec {
  readonly name: string;
  readonly secret: boolean;
  /** The value if the service's programs end without setting one. Absent: they must set it. */
  readonly default?: string;
}

/**
 * A named value that a service receives (`bl get`, `${self.name}`). The plan or the operator sets it, or it is linked
 * to an output of another service, which may be in the same level.
 */
export interface InputSpec {
  /** Letters, digits, `_`, `-` and `.`: `webserver.port`. */
  readonly name: string;
  readonly source:
    | { readonly kind: "value"; readonly value: Template; readonly secret: boolean }
    | { readonly kind: "link"; readonly link: Reference & { readonly kind: "service" } };
}

/** What is collected from a service before its machine is destroyed. */
export interface ReportSpec {
  /** Writes files to $BOOTLEVEL_REPORT_DIR, or null. */
  readonly program: ProgramSpec | null;
  /** Files on the machine as shell patterns: absolute, or relative to the boot program's directory. */
  readonly patterns: readonly Template[];
  /** The timeout for fetching. */
  readonly timeoutMs: number;
  /** Whether files are read as root. */
  readonly sudo: boolean;
  /** The maximum size of all its files together, before compression, in bytes. */
  readonly limitBytes?: number;
  /** The maximum size of one file, in bytes. */
  readonly fileLimitBytes?: number;
}

/**
 * A step that builds the machine's image when no built image exists. Steps run in order before the boot program, those
 * of the parent image first.
 */
export interface SetupSpec {
  /** The image that the packages or the recipe belong to. */
  readonly image: string;
  readonly kind: "packages" | "recipe";
  readonly program: ProgramSpec;
  /** A hash of the result of this step and all steps before it. Known once the variables have values. */
  readonly content?: string;
}

/** The image of a service, as chosen when the run began or its plan changed. The run keeps this choice. */
export interface ImageChoice {
  /** A hash of everything that defines the image. */
  readonly definition: string;
  /**
   * The built image that machines start from, and how many of the image's steps it includes. Null: machines start from
   * the image that the plan names.
   */
  readonly built: {
    readonly image: string;
    readonly version: number;
    readonly id: string;
    readonly steps: number;
  } | null;
}

/** Whether the machines of a run are kept at the end of `bootlevel run`. */
/**
 * What a failure of a service in `bootlevel run` does: "abort" ends everything in progress at once, "settle" lets what
 * runs beside it end by itself.
 */
export type OnFailure = "abort" | "settle";

export type Keep = "never" | "always" | "on-error" | "on-success";

/** The phases of `bootlevel run`. Each can have a deadline. */
export type Phase = "boot" | "execute" | "report" | "terminate";

/** The machine of a service: started by its cloud, shared with another service, or a host that already exists. */
export type Placement =
  { readonly kind: "cloud"; readonly cloud: string } | { readonly kind: "host"; readonly host: Template };

/** A service as written in the plan. `replicas` of it are started. */
export interface ServiceSpec {
  readonly name: string;
  /** The service's name in an earlier version of the plan, or null. */
  readonly was: string | null;
  readonly replicas: number;
  readonly placement: Placement;
  readonly image: Template | null;
  readonly size: Template | null;
  /** Alternative sizes when there is no capacity for `size`. */
  readonly fallbackSizes: readonly Template[];
  /** The driver's own keys under `launch:`, as written. Strings may contain references (see `resolveTree`). */
  readonly launch: Readonly<Record<string, unknown>>;
  readonly attributes: Readonly<Record<string, { readonly value: Template; readonly secret: boolean }>>;
  readonly outputs: readonly OutputSpec[];
  readonly ssh: SshSpec;
  readonly boot: ProgramSpec | null;
  readonly ready: ReadySpec | null;
  readonly terminate: ProgramSpec | null;
  /** The service's job: runs once everything in its level is ready. */
  readonly execute: ProgramSpec | null;
  readonly report: ReportSpec | null;
  readonly inputs: readonly InputSpec[];
  /** The maximum size of the log of each of its steps, in bytes. */
  readonly logLimitBytes?: number;
  /** The numbers of its replicas, in order, if they are not 1 to `replicas`. A run never reuses a number. */
  readonly replicaNumbers?: readonly number[];
  /** The plan's image that it uses, or null. */
  readonly imageName: string | null;
  /** The steps that build that image before `boot`, as far as the machine's image does not include them. */
  readonly setup: readonly SetupSpec[];
  readonly imageChoice?: ImageChoice;
  readonly source: SourcePosition;
}

export interface LevelSpec {
  readonly name: string;
  readonly services: readonly ServiceSpec[];
}

export interface LaunchPlan {
  readonly name: string;
  readonly description: string;
  /** Absolute paths of the plan file and of its folder. */
  readonly file: string;
  readonly dir: string;
  readonly concurrency: number;
  readonly prelaunch: "none" | "next" | "all" | "just-in-time";
  readonly variables: readonly VariableSpec[];
  /** Names of the launcher's environment variables that references read. */
  readonly environment: readonly string[];
  /** The position of the first reference to each of `environment`, in the same order. */
  readonly environmentSources: readonly SourcePosition[];
  /** The clouds that services use. */
  readonly clouds: Readonly<Record<string, CloudSpec>>;
  readonly levels: readonly LevelSpec[];
  /** Replicas and inputs that the operator gave on the command line that loaded the plan. */
  readonly given: Given;
  /** Whether its machines are kept at the end of `bootlevel run`, or null if the plan does not say. */
  readonly keep: Keep | null;
  /** What a failure in `bootlevel run` does. */
  readonly onFailure: OnFailure;
  /** Deadline of each phase of `bootlevel run`, in milliseconds. */
  readonly deadlines: Readonly<Partial<Record<Phase, number>>>;
}

/** Attributes that every service has without a declaration. */
export const BUILT_IN_ATTRIBUTES = [
  "host",
  "private_host",
  "hostname",
  "instance_id",
  "cloud",
  "instance_size",
  "instance_zone",
  "replica",
  "replicas",
  "ids",
] as const;

/** The numbers of a service's replicas, in order. */
export function replicaNumbers(service: Pick<ServiceSpec, "replicas" | "replicaNumbers">): readonly number[] {
  return service.replicaNumbers ?? Array.from({ length: service.replicas }, (_, index) => index + 1);
}

/**
 * The number of the replica that a reference means: `${web-2.host}` is the second replica in the order of their numbers,
 * so a plan that is valid once stays valid, whichever replicas a run has lost or gained.
 * @param position from 1; 0 for a reference without one, which means the first.
 */
export function meantReplica(position: number, numbers: readonly number[]): number {
  const place = Math.max(1, position);
  return numbers[place - 1] ?? place;
}

/** The names of a service's replicas in order: `web` for a single one, otherwise `web-1` … `web-n`. */
export function replicaNames(service: Pick<ServiceSpec, "name" | "replicas" | "replicaNumbers">): string[] {
  if (service.replicas === 1 && service.replicaNumbers === undefined) return [service.name];
  return replicaNumbers(service).map((number) => `${service.name}-${number}`);
}
