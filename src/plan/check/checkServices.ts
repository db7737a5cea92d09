/** Finds duplicate names, unknown clouds, and keys that contradict each other. */
import { relative } from "node:path";
import {
  keyOf,
  IMPLICIT_CLOUD,
  mergedEntries,
  outputLists,
  outputsOf,
  type DraftOutput,
  replicasOf,
  type Draft,
  type DraftService,
} from "../draft/draft.js";
import { sshEntries } from "../draft/sshEntries.js";
import { BUILT_IN_ATTRIBUTES } from "../launchPlan/launchPlan.js";
import type { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import { templateReferences } from "../references/references.js";
import { suggest } from "../../text/suggest.js";

export function checkServices(draft: Draft): Mistake[] {
  return [
    ...checkLevelNames(draft),
    ...checkServiceNames(draft),
    ...checkReplicaNames(draft),
    ...checkFormerNames(draft),
    ...checkVariables(draft),
    ...checkDefaultPlacement(draft),
    ...draft.levels
      .flatMap(({ services }) => services)
      .flatMap((service) => [...checkPlacement(draft, service), ...checkAttributes(service), ...checkSsh(service)]),
  ];
}

function checkLevelNames({ levels }: Draft): Mistake[] {
  const first = new Map<string, Located>();
  return levels.flatMap(({ name, place }) => {
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, place);
    return earlier === undefined
      ? []
      : [place.mistake(`duplicate level name "${name}", first used at ${whereIs(earlier, place)}: rename one`)];
  });
}

function checkServiceNames({ levels, services }: Draft): Mistake[] {
  return levels
    .flatMap((level) => level.services)
    .flatMap((service) => {
      const first = services.get(service.name);
      if (first === undefined || first === service) return [];
      return [
        service.own.mistake(
          `duplicate service name "${service.name}", ` +
            `first used in level "${first.level.name}" (${whereIs(first.own, service.own)}): rename one`,
          null,
          "key",
        ),
      ];
    });
}

/** `web` with three replicas is web-1, web-2 and web-3, so no other service may have such a name. */
function checkReplicaNames({ services }: Draft): Mistake[] {
  return [...services.values()].flatMap((service) => {
    const [, base, digits] = /^(.+)-([1-9][0-9]*)$/.exec(service.name) ?? [];
    const other = base === undefined ? undefined : services.get(base);
    const replicas = other === undefined ? 1 : replicasOf(other);
    if (other === undefined || replicas === 1 || Number(digits) > replicas) return [];
    return [
      service.own.mistake(
        `"${service.name}" is also a replica of service "${other.name}" (${whereIs(other.own, service.own)}, ` +
          `replicas: ${replicas}): rename this service`,
        null,
        "key",
      ),
    ];
  });
}

/** A former name stands for one machine, so only one service can have it. Two services may swap names. */
function checkFormerNames({ services }: Draft): Mistake[] {
  const first = new Map<string, DraftService>();
  return [...services.values()].flatMap((service) => {
    const place = service.own.get("was");
    if (place === null || place.text === null) return [];
    if (place.text === service.name)
      return [place.mistake(`"was" of service "${service.name}" is its current name: remove "was"`)];
    const other = first.get(place.text);
    first.set(place.text, other ?? service);
    if (other !== undefined)
      return [
        place.mistake(
          `service "${other.name}" also has was: ${place.text} (${whereIs(other.own, service.own)}), ` +
            `but only one service can take over its machine: remove one "was"`,
        ),
      ];
    const heir = services.get(place.text);
    if (heir === undefined || heir.own.get("was") !== null) return [];
    return [
      place.mistake(
        `service "${place.text}" still exists (${whereIs(heir.own, service.own)}) and keeps its machine: ` +
          `remove "was" here, or give that service its own "was"`,
      ),
    ];
  });
}

function checkVariables({ variables }: Draft): Mistake[] {
  return [...variables.values()].flatMap((variable) => {
    const value = variable.get("default") ?? variable;
    if (value.text === null || templateReferences(value.text).length === 0) return [];
    return [
      value.mistake(`a variable's default is plain text without references: to read the environment, write env: NAME`),
    ];
  });
}

function checkDefaultPlacement({ root }: Draft): Mistake[] {
  const defaults = root.get("defaults");
  const host = defaults?.get("host");
  return host && defaults?.get("cloud")
    ? [
        host.mistake(
          `"host" and "cloud" cannot both be defaults, because a service has only one of them: remove one`,
          null,
          "key",
        ),
      ]
    : [];
}

