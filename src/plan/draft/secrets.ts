/**
 * Determines what is secret: variables and outputs that are declared secret, and every attribute that is derived from
 * one.
 */
import { inputsOf } from "./inputs.js";
import { mergedEntries, outputsOf, type Draft, type DraftService } from "./draft.js";
import type { Reference } from "../launchPlan/launchPlan.js";
import { splitReplica } from "../launchPlan/replicas.js";
import { parseTemplate } from "../references/references.js";

export class Secrets {
  private readonly variables: ReadonlySet<string>;
  private readonly attributes = new Map<string, Set<string>>();

  /** Processes the levels in order, because a service can refer only to earlier ones. */
  constructor(private readonly draft: Draft) {
    this.variables = new Set(
      [...draft.variables].filter(([, variable]) => variable.get("secret")?.value === true).map(([name]) => name),
    );
    for (const service of draft.levels.flatMap(({ services }) => services)) {
      const secret = new Set([...outputsOf(service)].filter(([, output]) => output.secret).map(([name]) => name));
      for (const [name, { text }] of mergedEntries(service, "attributes")) {
        if (
          text?.includes("${") &&
          parseTemplate(text, "strict").references.some(({ reference }) => this.has(reference, service.name))
        )
          secret.add(name);
      }
      this.attributes.set(service.name, secret);
    }
    // Links may refer to services further down in the same level.
    for (const service of draft.levels.flatMap(({ services }) => services)) this.followInputs(service);
  }

  private followInputs(service: DraftService): void {
    for (const [name, input] of inputsOf(service)) {
      const references =
        input.kind === "link"
          ? [input.link]
          : input.kind === "value"
            ? parseTemplate(input.place.text ?? "", "strict").references.map(({ reference }) => reference)
            : [];
      if (references.some((reference) => this.has(reference, service.name)))
        this.attributes.get(service.name)?.add(name);
    }
  }

  /** Whether the value of a reference in service `self` is secret. */
  has(reference: Reference, self: string): boolean {
    switch (reference.kind) {
      case "variable":
        return this.variables.has(reference.name);
      case "service":
        return (
          this.attributes.get(splitReplica(reference, this.draft.services).service)?.has(reference.attribute) ?? false
        );
      case "self":
        return this.attributes.get(self)?.has(reference.attribute) ?? false;
      case "environment":
      case "run":
      case "plan":
        return false;
    }
  }

  attribute(service: string, name: string): boolean {
    return this.attributes.get(service)?.has(name) ?? false;
  }
}
