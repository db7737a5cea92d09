/** Who may use a connection, and when it ends. */
import { expect, test } from "@jest/globals";

import { ConnectionRegistry, type Connect } from "../../../src/engine/clouds/connectionRegistry.js";
import { ConnectionError, HostKeyError, type MachineConnection } from "../../../src/machines/contract/connection.js";

const key = { machine: "m", settings: "s" };

/** A connection that opens nothing. */
function connection(): MachineConnection & { readonly closes: number } {
  let closes = 0;
  return {
    label: "m",
    workDirectory: "w",
    get alive() {
      return closes === 0;
    },
    get closes() {
      return closes;
    },
    open: async () => Promise.reject(new Error("nothing opens here")),
    close: async () => {
      closes += 1;
    },
  };
}

/** Connects when the test says so. */
function attempts() {
  const open: {
    readonly signal: AbortSignal;
    readonly user: () => string;
    end(result: MachineConnection | Error): void;
  }[] = [];
  const connect: Connect<string> = (signal, user) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => {
        reject(new ConnectionError("given up"));
      });
      open.push({
        signal,
        user,
        end: (result) => {
          if (result instanceof Error) reject(result);
          else resolve(result);
        },
      });
    });
  return { open, connect };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("users who come while somebody connects share what comes of it", async () => {
  const registry = new ConnectionRegistry<string>(0);
  const { open, connect } = attempts();
  const [one, other] = [registry.take(key, "one", connect), registry.take(key, "other", connect)];
  const both = Promise.all([one.connection(), other.connection(), one.connection()]);
  await turn();
  expect(open).toHaveLength(1);
  const made = connection();
  open[0]?.end(made);
  const [first, second, again] = await both;
  expect(again).toBe(first);
  await one.close();
  expect([first.alive, second.alive, made.closes]).toEqual([false, true, 0]);
  await other.close();
  expect([second.alive, made.closes, registry.size]).toEqual([false, 1, 0]);
});

test("a user who leaves while connecting leaves the attempt to the next one", async () => {
  const registry = new ConnectionRegistry<string>(0);
  const { open, connect } = attempts();
  const [one, other] = [registry.take(key, "one", connect), registry.take(key, "other", connect)];
  const [left, stays] = [one.connection(), other.connection()];
  left.catch(() => undefined);
  await turn();
  one.abandon();
  await expect(left).rejects.toThrow("given up");
  await one.close();
  await turn();
  expect(open.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  open[1]?.end(connection());
  expect((await stays).alive).toBe(true);
  await registry.close();
});

test.each([
  { what: "may not pin a key", error: new HostKeyError("unknown", "", []), again: true },
  { what: "cannot reach the machine", error: new ConnectionError("silence"), again: false },
])("when the first user $what, the second one tries again: $again", async ({ error, again }) => {
  const registry = new ConnectionRegistry<string>(0);
  const { open, connect } = attempts();
  const first = registry.take(key, "one", connect).connection();
  const second = registry.take(key, "other", connect).connection();
  await turn();
  open[0]?.end(error);
  await expect(first).rejects.toBe(error);
  if (again) {
    await turn();
    open[1]?.end(connection());
    expect((await second).alive).toBe(true);
  } else await expect(second).rejects.toBe(error);
  expect(open).toHaveLength(again ? 2 : 1);
  await registry.close();
});

test("a connection goes on by the rights of those who still use it, and may grow after its maker has left", async () => {
  const registry = new ConnectionRegistry<string>(0);
  const { open, connect } = attempts();
  const [one, other] = [registry.take(key, "one", connect), registry.take(key, "other", connect)];
  const made = one.connection();
  await turn();
  open[0]?.end(connection());
  await made;
  expect(open[0]?.user()).toBe("one");
  await one.close();
  expect([open[0]?.user(), open[0]?.signal.aborted]).toEqual(["other", false]);
  await other.close();
  expect(open[0]?.signal.aborted).toBe(true);
});

test("an idle connection is kept for a while, and a machine that goes takes its connections from everybody", async () => {
  const registry = new ConnectionRegistry<string>(50);
  const made: ReturnType<typeof connection>[] = [];
  const connect: Connect<string> = async () => {
    const fresh = connection();
    made.push(fresh);
    return fresh;
  };
  const use = async (settings = "s") => {
    const link = registry.take({ machine: "m", settings }, "one", connect);
    await link.connection();
    return link;
  };
  await (await use()).close();
  const again = await use();
  expect([made.length, registry.size]).toEqual([1, 1]);
  const otherwise = await use("as somebody else");
  let done = (): void => undefined;
  again.finishLater(
    new Promise((resolve) => {
      done = resolve;
    }),
  );
  const discarded = registry.discard("m");
  await turn();
  expect(made.map(({ closes }) => closes)).toEqual([0, 1]);
  done();
  await discarded;
  expect([made.map(({ closes }) => closes), again.isClosed, otherwise.isClosed]).toEqual([[1, 1], true, true]);
  await (await use()).close();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([made.map(({ closes }) => closes), registry.size]).toEqual([[1, 1, 1], 0]);
});
