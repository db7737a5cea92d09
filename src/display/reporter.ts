import { createLiveReporter } from "./live.js";
import { createPlainReporter } from "./plain.js";
import type { Reporter, ReporterOptions } from "./reporterContract.js";

/** A reporter for one run. `run-finished` closes it; `close` is for a run that ends in another way. */
export function createReporter(options: ReporterOptions): Reporter {
  switch (options.mode) {
    case "live":
      return createLiveReporter(options);
    case "plain":
      return createPlainReporter(options);
    case "silent":
      return { onEvent: () => undefined, close: () => undefined };
  }
}
