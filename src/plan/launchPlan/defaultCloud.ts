import type { CloudSpec } from "./launchPlan.js";

/** The cloud of services that name none, in plans that describe none: machines on this computer. */
export const DEFAULT_CLOUD: CloudSpec = { name: "local", driver: "local", options: {} };
