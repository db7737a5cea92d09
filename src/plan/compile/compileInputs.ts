/** Compiles the inputs of a service. */
import { inputsOf } from "../draft/inputs.js";
import type { Draft, DraftService } from "../draft/draft.js";
import type { InputSpec } from "../launchPlan/launchPlan.js";
import { parseTemplate } from "../references/references.js";
import { splitReplica, splitReplicas } from "../launchPlan/replicas.js";
import type { Secrets } from "../draft/secrets.js";

/** The inputs of a service that has no mistakes. */
export function compileInputs(draft: Draft, service: DraftService, secrets: Secrets): InputSpec[] {
  return [...inputsOf(service)].flatMap(([name, input]): InputSpec[] => {
    switch (input.kind) {
      case "given":
        return [{ name, source: { kind: "value", value: [input.text], secret: false } }];
      case "value": {
        const value = splitReplicas(parseTemplate(input.place.text ?? "", "strict").parts, draft.services);
        return [
          {
            name,
            source: {
              kind: "value",
              value,
              secret: value.some((part) => typeof part === "object" && secrets.has(part, service.name)),
            },
          },
        ];
      }
      case "link":
        return [{ name, source: { kind: "link", link: splitReplica(input.link, draft.services) } }];
      case "malformed":
      case "missing":
        return [];
    }
  });
}
