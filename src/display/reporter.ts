import { createLiveReporter } from "./live.js";
import { createPlainReporter } from "./plain.js";
import type { Reporter, ReporterOptions } from "./reporterContract.js";

/** Creates a reporter for one run. `run-finished` closes it; call `close` if the run ends without that event. */
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
