/** Compiled plans for tests of what comes after compilation. */
import { NOTHING_GIVEN } from "../../src/plan/launchPlan/given.js";
import type { LaunchPlan, LevelSpec, ServiceSpec } from "../../src/plan/launchPlan/launchPlan.js";

export function service(name: string, parts: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    was: null,
    replicas: 1,
    placement: { kind: "cloud", cloud: "local" },
    image: null,
    size: null,
    fallbackSizes: [],
    launch: {},
    attributes: {},
    outputs: [],
    ssh: {
      user: "root",
      port: 22,
      identities: [],
      passphraseEnv: null,
      agent: false,
      jump: null,
      hostKeys: "known-hosts",
      knownHosts: "/nonexistent",
      connectTimeoutMs: 5_000,
      keepaliveMs: 15_000,
      cloudInit: "ignore",
      cloudInitTimeoutMs: 600_000,
    },
    boot: null,
    ready: null,
    terminate: null,
    execute: null,
    report: null,
    inputs: [],
    imageName: null,
    setup: [],
    source: { file: "/plan/launch.yaml", line: 1, column: 1 },
    ...parts,
  };
}

export function plan(levels: readonly LevelSpec[], parts: Partial<LaunchPlan> = {}): LaunchPlan {
  return {
    name: "sample",
    description: "",
    file: "/plan/launch.yaml",
    dir: "/plan",
    concurrency: 64,
    prelaunch: "next",
    variables: [],
    environment: [],
    environmentSources: [],
    clouds: { local: { name: "local", driver: "local", options: {} } },
    levels,
    given: NOTHING_GIVEN,
    keep: null,
    onFailure: "abort",
    deadlines: {},
    ...parts,
  };
}
