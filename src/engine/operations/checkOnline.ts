/**
 * Asks the clouds of a plan whether its launches would work. Launches nothing, records nothing and needs no
 * installation.
 */
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  CloudUnreachableError,
  isCloudUnreachableError,
  type Driver,
  type LaunchRequest,
} from "../../drivers/contract/driver.js";
import { memoryState } from "../../drivers/shared/memoryState.js";
import { loadDriver } from "../../drivers/registry.js";
import type { CloudSpec, LaunchPlan, ServiceSpec } from "../../plan/launchPlan/launchPlan.js";
import { PlanError, type Mistake } from "../../plan/yaml/mistakes.js";
import { resolveTree } from "../../plan/references/resolve.js";
import { mistakeAt } from "../../plan/references/variables.js";
import type { VariableRecord } from "../../state/contract/records.js";
import type { Environment } from "../../model/environment.js";
import { realClock } from "../../time/clock.js";
import { AttributeRegistry, isUnresolvedError } from "../attributes/attributes.js";
import { guardDriver } from "../clouds/guardedDriver.js";

export interface CheckOnlineParts {
  readonly plan: LaunchPlan;
  readonly variables: readonly VariableRecord[];
  /** The environment that drivers may read. */
  readonly env: Environment;
  /** Receives warnings that are not mistakes in the plan. */
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

/** The result of a check that found no problem. */
export interface OnlineCheck {
  /** Services whose launches would work, by cloud. */
  readonly checked: readonly { readonly cloud: string; readonly services: readonly string[] }[];
  readonly unchecked: readonly Unchecked[];
}

export interface Unchecked {
  readonly cloud: string;
  readonly services: readonly string[];
  readonly why: string;
}

/** The number of services named in one mistake; the others are counted. */
const MOST_NAMED = 3;

/**
 * Checks all launches of a plan, as far as their values are known before boot.
 * @throws PlanError with every problem, at the service that has it; CloudUnreachableError if that is the only problem.
 */
export async function checkOnline(parts: CheckOnlineParts): Promise<OnlineCheck> {
  const { plan, variables } = parts;
  const book = new AttributeRegistry(plan, `${plan.name}-0000`, variables);
  const findings: Findings = { mistakes: [], unreachable: [], checked: [], unchecked: [] };
  for (const spec of Object.values(plan.clouds)) {
    const services = plan.levels
      .flatMap((level) => level.services)
      .filter(({ placement, replicas }) => replicas > 0 && placement.kind === "cloud" && placement.cloud === spec.name);
    if (services.length > 0) await checkCloud(parts, book, spec, services, findings);
  }
  if (findings.mistakes.length > 0) {
    for (const { cloud, services, why } of findings.unchecked)
      parts.warn(`not checked: ${namesOf(services)} on cloud "${cloud}": ${why}`);
    for (const { message } of findings.unreachable) parts.warn(message);
    throw new PlanError(findings.mistakes);
  }
  const [unreachable] = findings.unreachable;
  if (unreachable !== undefined) throw unreachable;
  return { checked: findings.checked, unchecked: findings.unchecked };
}

interface Findings {
  readonly mistakes: Mistake[];
  readonly unreachable: CloudUnreachableError[];
  readonly checked: { cloud: string; services: string[] }[];
  readonly unchecked: Unchecked[];
}

async function checkCloud(
  parts: CheckOnlineParts,
  book: AttributeRegistry,
  spec: CloudSpec,
  services: readonly ServiceSpec[],
  findings: Findings,
): Promise<void> {
  const { plan, signal } = parts;
  const cloud = spec.name;
  const names = services.map(({ name }) => name);
  const { driver, preparesMachines, close } = await openDriver(parts, book, spec);
  try {
    if (driver.check === undefined)
      return void findings.unchecked.push({
        cloud,
        services: names,
        why: `its driver ("${driverTitle(spec)}") cannot tell`,
      });
    const requests = new Map<string, LaunchRequest>();
    for (const service of services) {
      try {
        requests.set(service.name, requestFor(plan, book, service, preparesMachines));
      } catch (error) {
        if (!isUnresolvedError(error)) throw error;
        findings.unchecked.push({
          cloud,
          services: [service.name],
          why: "it needs values of other services, which are known only when those have booted",
        });
      }
    }
    const problems = await driver.check([...requests.values()], signal);
    const bad = new Set(problems.flatMap(({ keys }) => keys));
    findings.checked.push({ cloud, services: [...requests.keys()].filter((name) => !bad.has(name)) });
    for (const { keys, message } of problems)
      findings.mistakes.push(
        mistakeOf(
          services.filter(({ name }) => keys.includes(name)),
          message,
        ),
      );
  } catch (error) {
    if (!isCloudUnreachableError(error)) throw error;
    findings.unreachable.push(error);
  } finally {
    await close();
  }
}

/** The driver, with state and a directory that go when it is closed: it is asked questions only. */
async function openDriver(
  { plan, env, warn }: CheckOnlineParts,
  book: AttributeRegistry,
  spec: CloudSpec,
): Promise<{ driver: Driver; preparesMachines: boolean; close: () => Promise<void> }> {
  const definition = await loadDriver(spec.driver, plan.dir);
  const options = resolveTree(spec.options, (reference) => book.lookup(reference, null));
  const stateDirectory = mkdtempSync(join(tmpdir(), "bootlevel-check-"));
  const made = definition.create({
    cloud: spec.name,
    options,
    state: memoryState(),
    stateDirectory,
    warn: (message) => {
      warn(`cloud "${spec.name}": ${message}`);
    },
    clock: realClock,
    env,
    permit: async () => undefined,
    readOnly: true,
  });
  const driver = guardDriver(made, {
    cloud: spec.name,
    clock: realClock,
    prove: async () => undefined,
    probe: undefined,
    random: () => randomInt(1000) / 1000,
  });
  const close = async () => {
    await made.close?.();
    rmSync(stateDirectory, { recursive: true, force: true });
  };
  return { driver, preparesMachines: definition.preparesMachines === true, close };
}

/**
 * The launch request for one of the service's replicas; its key is the service's name.
 * @throws UnresolvedError
 */
function requestFor(
  plan: LaunchPlan,
  book: AttributeRegistry,
  service: ServiceSpec,
  preparesMachines: boolean,
): LaunchRequest {
  const { name, image, size, fallbackSizes = [], launch, ssh } = service;
  return {
    key: name,
    replica: 1,
    mark: { installation: "check", run: "check", runName: `${plan.name}-0000`, service: name },
    image: image && book.resolve(image, null),
    size: size && book.resolve(size, null),
    fallbackSizes: fallbackSizes.map((fallback) => book.resolve(fallback, null)),
    launch: resolveTree(launch, (reference) => book.lookup(reference, null)),
    avoid: [],
    contact: preparesMachines ? { authorizedKeys: [], hostKey: ssh.hostKeys === "injected" } : null,
  };
}

/** The mistake for one problem, at the first service that has it. */
function mistakeOf(services: readonly ServiceSpec[], message: string): Mistake {
  const [first] = services;
  if (first === undefined) throw new Error(`the driver's problem names no service: ${message}`);
  const others = services.length === 1 ? "" : ` (${namesOf(services.map(({ name }) => name))})`;
  return mistakeAt(first.source, first.name, message + others);
}

/** The first names, and the number of the others. */
function namesOf(names: readonly string[]): string {
  if (names.length <= MOST_NAMED + 1) return names.join(", ");
  return `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more`;
}

function driverTitle({ driver }: CloudSpec): string {
  return driver.split("/").at(-1) ?? driver;
}
