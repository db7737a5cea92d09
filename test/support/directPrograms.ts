/**
 * Programs with two processes each instead of a dozen: a shell that runs the line, outlives the launcher and writes its
 * exit code down.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { ConnectionError } from "../../src/machines/contract/connection.js";
import type { ProgramRunner } from "../../src/machines/program/programRunner.js";
import type { ProgramRequest, ProgramResult, RecoverRequest } from "../../src/machines/program/request.js";

type Waited = Pick<ProgramRequest, "directory" | "timeoutMs" | "keep" | "onOutput" | "onResult">;

/** @param work where steps lie; null for a machine that is gone. */
export function directPrograms(work: string | null, id: string): ProgramRunner {
  const place = (directory: string): string => {
    if (work === null || !existsSync(work)) throw new ConnectionError(`machine ${id} does not answer`);
    return join(work, directory);
  };
  return {
    reach: async () => {
      place(".");
      return id;
    },
    run: async (request) => {
      const directory = place(request.directory);
      if (request.start.kind !== "command") throw new Error("only commands run here");
      mkdirSync(directory, { recursive: true });
      if (!claim(directory)) throw new Error(`${request.directory} was started before`);
      const line = `cd "$DIR" && exec >output 2>&1; ( ${request.start.line}\n); echo $? >exit`;
      spawn("/bin/sh", ["-c", line], {
        detached: true,
        stdio: "ignore",
        env: {
          PATH: process.env["PATH"],
          ...request.env,
          DIR: directory,
          BOOTLEVEL_OUTPUT: join(directory, "outputs"),
        },
      }).unref();
      return wait(directory, request);
    },
    recover: async (request: RecoverRequest) => {
      const directory = place(request.directory);
      mkdirSync(directory, { recursive: true });
      return claim(directory) ? { kind: "never-started" } : wait(directory, request);
    },
  };
}

/** Whoever makes it owns the start. */
function claim(directory: string): boolean {
  try {
    mkdirSync(join(directory, "started"));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function wait(directory: string, { timeoutMs, keep, onOutput, onResult }: Waited): Promise<ProgramResult> {
  const until = performance.now() + timeoutMs;
  for (let code = read(directory, "exit"); ; code = read(directory, "exit")) {
    if (code.endsWith("\n")) {
      onOutput(Buffer.from(read(directory, "output")));
      const outputs = new Map(
        read(directory, "outputs")
          .split("\n")
          .filter((line) => line.includes("="))
          .map((line) => line.split("=", 2) as [string, string]),
      );
      const result = { kind: "exited", code: Number(code), outputs } as const;
      await onResult?.(result);
      if (!keep) rmSync(directory, { recursive: true });
      return result;
    }
    if (!existsSync(directory)) return { kind: "lost", reason: "the machine was destroyed" };
    if (performance.now() > until) return { kind: "timed-out", afterMs: timeoutMs };
    await sleep(2);
  }
}

function read(directory: string, name: string): string {
  return existsSync(join(directory, name)) ? readFileSync(join(directory, name), "utf8") : "";
}
