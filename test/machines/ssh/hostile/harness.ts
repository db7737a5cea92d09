/** What the suites of hostile hosts share: connections and programs that end with the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach } from "@jest/globals";

import type { MachineConnection } from "../../../../src/machines/contract/connection.js";
import type { ClosableLink } from "../../../../src/machines/contract/link.js";
import type { ProgramRequest, ProgramResult } from "../../../../src/machines/program/request.js";
import { runProgram } from "../../../../src/machines/program/runProgram.js";
import { JumpHostPool } from "../../../../src/machines/ssh/jumpHosts.js";
import type { SshSettings } from "../../../../src/machines/ssh/settings.js";
import { connectSsh } from "../../../../src/machines/ssh/sshConnection.js";
import { createLink } from "../../../support/createLink.js";
import { bundleOf, requestFor } from "../../../support/localHost.js";
import { startHostileHost, type HostileHost, type HostileOptions } from "./hostileHost.js";

const directory = mkdtempSync(join(tmpdir(), "bl-hostile-bundles-"));
const open: { close(): Promise<void> }[] = [];
const started: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  // Links first: they still clean up over their connections.
  for (const one of open.splice(0)) await one.close();
  await Promise.all(started.splice(0).map((one) => one.stop()));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What connections warned of since the test began. */
export const warnings: string[] = [];
afterEach(() => {
  warnings.splice(0);
});

/** Stops it after the test. */
export function untilTheEnd<T extends { stop(): Promise<void> }>(one: T): T {
  started.push(one);
  return one;
}

/** A host that is gone after the test. */
export async function hostile(options: HostileOptions = {}): Promise<HostileHost> {
  return untilTheEnd(await startHostileHost(options));
}

const jumpHosts = new JumpHostPool();

/** Connects to a host; the connection is closed after the test. */
export async function reach(settings: SshSettings): Promise<MachineConnection> {
  const connection = await connectSsh(settings, {
    signal: new AbortController().signal,
    onWarning: (message) => warnings.push(message),
    jumpHosts,
  });
  open.push(connection);
  return connection;
}

/** The message of the error that there must be. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("there was no error");
}

/** A link to a host; it is closed after the test. */
export function linkTo(settings: SshSettings): ClosableLink {
  const link = createLink(() => reach(settings));
  open.push(link);
  return link;
}

/** Runs one program on the host. */
export async function program(
  link: ClosableLink,
  script: string,
  change: Partial<ProgramRequest> = {},
): Promise<{ readonly result: ProgramResult; readonly text: string }> {
  const request = requestFor(await bundleOf(directory, script), change);
  return { result: await runProgram(link, request), text: request.text() };
}

/** Runs a command and collects all that it says. */
export async function command(
  connection: MachineConnection,
  line: string,
  input: Buffer | string = "",
): Promise<{ readonly code: number | null | undefined; readonly out: Buffer; readonly err: Buffer }> {
  const channel = await connection.open(line);
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  channel.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  channel.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  channel.stdin.on("error", () => undefined);
  channel.stdin.end(input);
  const end = await channel.ended;
  return { code: end.kind === "exited" ? end.code : undefined, out: Buffer.concat(out), err: Buffer.concat(err) };
}
