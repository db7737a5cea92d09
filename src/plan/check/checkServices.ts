/** Names that clash, clouds that do not exist, keys that contradict each other. */
import { relative } from "node:path";
import {
  keyOf,
  IMPLICIT_CLOUD,
  mergedEntries,
  outputLists,
  outputsOf,
  replicasOf,
  type Draft,
  type DraftService,
} from "../draft/draft.js";
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
      : [place.mistake(`there is a level "${name}" already (${whereIs(earlier, place)}): give this one another name`)];
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
          `there is a service "${service.name}" already, in level "${first.level.name}" (${whereIs(first.own, service.own)}): give this one another name`,
          null,
          "key",
        ),
      ];
    });
}

/** `web` with three replicas is web-1, web-2 and web-3, so no other service can have such a name. */
function checkReplicaNames({ services }: Draft): Mistake[] {
  return [...services.values()].flatMap((service) => {
    const [, base, digits] = /^(.+)-([1-9][0-9]*)$/.exec(service.name) ?? [];
    const other = base === undefined ? undefined : services.get(base);
    const replicas = other === undefined ? 1 : replicasOf(other);
    if (other === undefined || replicas === 1 || Number(digits) > replicas) return [];
    return [
      service.own.mistake(
        `"${service.name}" is the name of a replica of "${other.name}" (${whereIs(other.own, service.own)}), which has ${replicas}: give this service another name`,
        null,
        "key",
      ),
    ];
  });
}

/**
 * A former name stands for one machine, so one service can have had it. Names may be exchanged: then each was the
 * other.
 */
function checkFormerNames({ services }: Draft): Mistake[] {
  const first = new Map<string, DraftService>();
  return [...services.values()].flatMap((service) => {
    const place = service.own.get("was");
    if (place === null || place.text === null) return [];
    if (place.text === service.name)
      return [place.mistake(`service "${service.name}" was called so before as well: remove "was"`)];
    const other = first.get(place.text);
    first.set(place.text, other ?? service);
    if (other !== undefined)
      return [
        place.mistake(
          `"${other.name}" was called "${place.text}" before (${whereIs(other.own, service.own)}): only one of the two can have its machine`,
        ),
      ];
    const heir = services.get(place.text);
    if (heir === undefined || heir.own.get("was") !== null) return [];
    return [
      place.mistake(
        `there is a service "${place.text}" still (${whereIs(heir.own, service.own)}), which keeps its machine: remove "was", or say what that one was before`,
      ),
    ];
  });
}

function checkVariables({ variables }: Draft): Mistake[] {
  return [...variables.values()].flatMap((variable) => {
    const value = variable.get("default") ?? variable;
    if (value.text === null || templateReferences(value.text).length === 0) return [];
    return [
      value.mistake(
        `a variable's default is plain text and holds no references; to read the environment write env: NAME`,
      ),
    ];
  });
}

function checkDefaultPlacement({ root }: Draft): Mistake[] {
  const defaults = root.get("defaults");
  const host = defaults?.get("host");
  return host && defaults?.get("cloud")
    ? [
        host.mistake(
          `"host" and "cloud" cannot both be defaults: a service runs on a host or on a machine of a cloud`,
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
      // An image of the plan gives programs, and what it is made of can be installed on a host, too.
      return value === null || (key === "image" && (service.image !== null || draft.cutImages.has(value.text ?? "")))
        ? []
        : [
            value.mistake(
              `service "${service.name}" runs on a "host", which starts no machine: remove "${key}" or "host"`,
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

function checkAttributes(service: DraftService): Mistake[] {
  const outputs = outputsOf(service);
  const attributes = mergedEntries(service, "attributes");
  const mistakes: Mistake[] = [];
  for (const [name, place] of attributes) {
    if (isBuiltIn(name))
      mistakes.push(
        place.mistake(`every service has "${name}" by itself: give this attribute another name`, null, "key"),
      );
  }
  for (const [name, { place }] of outputs) {
    if (isBuiltIn(name))
      mistakes.push(place.mistake(`every service has "${name}" by itself: give this output another name`));
    else if (attributes.has(name))
      mistakes.push(
        place.mistake(`"${name}" is an attribute of service "${service.name}" already: an output needs another name`),
      );
  }
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
        `service "${service.name}" promises outputs and has no boot or execute program to set them`,
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
    return again ? [item.mistake(`the output "${name}" stands here twice: remove one`)] : [];
  });
}

function checkSsh(service: DraftService): Mistake[] {
  return [...mergedEntries(service, "ssh").values()]
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
              "references are not possible in ssh: write the value itself",
            ),
          ];
    });
}

function isBuiltIn(name: string): boolean {
  return (BUILT_IN_ATTRIBUTES as readonly string[]).includes(name);
}

/** Says where something stands: the line, and the file if it is another one than `from`'s. */
export function whereIs(place: Located, from: Located): string {
  const { line } = place.position;
  return place.source.path === from.source.path
    ? `line ${line}`
    : `${relative(from.dir, place.source.path)}, line ${line}`;
}
