/** A service's inputs: what each is given, or which output it is linked to. */
import type { DraftService } from "./draft.js";
import type { Reference } from "../launchPlan/launchPlan.js";
import type { Located } from "../yaml/located.js";
import { escapeLiteral } from "../references/references.js";
/** Where an input's value comes from, as it is written. */
export type InputDraft =
  /** By the operator, in the call. */
  | { readonly kind: "given"; readonly text: string }
  /** By the plan; the text may hold references. */
  | { readonly kind: "value"; readonly place: Located }
  | { readonly kind: "link"; readonly place: Located; readonly link: Reference & { readonly kind: "service" } }
  /** A `from:` that is no link. */
  | { readonly kind: "malformed"; readonly place: Located }
  /** Nobody says. */
  | { readonly kind: "missing"; readonly place: Located };

/** `apache1.port`, `web-2.host`, `web.*.host`. Text of another shape is a value. */
const LINK = /^([A-Za-z][A-Za-z0-9_-]*)(\.\*)?\.([A-Za-z_][A-Za-z0-9_]*)$/;

/** A service's inputs by name: the operator's values, then the nearest layer of the plan that says anything. */
export function inputsOf(service: DraftService): Map<string, InputDraft> {
  const inputs = new Map<string, InputDraft>();
  for (const layer of service.layers) {
    for (const [name, place] of layer.get("inputs")?.entries() ?? []) {
      const known = inputs.get(name);
      // `name: {}` says that there is such an input, and leaves its value to what lies behind: an image's default.
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
  const [, service, all, attribute] = LINK.exec(place.text ?? "") ?? [];
  if (service === undefined || attribute === undefined) return null;
  return { kind: "link", place, link: { kind: "service", service, replica: all === undefined ? 0 : "all", attribute } };
}

/** A value as a plan writes it where it would be taken for a link. */
export function asValue(text: string): string {
  return `{ value: ${JSON.stringify(escapeLiteral(text))} }`;
}
