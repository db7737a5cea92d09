/**
 * The compiled launch plan: what `plan/` makes of a YAML file and everything after it trusts. Nothing is optional,
 * durations are milliseconds, files are absolute paths, and a string with references is parsed into parts. It is plain
 * JSON, because it is stored with the run: later commands need no file.
 */

import type { Given } from "./given.js";
import type { HostKeyPolicy } from "../../drivers/contract/driver.js";

/** A place in the plan's text, counted from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One `${…}`. `replica` is 0 for `${web.host}`, n for `${web-2.host}` and "all" for `${web.*.host}`. */
export type Reference =
  | { readonly kind: "service"; readonly service: string; readonly replica: number | "all"; readonly attribute: string }
  | { readonly kind: "self"; readonly attribute: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "run"; readonly field: "name" }
  | { readonly kind: "plan"; readonly field: "dir" };

/** A string with its references cut out: literal text and references in order. */
export type Template = readonly (string | Reference)[];

/**
 * One variable of the plan. Its value is chosen by `resolveVariables`; a secret's default stays out of the stored plan.
 */
export interface VariableSpec {
  readonly name: string;
  readonly description: string;
  readonly default: string | null;
  readonly secret: boolean;
  /** The launcher's environment variable that gives the value, or null. */
  readonly env: string | null;
  readonly source: SourcePosition;
}

/**
 * One of the plan's `clouds`: the driver and the driver's own keys (templates resolved with variables and environment
 * only).
 */
