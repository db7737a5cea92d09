/** A service's inputs: the value of each one, or the output that it is linked to. */
import type { DraftService } from "./draft.js";
import type { Reference } from "../launchPlan/launchPlan.js";
import type { Located } from "../yaml/located.js";
import { escapeLiteral } from "../references/references.js";
/** The source of an input's value, as written. */
export type InputDraft =
  /** Set by the operator on the command line. */
  | { readonly kind: "given"; readonly text: string }
  /** Set by the plan. The text may contain references. */
  | { readonly kind: "value"; readonly place: Located }
  | { readonly kind: "link"; readonly place: Located; readonly link: Reference & { readonly kind: "service" } }
  /** A `from:` that is not a link. */
  | { readonly kind: "malformed"; readonly place: Located }
  /** Not set. */
  | { readonly kind: "missing"; readonly place: Located };

/** `apache1.port`, `web-2.host`, `web.*.host`, `web.*.host|json`. Any other text is a value. */
const LINK = /^([A-Za-z][A-Za-z0-9_-]*)(\.\*)?\.([A-Za-z_][A-Za-z0-9_]*)(\s*\|\s*json)?$/;

/** A service's inputs by name. The operator's values win, then the nearest layer of the plan that sets one. */
export function inputsOf(service: DraftService): Map<string, InputDraft> {
  const inputs = new Map<string, InputDraft>();
  for (const layer of service.layers) {
    for (const [name, place] of layer.get("inputs")?.entries() ?? []) {
      const known = inputs.get(name);
      // `name: {}` declares the input and leaves its value to outer layers, such as an image's default.
      if (known === undefined || known.kind === "missing")
        inputs.set(
          name,
          Object.hasOwn(service.given.inputs, name)
            ? { kind: "given", text: service.given.inputs[name] as string }
            : read(place),
        );
    }
  }
  return inputs;
}

function read(place: Located): InputDraft {
  const from = place.get("from");
  if (from !== null) return linkOf(from) ?? { kind: "malformed", place: from };
  const value = place.get("value") ?? place.get("default");
  if (value !== null) return { kind: "value", place: value };
  if (place.text === null) return { kind: "missing", place };
  return (typeof place.value === "string" ? linkOf(place) : null) ?? { kind: "value", place };
}

function linkOf(place: Located): (InputDraft & { kind: "link" }) | null {
  const [, service, all, attribute, json] = LINK.exec(place.text ?? "") ?? [];
  if (service === undefined || attribute === undefined) return null;
  const link = { kind: "service", service, replica: all === undefined ? 0 : "all", attribute } as const;
  return { kind: "link", place, link: json === undefined ? link : { ...link, json: true } };
}

/** The plan's syntax for a value that would otherwise be read as a link. */
export function asValue(text: string): string {
  return `{ value: ${JSON.stringify(escapeLiteral(text))} }`;
}
