/** Finds references to values that do not exist, are not known yet, or are secret. */
import { whereIs } from "./checkServices.js";
import { mergedEntries, outputsOf, replicasOf, type Draft, type DraftService } from "../draft/draft.js";
import { inputsOf, type InputDraft } from "../draft/inputs.js";
import { BUILT_IN_ATTRIBUTES, type Reference } from "../launchPlan/launchPlan.js";
import type { Mistake } from "../yaml/mistakes.js";
import { parseTemplate, referenceText, type PlacedReference } from "../references/references.js";
import { splitReplica } from "../launchPlan/replicas.js";
import { Secrets } from "../draft/secrets.js";
import { suggest } from "../../text/suggest.js";
import { cloudTemplates, imageTemplates, templatesOf, type TemplatePlace } from "../draft/templates.js";

export type Complaint = { readonly message: string; readonly suggestion?: string | null } | null;

export function checkReferences(draft: Draft): Mistake[] {
  const checker = new ReferenceChecker(draft);
  const services = draft.levels.flatMap((level) => level.services);
  return [
    ...services.flatMap((service) => templatesOf(service).flatMap((template) => checker.check(template, service))),
    ...[...draft.clouds.values()].flatMap((cloud) =>
      cloudTemplates(cloud).flatMap((template) => checker.check(template, null)),
    ),
    ...[...draft.images.values()].flatMap((image) =>
      imageTemplates(image).flatMap((template) => checker.check(template, null)),
    ),
  ];
}

/** Checks the references of one plan. */
export class ReferenceChecker {
  private readonly secrets: Secrets;
  constructor(private readonly draft: Draft) {
    this.secrets = new Secrets(draft);
  }

  check(template: TemplatePlace, service: DraftService | null): Mistake[] {
    const { source, path } = template.place;
    const parsed = parseTemplate(template.place.text ?? "", template.mode);
    const malformed = parsed.mistakes.map(({ offset, text, message }) =>
      source.mistakeInside(path, offset, text, message),
    );
    const wrong = parsed.references.flatMap((placed) => {
      const complaint = this.complaint(placed, template, service) ?? this.secretComplaint(placed, template, service);
      return complaint === null
        ? []
        : [source.mistakeInside(path, placed.offset, placed.text, complaint.message, complaint.suggestion ?? null)];
    });
    return [...malformed, ...wrong];
  }

  private complaint(
    { reference, text }: PlacedReference,
    template: TemplatePlace,
    service: DraftService | null,
  ): Complaint {
    switch (reference.kind) {
      case "variable":
        if (
          !this.draft.variablesKnown ||
          this.draft.variables.has(reference.name) ||
          this.draft.cutVariables.has(reference.name)
        )
          return null;
        return unknownName(
          "variable",
          reference.name,
          [...this.draft.variables.keys()],
          suggest(reference.name, this.draft.variables.keys()),
        );
      case "environment":
        return null;
      case "run":
      case "plan":
        return template.services ? null : variablesOnly(template, text);
      case "self":
        return service === null || template.self === "none"
          ? this.noSelf(text, template)
          : this.selfComplaint(reference.attribute, template, service);
      case "service":
        return service === null || !template.services
          ? variablesOnly(template, text)
          : this.serviceComplaint(reference, text, service);
    }
  }

  private noSelf(text: string, template: TemplatePlace): Complaint {
    if (!template.services) return variablesOnly(template, text);
    return {
      message:
        `${text} is known only after the machine has started, but this value is needed to start it: ` +
        "refer to a variable or to a service of an earlier level",
    };
  }

  private selfComplaint(attribute: string, template: TemplatePlace, service: DraftService): Complaint {
    const declared = mergedEntries(service, "attributes").has(attribute);
    const output = outputsOf(service).has(attribute);
    if (template.self === "built-in" && (declared || output)) {
      return {
        message:
          "an attribute can refer only to built-in attributes of its own " +
          `service (${BUILT_IN_ATTRIBUTES.join(", ")}), not to "${attribute}"`,
      };
    }
    const input = inputsOf(service).get(attribute);
    if (input !== undefined && template.self === "built-in")
      return {
        message:
          "an attribute or input can refer only to built-in attributes of its own " +
          `service (${BUILT_IN_ATTRIBUTES.join(", ")}), not to the input "${attribute}"`,
      };
    if (input?.kind === "link" && template.self === "no outputs" && this.isBeside(input.link, service)) {
      return {
        message:
          `"${attribute}" is linked to a service of the same level, so it may not be known ` +
          `when the program starts: call bl get ${attribute} in the program, which waits for it`,
      };
    }
    if (input !== undefined) return null;
    if (template.self === "no outputs" && output)
      return {
        message:
          `"${attribute}" is set by the boot program, so it is not known when that program starts: ` +
          "use it in ready, execute, report or terminate",
      };
    return this.attributeComplaint(attribute, service);
  }

  private serviceComplaint(
    written: Extract<Reference, { kind: "service" }>,
    text: string,
    from: DraftService,
  ): Complaint {
    const reference = splitReplica(written, this.draft.services);
    const service = this.draft.services.get(reference.service);
    if (service === undefined) return this.unknownService(reference.service);
    if (service === from) return this.ownName(reference, text, from);
    if (service.level.index >= from.level.index) {
      const where = service.level === from.level ? "the same level" : `the later level "${service.level.name}"`;
      return {
        message:
          `service "${service.name}" is in ${where} (${whereIs(service.own, from.own)}), so it is not ready ` +
          `when this value is needed: refer to earlier levels only, or move "${from.name}" to a later level`,
      };
    }
    return replicaComplaint(reference, service) ?? this.attributeComplaint(reference.attribute, service);
  }

