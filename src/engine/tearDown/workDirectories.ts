/** Removes bootlevel's staged files from hosts that outlive the run. Destroyed machines need no cleanup. */
import pTimeout from "p-timeout";

import type { Channel } from "../../machines/contract/connection.js";
import { openChannel } from "../../machines/contract/openChannel.js";
import { leaveHost } from "../../machines/shell/hostMarker.js";
import { unlessAborted } from "../run/failure.js";
import { warn } from "../run/journal.js";
import type { MachineAssignments } from "../run/machineAssignments.js";
import { programsOf } from "../programs/bundles.js";
import { isPoolHost } from "../programs/hostUse.js";
import { hasMachine } from "../programs/runServiceProgram.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

/** The time limit for an answer in milliseconds, once the host is connected: it may accept commands and never answer. */
const ANSWER_MS = 30_000;
/** The most that is kept of the host's messages, in characters. */
const LONGEST_WORDS = 1_000;

/**
 * Removes the staged programs of services, and the marker of their run, from hosts that are reached over SSH. A failure is reported as a warning.
 * @param folders the folders to remove in the work directory, by service.
 */
export async function removeWorkDirectories(
  context: RunContext,
  assignments: MachineAssignments,
  folders: ReadonlyMap<Service, readonly string[]>,
): Promise<void> {
  const onHosts = [...folders].filter(
    ([service, own]) =>
      hasMachine(assignments, service) &&
      assignments.access(service).kind === "ssh" &&
      (isPoolHost(assignments, service) ||
        (own.length > 0 && programsOf(service.spec).some(({ program }) => program.where === "machine"))),
  );
  await Promise.all(
    onHosts.map(async ([service, own]) => {
      try {
        await unlessAborted(
          context.stop,
          context.links.impatiently(() => sweep(context, assignments, service, own)),
        );
      } catch (error) {
        await warn(context, service, `its staged programs may still be on the host: ${(error as Error).message}`);
      }
    }),
  );
}

/**
 * The staging folders of each service that ever staged a program, or connected to its host. A folder has the name that the service had at the
 * time.
 */
export async function stagedFolders(
  context: RunContext,
  services: readonly Service[],
): Promise<Map<Service, string[]>> {
  if (services.length === 0) return new Map();
  const folders = new Map<number, Set<string>>(services.map(({ id }) => [id, new Set<string>()]));
  const marked = new Set<number>();
  for (const { serviceId, directory, step, outcome } of await context.store.steps(context.run)) {
    if (step === "connect" && outcome === "connected") marked.add(serviceId);
    if (directory !== null) folders.get(serviceId)?.add(directory.split("/", 1)[0] as string);
  }
  // If another service has this name now, the folder is that service's.
  const own = (service: Service) =>
    [...(folders.get(service.id) ?? [])].filter((folder) => folder === service.name || !context.byName.has(folder));
  return new Map(
    services
      .map((service) => [service, own(service)] as const)
      .filter(([{ id }, names]) => names.length > 0 || marked.has(id)),
  );
}

async function sweep(
  context: RunContext,
  assignments: MachineAssignments,
  service: Service,
  folders: readonly string[],
): Promise<void> {
  const link = assignments.machineLink(service);
  await link.idle(); // a clean-up under way needs the directories that go now
  const connection = await link.connection();
  const over = new AbortController();
  const timer = setTimeout(() => {
    over.abort(new Error(`the host did not answer within ${ANSWER_MS / 1000} s`));
  }, ANSWER_MS);
  try {
    const marker = isPoolHost(assignments, service) ? context.run.uid : null;
    const script = sweepScript(connection.workDirectory, folders, marker);
    const channel = await openChannel(connection, `exec /bin/sh -c '${script}'`, over.signal);
    try {
      channel.stdin.on("error", () => undefined); // the channel's end gives the reason
      channel.stdin.end();
      channel.stdout.resume();
      const words = wordsOf(channel);
      const ended = await pTimeout(channel.ended, { milliseconds: Infinity, signal: over.signal });
      if (ended.kind === "lost") throw new Error(ended.reason);
      if (ended.code !== 0) throw new Error(words() || `exit code ${ended.code}`);
    } finally {
      channel.close();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Keeps the first messages of a channel. */
function wordsOf(channel: Channel): () => string {
  let words = "";
  channel.stderr.on("data", (chunk: Buffer) => {
    if (words.length < LONGEST_WORDS) words += chunk.toString("utf8", 0, LONGEST_WORDS);
  });
  return () => words.slice(0, LONGEST_WORDS).trim();
}

/**
 * All names consist of letters, digits, dots, slashes, -, _ and (not at the start) ~. They need no quotes in any shell.
 * Files that a dead launcher left in memory are removed first: their path is in the step's directory. The run's folder
 * is removed once it is empty.
 * @param marker the run whose marker goes from the host; null: there is none
 */
function sweepScript(work: string, folders: readonly string[], marker: string | null): string {
  const own = folders.map((folder) => `${work}/${folder}`);
  const memory = `for f in ${own.map((folder) => `${folder}/*/.bl/rt-path`).join(" ")}; do r=$(cat "$f" 2>/dev/null) && case $r in /dev/shm/bl.*|/run/user/*/bl.*) rm -rf "$r" ;; esac; done`;
  const all = own.join(" ");
  const leave = marker === null ? ":" : leaveHost(marker);
  if (own.length === 0) return `cd && { ${leave}; }`;
  // Programs may have left folders that their owner cannot write to.
  const remove = `{ rm -rf ${all} 2>/dev/null || { chmod -R u+rwx ${all} 2>/dev/null; rm -rf ${all}; }; }`;
  return `cd && { ${memory}; :; } && { ${leave}; :; } && ${remove} && { rmdir ${work} 2>/dev/null || :; }`;
}
