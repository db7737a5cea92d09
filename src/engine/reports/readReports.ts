/** Reads a run's collected reports: lists, filters and opens them. */
import type { Readable } from "node:stream";

import type { RunRecord } from "../../state/contract/records.js";
import { StateError, isStateError } from "../../state/contract/errors.js";
import type { Store } from "../../state/contract/store.js";
import type { StoredReport } from "../../state/contract/files.js";
import { ABOUT, type ArchiveMember } from "../../state/contract/reportArchive.js";
import { matchesGlob } from "./glob.js";

/** One file in a report. */
export type ReportFile = ArchiveMember;

export interface RunReport {
  /** Its name: `web-2`, or `web-2.1` for the report of the replica's first machine, which was replaced. */
  readonly report: string;
  /** The replica. */
  readonly service: string;
  /** The number of an earlier machine; null for the newest report. */
  readonly generation: number | null;
  /** Absolute path of the archive, and its size in bytes. */
  readonly path: string;
  readonly bytes: number;
  /** When it was collected, in milliseconds since the epoch; null if the manifest is missing. */
  readonly collectedAt: number | null;
  readonly files: readonly ReportFile[];
  /** Why some of its files cannot be listed, and what to do; or null. */
  readonly problem: string | null;
}

/**
 * The newest report of each replica of these services, and those of their earlier machines.
 * @throws StateError for a service without any report
 */
export async function listReports(
  store: Store,
  run: RunRecord,
  options: { readonly service: string | null; readonly match: string | null },
): Promise<RunReport[]> {
  const reports: RunReport[] = [];
  const chosen = await chooseArchives(store, run, options.service);
  for (const { archive, service, generation, location, bytes } of chosen) {
    const { files, problem } = await filesOf(store, run, archive);
    const shown = files.filter(
      ({ file }) => file !== ABOUT && (options.match === null || matchesGlob(file, options.match)),
    );
    const about = await store.files.reports.manifest(run.uid, archive);
    reports.push({
      report: archive,
      service,
      generation,
      path: location,
      bytes,
      collectedAt: about?.collectedAt ?? null,
      files: shown,
      problem,
    });
  }
  return reports;
}

/**
 * The archives that a name selects: a replica, all replicas of a service, or one archive by its own name; null selects
 * all.
 */
export async function chooseArchives(store: Store, run: RunRecord, service: string | null): Promise<StoredReport[]> {
  const all = await store.files.reports.list(run.uid);
  if (service === null) return all;
  const replicas = new Set(
    (await store.services(run))
      .filter(({ name, spec }) => name === service || spec === service)
      .map(({ name }) => name),
  );
  const chosen = all.filter(
    (one) =>
      one.archive === service ||
      one.service === service ||
      replicas.has(one.service) ||
      one.service.replace(/-\d+$/, "") === service,
  );
  if (chosen.length > 0 || replicas.size > 0) return chosen;
  const names = all.map(({ archive }) => archive);
  throw new StateError(
    `run "${run.name}" has no report of "${service}"`,
    names.length === 0
      ? `it has no reports; if its machines still exist, collect them: bootlevel reports ${run.name} --collect`
      : `it has reports of ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`,
  );
}

async function filesOf(store: Store, run: RunRecord, archive: string): Promise<Pick<RunReport, "files" | "problem">> {
  const files: ReportFile[] = [];
  try {
    return { files: await store.files.reports.members(run.uid, archive, files), problem: null };
  } catch (error) {
    if (!isStateError(error)) throw error;
    return { files, problem: `${error.message}: ${error.remedy}` };
  }
}

export interface OpenedReport {
  readonly report: string;
  readonly file: string;
  readonly bytes: number;
  readonly content: Readable;
}

/**
 * Opens one file of the reports, by its full path or by the end of it (`a.json` for `files/results/a.json`). Reports of
 * earlier machines are searched only if they are named.
 * @throws StateError when no file matches, or several do: it names them.
 */
export async function openReport(
  store: Store,
  run: RunRecord,
  options: { readonly service: string | null; readonly file: string },
): Promise<OpenedReport> {
  const archives = (await chooseArchives(store, run, options.service)).filter(
    ({ archive, generation }) => generation === null || archive === options.service,
  );
  const found: { archive: StoredReport; member: ArchiveMember; whole: boolean; members: readonly ArchiveMember[] }[] =
    [];
  for (const archive of archives) {
    const members = await store.files.reports.members(run.uid, archive.archive);
    for (const member of members) {
      const whole = member.file === options.file;
      if (whole || member.file.endsWith(`/${options.file}`)) found.push({ archive, member, whole, members });
    }
  }
  const exact = found.filter(({ whole }) => whole);
  const [only, ...others] = exact.length > 0 ? exact : found;
  if (only === undefined)
    throw new StateError(
      `no report of run "${run.name}" has a file "${options.file}"`,
      `bootlevel reports ${run.name} lists them`,
    );
  if (others.length > 0)
    throw ambiguous(
      run,
      options.file,
      [only, ...others].map(({ archive, member }) => `${archive.archive} ${member.file}`),
    );
  const member = followed(only.member, only.members);
  return {
    report: only.archive.archive,
    file: member.file,
    bytes: member.bytes,
    content: store.files.reports.openMember(run.uid, only.archive.archive, member.file),
  };
}

/** The target of a link. Chains of links are followed. */
function followed(member: ArchiveMember, members: readonly ArchiveMember[]): ArchiveMember {
  let current = member;
  for (let hops = 0; current.linkTo !== null; hops += 1) {
    const next = members.find(({ file }) => file === current.linkTo);
    if (next === undefined || hops > 40)
      throw new StateError(`${member.file} is a link to ${current.linkTo}, which is not a file of its report`);
    current = next;
  }
  return current;
}

function ambiguous(run: RunRecord, file: string, candidates: readonly string[]): StateError {
  const named = candidates.slice(0, 10).join(", ");
  return new StateError(
    `"${file}" may be one of ${candidates.length} files: ${named}${candidates.length > 10 ? ", …" : ""}`,
    `name the report, and more of the path: bootlevel reports ${run.name} SERVICE --open ${file}`,
  );
}