  /** The mistake in an input's link, or null. */
  linkComplaint(written: Extract<Reference, { kind: "service" }>, from: DraftService): Complaint {
    const link = splitReplica(written, this.draft.services);
    const service = this.draft.services.get(link.service);
    if (service === undefined) return this.unknownService(link.service);
    if (service === from && link.replica === 0)
      return {
        message: `an input of service "${service.name}" cannot be linked to the service itself: use \${self.…} instead`,
      };
    if (service.level.index > from.level.index) {
      return {
        message: `service "${service.name}" is in the later level "${service.level.name}" (${whereIs(service.own, from.own)}), which starts only when this service is ready, so the input would never get a value: link to the same or an earlier level`,
      };
    }
    return (
      replicaComplaint(link, service, (text) => text) ?? this.attributeComplaint(link.attribute, service, "output")
    );
  }

  private isBeside(written: Extract<Reference, { kind: "service" }>, from: DraftService): boolean {
    return this.draft.services.get(splitReplica(written, this.draft.services).service)?.level === from.level;
  }

  private unknownService(name: string): Complaint {
    const [, base = name, number = ""] = /^(.+)(-[0-9]+)$/.exec(name) ?? [];
    if (!this.draft.servicesKnown || this.draft.cutServices.has(name) || this.draft.cutServices.has(base)) return null;
    const names = [...this.draft.services.keys(), "self", "var", "env", "run", "plan"];
    const near = suggest(name, names) ?? suggest(base, names);
    const suggestion = near !== null && suggest(name, names) === null ? near + number : near;
    return unknownName("service", name, [...this.draft.services.keys()], suggestion);
  }

  private ownName(reference: Extract<Reference, { kind: "service" }>, text: string, service: DraftService): Complaint {
    const remedy = `write \${self.${reference.attribute}}`;
    if (replicasOf(service) === 1) return { message: `${text} refers to its own service: ${remedy}` };
    return {
      message:
        `${text} refers to its own service, whose replicas start at the same time: ` +
        `${remedy} for the value of this replica`,
    };
  }

  private attributeComplaint(
    attribute: string,
    service: DraftService,
    what: "attribute" | "output" = "attribute",
  ): Complaint {
    const known = [
      ...mergedEntries(service, "attributes").keys(),
      ...outputsOf(service).keys(),
      ...BUILT_IN_ATTRIBUTES,
    ];
    if (known.includes(attribute) || !service.attributesKnown) return null;
    const input = inputsOf(service).get(attribute);
    if (input !== undefined) return { message: ofAnInput(service.name, attribute, input, what) };
    const near = suggest(attribute, known);
    return {
      message:
        `service "${service.name}" has no ${what} ` +
        `"${attribute}"${near === null ? `: it has ${known.join(", ")}` : ""}`,
      suggestion: near,
    };
  }

  private secretComplaint(
    { reference, text }: PlacedReference,
    template: TemplatePlace,
    service: DraftService | null,
  ): Complaint {
    if (template.noSecrets === null || !this.secrets.has(reference, service?.name ?? "")) return null;
    return { message: `${text} is secret, but ${template.noSecrets}: pass it in the env of a program` };
  }
}

/** Inputs belong to their service alone. What others need is where the input's own value comes from. */
function ofAnInput(service: string, name: string, input: InputDraft, what: "attribute" | "output"): string {
  const source = input.kind === "link" ? referenceText(input.link).slice(2, -1) : null;
  const remedy =
    source === null
      ? `declare it under attributes of "${service}", or as a variable`
      : `refer to its source, ${what === "output" ? source : `\${${source}}`}`;
  return `"${name}" is an input of service "${service}", and only that service can use it: ${remedy}`;
}

function variablesOnly({ holder = "the keys of a cloud" }: TemplatePlace, text: string): Complaint {
  return { message: `${holder} can refer only to \${var.…} and \${env.…}, not to ${text}` };
}

function unknownName(what: string, name: string, known: readonly string[], suggestion: string | null): Complaint {
  const some = known.length > 10 ? `${known.slice(0, 10).join(", ")} and ${known.length - 10} more` : known.join(", ");
  const list = known.length === 0 ? `: the plan has no ${what}s` : `: the plan's ${what}s are ${some}`;
  return { message: `unknown ${what} "${name}"${suggestion === null ? list : ""}`, suggestion };
}

/** @param written formats the suggested text: a reference with `${}`, a link without. */
function replicaComplaint(
  reference: Extract<Reference, { kind: "service" }>,
  service: DraftService,
  written = (text: string) => `\${${text}}`,
): Complaint {
  const { replica, attribute } = reference;
  const replicas = replicasOf(service);
  if (!service.replicasKnown || replica === "all") return null;
  const { name } = service;
  if (replicas === 0)
    return {
      message:
        `service "${name}" has no replicas (replicas: 0): ` +
        `write ${written(`${name}.*.${attribute}`)}, which is empty`,
    };
  if (replicas === 1)
    return replica === 0
      ? null
      : { message: `service "${name}" has one replica, without a number: write ${written(`${name}.${attribute}`)}` };
  if (replica === 0)
    return {
      message:
        `service "${name}" has ${replicas} replicas: write ${written(`${name}-1.${attribute}`)} ` +
        `for one of them, or ${written(`${name}.*.${attribute}`)} for all`,
    };
  if (replica >= 1 && replica <= replicas) return null;
  return {
    message:
      `service "${name}" has no replica "${name}-${Math.max(0, replica)}": ` +
      `its replicas are "${name}-1" to "${name}-${replicas}"`,
  };
}
