/** Compiled plans for tests of what comes after compilation. */
import type { LaunchPlan, LevelSpec, ServiceSpec } from "../../src/plan/launchPlan/launchPlan.js";

export function service(name: string, parts: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    was: null,
    replicas: 1,
    placement: { kind: "cloud", cloud: "local" },
    image: null,
    size: null,
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
    },
    boot: null,
    ready: null,
    terminate: null,
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
    ...parts,
  };
}
