/** Finds inputs without a value, links to nothing, and command-line values for services that the plan does not have. */
import { ReferenceChecker } from "./checkReferences.js";
import { mergedEntries, outputsOf, type Draft, type DraftService } from "../draft/draft.js";
import type { Given } from "../launchPlan/given.js";
import { asValue, inputsOf, type InputDraft } from "../draft/inputs.js";
import { BUILT_IN_ATTRIBUTES } from "../launchPlan/launchPlan.js";
import type { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";
import { fileMistake } from "../yaml/source.js";
import { suggest } from "../../text/suggest.js";

/** All mistakes in inputs, and in the replicas and inputs of the command line. */
export function checkInputs(draft: Draft, given: Given | undefined): Mistake[] {
  const references = new ReferenceChecker(draft);
  const services = draft.levels.flatMap((level) => level.services);
  return [
    ...services.flatMap((service) =>
      [...inputsOf(service)].flatMap(([name, input]) => checkInput(references, service, name, input)),
    ),
    ...services.flatMap(checkNames),
    ...(given === undefined ? [] : checkGiven(draft, given)),
  ];
}

function checkInput(references: ReferenceChecker, service: DraftService, name: string, input: InputDraft): Mistake[] {
  switch (input.kind) {
    case "given":
    case "value":
      return [];
    case "missing":
      // The invalid value was already reported.
      return input.place.cut
        ? []
        : [
            input.place.mistake(
              `input "${name}" of service "${service.name}" has no value, link or default: ` +
                `write ${name}: SERVICE.OUTPUT or a value, or use --set ${service.name}.${name}=…`,
              null,
              "key",
            ),
          ];
    case "malformed":
      return [
        input.place.mistake(
          "malformed link: write SERVICE.OUTPUT, such as apache1.port, or SERVICE.*.OUTPUT for all replicas",
        ),
      ];
    case "link":
      return checkLink(references, service, input);
  }
}

function checkLink(
  references: ReferenceChecker,
  service: DraftService,
  { link, place }: InputDraft & { kind: "link" },
): Mistake[] {
  const complaint = references.linkComplaint(link, service);
  if (complaint === null) return [];
  const isShort = place.name !== "from";
  // "example.com" looks like a link.
  const hint =
    isShort && complaint.message.startsWith("unknown service")
      ? ` (for a literal value, write ${asValue(place.text ?? "")})`
      : "";
  return [place.mistake(complaint.message + hint, complaint.suggestion ?? null)];
}

/** An input shares its namespace with the service's attributes and outputs. */
function checkNames(service: DraftService): Mistake[] {
  const own: [string, Located, string][] = service.layers
    .flatMap((layer) => layer.get("inputs")?.entries() ?? [])
    .map(([name, place]) => [name, place, taken(service, name)]);
  return own
    .filter(([, , what]) => what !== "")
    .map(([name, place, what]) => place.mistake(`"${name}" is ${what}: rename this input`, null, "key"));
}

function taken(service: DraftService, name: string): string {
  if ((BUILT_IN_ATTRIBUTES as readonly string[]).includes(name)) return "a built-in attribute of every service";
  if (mergedEntries(service, "attributes").has(name)) return `already an attribute of service "${service.name}"`;
  return outputsOf(service).has(name) ? `already an output of service "${service.name}"` : "";
}

function checkGiven(draft: Draft, { replicas, inputs }: Given): Mistake[] {
  const names = [...draft.services.keys()];
  const unknown = (option: string, name: string): Mistake | null => {
    if (draft.services.has(name) || !draft.servicesKnown || draft.cutServices.has(name)) return null;
    const near = suggest(name, names);
    return {
      ...fileMistake(
        option,
        `unknown service "${name}"${near === null ? `: the plan's services are ${names.join(", ")}` : ""}`,
      ),
      suggestion: near,
    };
  };
  return [
    ...Object.keys(replicas).flatMap((name) => unknown(`--replicas ${name}`, name) ?? []),
    ...Object.entries(inputs).flatMap(
      ([name, values]) => unknown(`--set ${name}`, name) ?? checkSet(draft.services.get(name), values),
    ),
  ];
}

function checkSet(service: DraftService | undefined, values: Readonly<Record<string, string>>): Mistake[] {
  if (service === undefined) return [];
  const inputs = [...inputsOf(service).keys()];
  return Object.entries(values).flatMap(([name, value]) => {
    const option = `--set ${service.name}.${name}`;
    if (value.includes("\0"))
      return [fileMistake(option, "the value contains a NUL byte, which cannot be passed to a program")];
    if (inputs.includes(name) || !service.attributesKnown) return [];
    const near = suggest(name, inputs);
    const list = inputs.length === 0 ? "it has none" : `its inputs are ${inputs.join(", ")}`;
    return [
      {
        ...fileMistake(option, `service "${service.name}" has no input "${name}"${near === null ? `: ${list}` : ""}`),
        suggestion: near,
      },
    ];
  });
}
