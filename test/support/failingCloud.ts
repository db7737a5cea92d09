/** Local machines whose cloud fails as the plan says: for drivers that carry their own copy of bootlevel's errors. */
import { appendFileSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";

import {
  CloudUnreachableError,
  DriverError,
  ImageFailedError,
  LostReplyError,
  ThrottledError,
  type Driver,
  type DriverContext,
  type DriverDefinition,
} from "../../src/drivers/contract/driver.js";
import local from "../../src/drivers/local/localDriver.js";

const ERRORS = {
  unreachable: () => new CloudUnreachableError("c", "no network", { remedy: "plug it in" }),
  throttled: () => new ThrottledError("not so fast"),
  lost: () => new LostReplyError("the reply is lost"),
  driver: () => new DriverError("sold out", { remedy: "take a smaller size" }),
  image: () => new ImageFailedError("it cannot be made of this"),
};

interface Options {
  readonly verb: "launch" | "describe" | "terminate" | "createImage" | "check" | "outcome";
  readonly error: keyof typeof ERRORS;
  /** How often it fails, over all processes. */
  readonly times: number;
}

class FailingCloud {
  private readonly options: Options;

  constructor(private readonly context: DriverContext) {
    this.options = context.options as unknown as Options;
  }

  driver(): Driver {
    const driver = local.create(this.context);
    return {
      launch: async (requests, signal) => {
        this.fail("launch");
        try {
          this.fail("outcome");
        } catch (error) {
          return requests.map(({ key }) => ({ key, kind: "failed", error: error as Error, leftover: null }));
        }
        return driver.launch(requests, signal);
      },
      describe: async (ids, signal) => {
        this.fail("describe");
        return driver.describe(ids, signal);
      },
      terminate: async (ids, signal) => {
        this.fail("terminate");
        return driver.terminate(ids, signal);
      },
      list: (scope, signal) => driver.list(scope, signal),
      createImage: async (request, signal) => {
        this.fail("createImage");
        return (driver as Required<Driver>).createImage(request, signal);
      },
      deleteImage: async (id, signal) => driver.deleteImage?.(id, signal),
      connect: (id, options) => (driver as Required<Driver>).connect(id, options),
      check: async () => {
        this.fail("check");
        return [];
      },
    };
  }

  private fail(verb: Options["verb"]): void {
    if (this.options.verb !== verb) return;
    const file = join(this.context.stateDirectory, "failures");
    if (existsSync(file) && statSync(file).size >= this.options.times) return;
    appendFileSync(file, "x");
    throw ERRORS[this.options.error]();
  }
}

export default {
  ...local,
  name: "failing-cloud",
  cloudSchema: { type: "object", required: ["verb", "error", "times"] },
  create: (context) => new FailingCloud(context).driver(),
} satisfies DriverDefinition;