function checkPlacement(draft: Draft, service: DraftService): Mistake[] {
  if (service.cloud === null) {
    return ["cloud", "image", "size", "launch"].flatMap((key) => {
      const value = service.own.get(key);
      // An image of the plan is allowed: it provides programs, and its setup steps can run on a host too.
      return value === null || (key === "image" && (service.image !== null || draft.cutImages.has(value.text ?? "")))
        ? []
        : [
            value.mistake(
              `service "${service.name}" has a "host", so no machine is started for it: remove "${key}" or "host"`,
              null,
              "key",
            ),
          ];
    });
  }
  if (
    !draft.cloudsKnown ||
    draft.clouds.has(service.cloud) ||
    draft.cutClouds.has(service.cloud) ||
    service.cloud === IMPLICIT_CLOUD
  )
    return [];
  const place = service.own.get("cloud") ?? draft.root.get("defaults")?.get("cloud");
  const names = [...draft.clouds.keys()];
  return [
    (place ?? service.own).mistake(
      `unknown cloud "${service.cloud}"${names.length === 0 ? ": the plan has no clouds" : ""}`,
      suggest(service.cloud, [...names, IMPLICIT_CLOUD]),
    ),
  ];
}

/** The default of an output stands in the plan for all to see, and is the same for each run. */
function checkDefault({ default: value, secret }: DraftOutput): Mistake[] {
  if (value === null) return [];
  if (secret)
    return [
      value.mistake(
        "a secret output cannot have a default, which everybody can read in the plan: remove one of the two",
      ),
    ];
  return value.text?.includes("${") === true
    ? [value.mistake("the default of an output cannot contain references: let the program set the value")]
    : [];
}

function checkAttributes(service: DraftService): Mistake[] {
  const outputs = outputsOf(service);
  const attributes = mergedEntries(service, "attributes");
  const mistakes: Mistake[] = [];
  for (const [name, place] of attributes) {
    if (isBuiltIn(name))
      mistakes.push(
        place.mistake(`"${name}" is a built-in attribute of every service: rename this attribute`, null, "key"),
      );
  }
  for (const [name, { place }] of outputs) {
    if (isBuiltIn(name))
      mistakes.push(place.mistake(`"${name}" is a built-in attribute of every service: rename this output`));
    else if (attributes.has(name))
      mistakes.push(
        place.mistake(`"${name}" is already an attribute of service "${service.name}": rename this output`),
      );
  }
  for (const output of outputs.values()) mistakes.push(...checkDefault(output));
  const lists = outputLists(service);
  const [promised] = lists;
  if (
    promised !== undefined &&
    outputs.size > 0 &&
    ["boot", "execute"].every((key) => keyOf(service, key) === null && service.own.get(key) === null) &&
    service.attributesKnown
  ) {
    mistakes.push(
      promised.mistake(
        `service "${service.name}" has outputs but no boot or execute program to set them: ` +
          `add a program or remove "outputs"`,
        null,
        "key",
      ),
    );
  }
  return [...mistakes, ...lists.flatMap((list) => repeatedOutputs(list))];
}

function repeatedOutputs(promised: Located): Mistake[] {
  const seen = new Set<string>();
  return promised.items().flatMap((item) => {
    const name = item.get("name")?.text ?? item.text ?? "";
    const again = seen.has(name);
    seen.add(name);
    return again ? [item.mistake(`duplicate output "${name}": remove one`)] : [];
  });
}

function checkSsh(service: DraftService): Mistake[] {
  return [...sshEntries(service).values()]
    .flatMap((value) => value.strings())
    .flatMap((value) => {
      const at = value.text?.indexOf("${") ?? -1;
      return at === -1
        ? []
        : [
            value.source.mistakeInside(
              value.path,
              at,
              "${",
              "references are not allowed in ssh: write the value itself",
            ),
          ];
    });
}

function isBuiltIn(name: string): boolean {
  return (BUILT_IN_ATTRIBUTES as readonly string[]).includes(name);
}

/** The position of a value: its line, and the file if it is not the file of `from`. */
export function whereIs(place: Located, from: Located): string {
  const { line } = place.position;
  return place.source.path === from.source.path
    ? `line ${line}`
    : `${relative(from.dir, place.source.path)}, line ${line}`;
}
