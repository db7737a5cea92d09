/**
 * Checks what a driver answers. Drivers come from anybody and repeat what a cloud said, so an answer may be of any shape.
 * Nothing is recorded of an answer that makes no sense: a machine that it may be about stays on record.
 */
import {
  DriverError,
  isDriverError,
  type Driver,
  type LaunchOutcome,
  type MachineStatus,
  type TerminateOutcome,
} from "../../drivers/contract/driver.js";
import { hostProblem } from "../../plan/launchPlan/hostProblem.js";

const STATES: ReadonlySet<unknown> = new Set<MachineStatus["state"]>([
  "pending",
  "running",
  "stopped",
  "terminated",
  "unknown",
]);
/** An address or a name of a host: it goes into commands such as `proxy_command`, where `-x` would be an option. */
const ADDRESS = /^[\p{L}\p{N}_:][\p{L}\p{N}._:%-]*$/u;
/** The maximum length of an id, a name or an address, in characters. */
const LONGEST_WORD = 1_024;
/** What is kept of a reason, in characters. */
const LONGEST_REASON = 4_096;

type Verbs = Pick<Driver, "launch" | "describe" | "terminate" | "list">;

/** The driver's verbs, whose answers are as the contract says. @throws DriverError that says what is wrong with one */
export function checkAnswers(driver: Verbs, cloud: string): Verbs {
  const wrong = (verb: string, what: string): DriverError =>
    new DriverError(`the driver of cloud "${cloud}" answered ${verb} with ${what}`, {
      remedy: "report this to the driver's author; nothing is recorded of that answer",
    });
  const listOf = (verb: string, answer: unknown): unknown[] => {
    if (!Array.isArray(answer)) throw wrong(verb, `${nameOf(answer)} instead of a list`);
    return answer;
  };
  const statusOf = (verb: string, answer: unknown): MachineStatus => {
    const problem = statusProblem(answer);
    if (problem !== null) throw wrong(verb, problem);
    return trimmed(answer as MachineStatus);
  };
  return {
    async launch(requests, signal) {
      const wanted = new Set(requests.map(({ key }) => key));
      const outcomes = new Map<string, LaunchOutcome>();
      const ids = new Set<string>();
      const machineFor = (key: string, machine: unknown): MachineStatus => {
        const status = statusOf("launch", machine);
        if (status.key !== null && status.key !== key) throw wrong("launch", `a machine of another request for ${key}`);
        if (ids.has(status.id)) throw wrong("launch", `machine ${status.id} for two requests`);
        ids.add(status.id);
        return status;
      };
      for (const answer of listOf("launch", await driver.launch(requests, signal))) {
        const { key, kind, machine, error, leftover } = fieldsOf(answer);
        if (typeof key !== "string" || !wanted.has(key)) throw wrong("launch", "the outcome of another request");
        if (outcomes.has(key)) throw wrong("launch", `two outcomes for ${key}`);
        if (kind === "launched") outcomes.set(key, { key, kind, machine: machineFor(key, machine) });
        else if (kind === "failed") {
          const left = typeof leftover === "string" ? leftover : null;
          outcomes.set(key, { key, kind, error: errorOf(error), leftover: left });
        } else throw wrong("launch", `the outcome ${nameOf(kind)}`);
      }
      return [...outcomes.values()];
    },
    async describe(ids, signal) {
      const answers = listOf("describe", await driver.describe(ids, signal));
      if (answers.length !== ids.length) throw wrong("describe", `${answers.length} machines instead of ${ids.length}`);
      return answers.map((answer, index) => {
        const status = statusOf("describe", answer);
        if (status.id !== ids[index]) throw wrong("describe", "machines that were not asked for");
        return status;
      });
    },
    async terminate(ids, signal) {
      const listed = listOf("terminate", await driver.terminate(ids, signal)).map(fieldsOf);
      // Said twice, the worse counts: the machine may still exist.
      const ordered = [...listed].sort(
        (one, other) => Number(other["kind"] === "terminated") - Number(one["kind"] === "terminated"),
      );
      const answers = new Map(ordered.map((answer) => [answer["id"], answer]));
      return ids.map((id): TerminateOutcome => {
        const { kind, error } = answers.get(id) ?? {};
        if (kind === "terminated") return { id, kind };
        return {
          id,
          kind: "failed",
          error: kind === "failed" ? errorOf(error) : wrong("terminate", `nothing on ${id}`),
        };
      });
    },
    async list(scope, signal) {
      const machines = listOf("list", await driver.list(scope, signal)).map((answer) => statusOf("list", answer));
      const ids = new Set(machines.map(({ id }) => id));
      if (ids.size < machines.length) throw wrong("list", "one machine more than once");
      return machines;
    },
  };
}

/** Why this is no status of a machine, or null. */
function statusProblem(answer: unknown): string | null {
  const { id, key, state, host, privateHost, hostname, mark, access } = fieldsOf(answer);
  if (!isWord(id)) return `a machine whose id is ${nameOf(id)}`;
  if (!STATES.has(state)) return `the state ${nameOf(state)} of machine ${id}`;
  if (key !== null && key !== undefined && !isWord(key)) return `the key ${nameOf(key)} of machine ${id}`;
  for (const [name, address] of Object.entries({ host, privateHost, hostname })) {
    if (address === null || address === undefined) continue;
    if (!isWord(address) || !ADDRESS.test(address) || hostProblem(address) !== null)
      return `the ${name} ${nameOf(address)} of machine ${id}`;
  }
  if (mark !== null && mark !== undefined && !Object.values(fieldsOf(mark)).every((word) => typeof word === "string"))
    return `the mark ${nameOf(mark)} of machine ${id}`;
  return isAccess(access) ? null : `the access ${nameOf(access)} of machine ${id}`;
}

function isAccess(access: unknown): boolean {
  if (access === null || access === undefined) return true;
  const { kind, host, port = null, user = null, cloud, id } = fieldsOf(access);
  if (kind === "driver") return isWord(cloud) && isWord(id);
  const isPort = port === null || (typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536);
  const isUser = user === null || (isWord(user) && !user.startsWith("-"));
  return kind === "ssh" && isWord(host) && ADDRESS.test(host) && isPort && isUser;
}

/** Missing fields are null; the reason has a bound. */
function trimmed(status: MachineStatus): MachineStatus {
  const { key = null, mark = null, host = null, privateHost = null, hostname = null, access = null } = status;
  const reason: unknown = status.reason;
  const words = typeof reason === "string" ? reason.slice(0, LONGEST_REASON) : "";
  return { ...status, key, mark, host, privateHost, hostname, access, reason: words };
}

/** A word for ids and addresses: they stand in messages, in file names and on screens. */
function isWord(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= LONGEST_WORD && !/[\x00-\x1f\x7f]/.test(value);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function errorOf(error: unknown): Error {
  if (isDriverError(error) || error instanceof Error) return error;
  return new DriverError(typeof error === "string" ? error : `it failed, and gave ${nameOf(error)} as the reason`);
}

/** A value for a message, short and in one line. */
function nameOf(value: unknown): string {
  const text = value === undefined ? "nothing" : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