export interface CloudSpec {
  readonly name: string;
  /** `local`, `existing`, an npm package's name, or the absolute path of a module. */
  readonly driver: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** How a machine is reached over SSH. */
export interface SshSpec {
  readonly user: string;
  readonly port: number;
  /** Absolute paths of private keys, tried in order; empty means the agent and the usual files of ~/.ssh. */
  readonly identities: readonly string[];
  /** The launcher's environment variable that holds the keys' passphrase, or null. */
  readonly passphraseEnv: string | null;
  readonly agent: boolean;
  readonly jump: { readonly host: string; readonly user: string; readonly port: number } | null;
  readonly hostKeys: HostKeyPolicy;
  /** Whether a new machine's cloud-init is waited for before the first program, where there is one. */
  readonly cloudInit: "wait" | "ignore";
  /** How long it may take. */
  readonly cloudInitTimeoutMs: number;
  /** Absolute path of the known_hosts file. */
  readonly knownHosts: string;
  /** How long a machine may take until it answers. */
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number;
}

/** A program of a service, with what travels beside it. */
export interface ProgramSpec {
  /** A file, a folder with run.sh or a .tar.gz of one (absolute path), or one line for the machine's shell. */
  readonly run:
    | { readonly kind: "file" | "folder" | "archive"; readonly path: string }
    | { readonly kind: "command"; readonly line: Template };
  readonly args: readonly Template[];
  readonly env: Readonly<Record<string, Template>>;
  /** Files and folders (absolute paths) that lie beside the program under their base names. */
  readonly files: readonly string[];
  readonly timeoutMs: number;
  readonly where: "machine" | "launcher";
  readonly sudo: boolean;
}

/** The ready program: when it is tried again, and for how long. */
export interface ReadySpec extends ProgramSpec {
  readonly everyMs: number;
  /** How often it is tried again after a failure; null: until `windowMs` has passed. */
  readonly retries: number | null;
  /** No new try begins later than this after the first. */
  readonly windowMs: number;
  /** The plan gives the ready program a timeout of its own: a try is ended when `windowMs` is over, too. */
  readonly bounded: boolean;
}

export interface OutputSpec {
  readonly name: string;
  readonly secret: boolean;
}

/**
 * A value that a service takes in under a name of its own (`bl get`, `${self.name}`): given by the plan or the
 * operator, or linked to what another service (in the same level too) puts out.
 */
export interface InputSpec {
  /** Letters, digits, `_`, `-` and `.`: `webserver.port`. */
  readonly name: string;
  readonly source:
    | { readonly kind: "value"; readonly value: Template; readonly secret: boolean }
    | { readonly kind: "link"; readonly link: Reference & { readonly kind: "service" } };
}

/** What a service leaves behind for its operator, brought home before its machine goes. */
export interface ReportSpec {
  /** Writes files to $BOOTLEVEL_REPORT_DIR, or null. */
  readonly program: ProgramSpec | null;
  /** Files on the machine, as shell patterns: absolute, or relative to the boot program's directory. */
  readonly patterns: readonly Template[];
  /** The longest that fetching may take. */
  readonly timeoutMs: number;
  /** Files are read as root. */
  readonly sudo: boolean;
}

/**
 * What makes the machine's image what it is, where nobody has built it: run in order before the boot program, the
 * parent image's first.
 */
export interface SetupSpec {
  /** The image whose packages or recipe it is. */
  readonly image: string;
  readonly kind: "packages" | "recipe";
  readonly program: ProgramSpec;
  /** A hash of what this step and those before it make of a machine: known once the variables have values. */
  readonly content?: string;
}

/** What was decided of a service's image when its run began, or its plan changed: the run keeps to it. */
export interface ImageChoice {
  /** A hash of all that makes the image. */
  readonly definition: string;
  /**
   * The built image that machines start from, and how many steps of the image's it has; null: they start from what the
   * plan says.
   */
  readonly built: {
    readonly image: string;
    readonly version: number;
    readonly id: string;
    readonly steps: number;
  } | null;
}

/** What becomes of a run's machines at the end of `bootlevel run`. */
export type Keep = "never" | "always" | "on-error" | "on-success";

/** The parts of `bootlevel run`, each with a deadline of its own. */
export type Phase = "boot" | "execute" | "report" | "terminate";

/**
 * Which machine a service runs on: one that its cloud starts, the one of another service, or a host that exists
 * already.
 */
export type Placement =
  { readonly kind: "cloud"; readonly cloud: string } | { readonly kind: "host"; readonly host: Template };

/** A service as written once; `replicas` of it are started. */
export interface ServiceSpec {
  readonly name: string;
  /** The name that it had in an earlier version of the plan, or null. */
  readonly was: string | null;
  readonly replicas: number;
  readonly placement: Placement;
  readonly image: Template | null;
  readonly size: Template | null;
  /** Sizes to try where there is no capacity for `size`. */
  readonly fallbackSizes: readonly Template[];
  /** The driver's own keys under `launch:`, as written; strings in it may hold references (see `resolveTree`). */
  readonly launch: Readonly<Record<string, unknown>>;
  readonly attributes: Readonly<Record<string, { readonly value: Template; readonly secret: boolean }>>;
  readonly outputs: readonly OutputSpec[];
  readonly ssh: SshSpec;
  readonly boot: ProgramSpec | null;
  readonly ready: ReadySpec | null;
  readonly terminate: ProgramSpec | null;
  /** What it is there for: run once everything in its level is ready. */
  readonly execute: ProgramSpec | null;
  readonly report: ReportSpec | null;
  readonly inputs: readonly InputSpec[];
  /**
   * The numbers of its replicas, in order, where they are not 1 to `replicas`: a number is never used again in a run.
   */
  readonly replicaNumbers?: readonly number[];
  /** The plan's image that it is made from, or null. */
  readonly imageName: string | null;
  /** What is done before `boot` to make that image, where the machine's has none of it. */
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
  /** Absolute path of the plan file and of its folder. */
  readonly file: string;
  readonly dir: string;
  readonly concurrency: number;
  readonly prelaunch: "none" | "next" | "all" | "just-in-time";
  readonly variables: readonly VariableSpec[];
  /** Names of the launcher's environment variables that references read. */
  readonly environment: readonly string[];
  /** Where each of `environment` is first referred to, in the same order. */
  readonly environmentSources: readonly SourcePosition[];
  /** The clouds that services use. */
  readonly clouds: Readonly<Record<string, CloudSpec>>;
  readonly levels: readonly LevelSpec[];
  /** What the operator said of replicas and inputs in the call that loaded it. */
  readonly given: Given;
  /** What becomes of its machines at the end of `bootlevel run`, or null where the plan does not say. */
  readonly keep: Keep | null;
  /** Milliseconds that each phase of `bootlevel run` may take. */
  readonly deadlines: Readonly<Partial<Record<Phase, number>>>;
}

/** Attributes that every service has without declaring them. */
export const BUILT_IN_ATTRIBUTES = [
  "host",
  "private_host",
  "hostname",
  "instance_id",
  "cloud",
  "replica",
  "replicas",
  "ids",
] as const;

/** The numbers of a service's replicas, in order. */
export function replicaNumbers(service: Pick<ServiceSpec, "replicas" | "replicaNumbers">): readonly number[] {
  return service.replicaNumbers ?? Array.from({ length: service.replicas }, (_, index) => index + 1);
}

/** The names of a service's replicas in order: `web` alone for one, `web-1` … `web-n` otherwise. */
export function replicaNames(service: Pick<ServiceSpec, "name" | "replicas" | "replicaNumbers">): string[] {
  if (service.replicas === 1 && service.replicaNumbers === undefined) return [service.name];
  return replicaNumbers(service).map((number) => `${service.name}-${number}`);
}
