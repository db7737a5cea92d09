/**
 * A small world for a test: a network with the addresses that the cloud gives, and a file system in memory, at /mnt,
 * that ends with it.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Server } from "node:net";
import { fileURLToPath } from "node:url";

import { exitOf } from "../children.js";
import { dieWithParent } from "../dieWithParent.js";

/** What the cloud gives its machines, private and public. */
const NETWORKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "54.214.0.0/16"];
const SUPERVISOR = fileURLToPath(new URL("supervisor.mjs", import.meta.url));
/** Every address of these networks is one of the lab's own, so that whoever listens on it is there. */
const SET_UP = `set -e
PATH="$PATH:/usr/sbin:/sbin"
ip link set lo up
for network in ${NETWORKS.join(" ")}; do ip route add local "$network" dev lo; done
mount -t tmpfs -o mode=0755 tmpfs /mnt
mkdir -m 0755 /mnt/machines
mkdir -m 1777 /mnt/shared
exec "$@"`;

/** How long a lab's network may take to open, in milliseconds. */
const OPENING_MS = 30_000;

export interface Namespace {
  /** The lab's endpoint, as those in it see it. */
  readonly endpoint: string;
  /** A socket that listens there. */
  readonly socket: Server;
  /** Where a path of the lab is for those outside. */
  outside(path: string): string;
  /** The words that run a program in the lab, as a process that dies with its parent. */
  words(program: readonly string[]): string[];
  /** Starts a machine's first process. `ended` resolves with its exit code or its signal. */
  start(id: string, words: readonly string[]): { readonly ended: Promise<string | number> };
  kill(id: string): void;
  /** The id, as this computer sees it, of the first process of the machine of this directory. */
  firstProcess(directory: string): number;
  close(): Promise<void>;
}

export async function openNamespace(): Promise<Namespace> {
  const supervisor = spawn(
    "unshare",
    ["--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SET_UP, "sh", process.execPath, SUPERVISOR],
    { stdio: ["ignore", "inherit", "pipe", "ipc"] },
  );
  const socket = await listening(supervisor);
  const pid = String(supervisor.pid);
  const waiting = new Map<string, (how: string | number) => void>();
  supervisor.on("message", ({ ended, how }: { ended?: string; how: string | number }) => {
    if (ended !== undefined) waiting.get(ended)?.(how);
  });
  return {
    endpoint: "http://127.0.0.1:80",
    socket,
    outside: (path) => `/proc/${pid}/root${path}`,
    words: (program) => ["nsenter", "--target", pid, "--mount", "--net", ...dieWithParent(program)],
    start(id, words) {
      supervisor.send({ start: id, words });
      return {
        ended: new Promise((resolve) => {
          waiting.set(id, resolve);
        }),
      };
    },
    kill: (id) => {
      supervisor.send({ kill: id });
    },
    firstProcess: (directory) => firstProcess(Number(pid), directory),
    async close() {
      if (supervisor.connected) supervisor.disconnect();
      await exitOf("the lab's supervisor", supervisor);
      for (const end of waiting.values()) end("SIGKILL");
    },
  };
}

/** The supervisor's children are waiters, each with the first process of a machine as its only child. */
function firstProcess(outermost: number, directory: string): number {
  const children = (pid: number): number[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .split(" ")
      .filter((one) => one !== "")
      .map(Number);
  const [supervisor = 0] = children(outermost);
  const waiter = children(supervisor).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(directory),
  );
  const [first] = waiter === undefined ? [] : children(waiter);
  if (first === undefined) throw new Error(`no machine runs in ${directory}`);
  return first;
}

/** Resolves with the lab's socket. @throws with the words of whatever could not be set up. */
function listening(supervisor: ChildProcess): Promise<Server> {
  let words = "";
  supervisor.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    words += chunk;
  });
  return new Promise((resolve, reject) => {
    const fail = (how: string): void => {
      clearTimeout(timer);
      reject(new Error(`the lab did not open (${how}): ${words}`));
    };
    const timer = setTimeout(() => {
      supervisor.kill("SIGKILL");
      fail(`waited ${OPENING_MS} ms`);
    }, OPENING_MS);
    supervisor.once("error", (error) => {
      fail(error.message);
    });
    supervisor.once("exit", () => {
      fail("its supervisor has ended");
    });
    supervisor.once("message", (_message, socket) => {
      clearTimeout(timer);
      resolve(socket as Server);
    });
  });
}
