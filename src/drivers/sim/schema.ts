/**
 * JSON Schemas of the plan's keys for a simulated cloud and for a service on it. Strings with references are validated
 * again by `settings.ts`.
 */

const DURATION_PATTERN = "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$";
const NO_DURATION = "{value} is not a duration: write numbers with units (ms, s, m, h, d), such as 90s, 2m or 500ms";

const duration = {
  type: "string",
  pattern: DURATION_PATTERN,
  "x-mistake": { type: "{value} has no unit: write for example {value}s", pattern: NO_DURATION },
};
const probability = { type: "number", minimum: 0, maximum: 1 };
const positive = { type: "integer", minimum: 1 };
const exitCode = { type: "integer", minimum: 0, maximum: 255 };

const distribution = {
  type: ["string", "object"],
  pattern: DURATION_PATTERN,
  additionalProperties: false,
  properties: { p50: duration, p95: duration, min: duration, max: duration, mean: duration },
  oneOf: [
    { not: { type: "object" } },
    {
      type: "object",
      required: ["p50", "p95"],
      not: { anyOf: [{ required: ["min"] }, { required: ["mean"] }] },
    },
    { type: "object", required: ["min", "max"], maxProperties: 2 },
    { type: "object", required: ["mean"], maxProperties: 1 },
  ],
  "x-mistake": {
    type: "{subject} must be a duration such as 40s, or a distribution such as { p50: 40s, p95: 90s }",
    pattern: NO_DURATION,
    oneOf: "{subject} must be a duration, { p50, p95 }, { p50, p95, max }, { min, max } or { mean }",
  },
};

const die = closed({ probability, within: duration }, ["probability", "within"]);
const program = closed({
  duration: distribution,
  fail: probability,
  exit: { ...exitCode, minimum: 1 },
  hang: probability,
  output: { type: "string" },
});
const programs = closed({ boot: program, ready: program, terminate: program });
const outputs = { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } };

const serviceProperties = { latency: distribution, refuse: probability, die, programs, outputs };

/** `launch:` of a service: overrides for it. */
export const launchSchema = closed(serviceProperties);

const nth = {
  type: ["integer", "string"],
  minimum: 1,
  pattern: "^every$",
  "x-mistake": {
    pattern: '{subject} must be a number from 1, or "every"',
    type: '{subject} must be a number from 1, or "every"',
  },
};
const service = { type: "string", minLength: 1 };

const callFault = {
  call: { enum: ["launch", "describe", "terminate", "list"] },
  service,
  nth: nth,
  fault: { enum: ["throttle", "lost-reply", "unreachable"] },
};
const launchFault = {
  ...callFault,
  fault: { enum: ["throttle", "lost-reply", "unreachable", "refuse", "die", "invisible"] },
  for: duration,
};
const programFault = {
  program: { enum: ["boot", "ready", "terminate"] },
  service,
  nth: nth,
  exit: exitCode,
  hang: { type: "boolean" },
  duration: distribution,
  output: { type: "string" },
};
const momentFault = { at: duration, service, nth: nth, fault: { enum: ["die", "unreachable"] }, for: duration };

const fault = {
  type: "object",
  anyOf: [{ required: ["call"] }, { required: ["program"] }, { required: ["at"] }],
  "x-mistake": { anyOf: "{subject} must say which call, which program, or at which moment" },
  allOf: [
    when({ required: ["call"], properties: { call: { const: "launch" } } }, closed(launchFault, ["fault"])),
    when({ required: ["call"], properties: { call: { not: { const: "launch" } } } }, closed(callFault, ["fault"])),
    when({ required: ["program"], not: { required: ["call"] } }, closed(programFault)),
    when(
      { required: ["at"], not: { anyOf: [{ required: ["call"] }, { required: ["program"] }] } },
      closed(momentFault, ["fault"]),
    ),
    when({ required: ["call", "fault"], properties: { fault: { const: "invisible" } } }, { required: ["for"] }),
    when({ required: ["at", "fault"], properties: { fault: { const: "unreachable" } } }, { required: ["for"] }),
  ],
};

/** A cloud's own keys. */
export const cloudSchema = closed({
  seed: { type: ["integer", "string"] },
  file: { type: "string", minLength: 1 },
  launch: closed({ latency: distribution, refuse: probability, capacity: positive }),
  machines: closed({ die }),
  calls: closed({
    latency: distribution,
    throttle: probability,
    lost_reply: probability,
    limit: { type: "number", exclusiveMinimum: 0 },
  }),
  visibility: duration,
  programs,
  services: { type: "object", additionalProperties: launchSchema },
  script: { type: "array", items: fault },
});

function closed(properties: Readonly<Record<string, object>>, required: readonly string[] = []): object {
  return { type: "object", additionalProperties: false, properties, required };
}

function when(condition: object, then: object): object {
  return { if: condition, then };
}
