/**
 * Collects the reports of services: before their machines are destroyed, or while they run. A failure here never
 * changes the state of a run.
 */
import type { MachineConnection } from "../../machines/contract/connection.js";
import type { MachineLink } from "../../machines/contract/link.js";
import { cleanUp } from "../../machines/program/killAndCleanUp.js";
import { isFileError } from "../../state/contract/fileErrors.js";
import type { ReportDraft, ReportFiles } from "../../state/contract/files.js";
import { recordRefuses } from "../run/failure.js";
import { warn } from "../run/journal.js";
import { isNoMachineError, type MachineAssignments } from "../run/machineAssignments.js";
import type { RunContext } from "../run/context.js";
import { settleAll } from "../run/settleAll.js";
import { planFetches, type PlannedFetch } from "./fetchPlan.js";
import { gather, type Gathered } from "./gather.js";
import { reportManifest } from "./reportManifest.js";
import { runReportProgram } from "./reportProgram.js";
import { reachWithin, withLimit } from "./timeLimit.js";
import type { Service } from "../run/service.js";

export interface CollectOptions {
  /** Include the logs of services without `report`. Default: false. */
  readonly all?: boolean;
  /**
   * Whether a service's machine may be contacted. If not, only its logs are collected. Default: all machines may be.
   */
  readonly reachable?: (service: Service) => boolean;
  /** The maximum size of a report before compression, in bytes. Default: 1 GiB. */
  readonly limitBytes?: number;
}

/** The result of collecting one replica's report. */
export interface ReportOutcome {
  readonly service: string;
  /** Absolute path of its archive; null if there is none. */
  readonly archive: string | null;
  /** The files collected now, and their total bytes before compression. */
  readonly files: number;
  readonly bytes: number;
  /**
   * Whether the report program passed and all machines sent their files. Otherwise an earlier report of the same
   * machine is kept, if there is one.
   */
  readonly complete: boolean;
  /** What is missing, and why. Redacted. */
  readonly warnings: readonly string[];
}

const LIMIT_BYTES = 1_073_741_824;
/** How often a report is tried if its connection breaks. */
const TRIES = 2;
/** The maximum number of problems in a warning, and the maximum length of each in characters. */
const MOST_NAMED = 8;
const LONGEST_NAMED = 600;
/** The time limit for collecting logs of a service without `report`, in milliseconds. */
const LOGS_TIMEOUT_MS = 600_000;

/**
 * Collects the reports of services in parallel, within the run's limit of programs. Problems are reported as one
 * warning per service.
 * @returns the result of each service that has something to report, in order.
 * @throws StateError when the record accepts no writes: another launcher has the run, or the database is unusable.
 */
export async function collectReports(
  context: RunContext,
  assignments: MachineAssignments,
  services: readonly Service[],
  options: CollectOptions = {},
): Promise<ReportOutcome[]> {
  const logs = options.all === true ? await context.store.files.logs.list(context.run.uid) : [];
  const logged = new Set(logs.map(({ service }) => service));
  const due = services.filter(({ spec, name }) => (spec.report ?? null) !== null || logged.has(name));
  return settleAll(due.map((service) => new Collection(context, assignments, service, options).outcome()));
}

/** Collects one replica's report. */
class Collection {
  private readonly leftOut: string[] = [];
  private problem: string | null = null;
  private draft: ReportDraft | null = null;

  constructor(
    private readonly context: RunContext,
    private readonly assignments: MachineAssignments,
    private readonly service: Service,
    private readonly options: CollectOptions,
  ) {}

  private get reports(): ReportFiles {
    return this.context.store.files.reports;
  }

  async outcome(): Promise<ReportOutcome> {
    const { context, service } = this;
    const kept = await this.collect();
    // If the operator stopped the command, the next command collects the report.
    const problems = context.stop.aborted ? [] : [...(this.problem === null ? [] : [this.problem]), ...this.leftOut];
    const warnings = problems.map((text) => shorten(context.redactor.redact(text)));
    if (warnings.length > 0) await warn(context, service, sentence(kept.archive, warnings));
    return { service: service.name, ...kept, complete: kept.archive !== null && this.problem === null, warnings };
  }

  private async collect(): Promise<{ archive: string | null; files: number; bytes: number }> {
    const { context, service, options } = this;
    try {
      await this.reports.prepare(context.run.uid, service.name);
      const asked = options.reachable?.(service) ?? true;
      if (!asked && service.spec.report !== null)
        this.problem = "its machine is gone or may not be contacted: only its logs are collected";
      const gathered = await this.gatherAll(asked ? await this.fetches() : []);
      if (context.stop.aborted) return { archive: null, files: 0, bytes: 0 };
      this.leftOut.push(...gathered.leftOut);
      this.problem ??= gathered.problem?.message ?? null;
      const { files, bytes } = gathered;
      return { archive: await this.keep(gathered), files, bytes };
    } catch (error) {
      if (recordRefuses(error)) throw error;
      const help = isFileError(error) ? `; ${error.remedy}` : "";
      this.problem = `${(error as Error).message}${help}`;
      return { archive: null, files: 0, bytes: 0 };
    } finally {
      await this.draft?.discard();
    }
  }

  /** Runs the report program, and returns what to fetch afterwards. */
  private async fetches(): Promise<PlannedFetch[]> {
    const { context, assignments, service } = this;
    const report = service.spec.report;
    if (report === null) return [];
    if (await this.hasNoShell()) return [];
    const ran = report.program === null ? null : await runReportProgram(context, assignments, service, report.program);
    this.problem = ran?.problem ?? null;
    if (ran?.unreachable === true) return [];
    return planFetches(context, assignments, service, report, ran?.directory ?? null, this.leftOut);
  }

  private async hasNoShell(): Promise<boolean> {
    try {
      if (await this.assignments.hasShell(this.service)) return false;
      this.problem = "the driver of its machine provides no shell to fetch files: only its logs are collected";
    } catch (error) {
      if (!isNoMachineError(error)) throw error;
      this.problem = "it has no machine: only its logs are collected";
    }
    return true;
  }

  /**
   * Connects to the machines, without taking a program slot, then gathers their files in one. Retries if a connection
   * breaks.
   */
  private async gatherAll(fetches: readonly PlannedFetch[]): Promise<Gathered> {
    const { context, service } = this;
    const timeoutMs = service.spec.report?.timeoutMs ?? LOGS_TIMEOUT_MS;
    const about = reportManifest(context, this.assignments, service);
    for (let round = 1; ; round += 1) {
      const reached: (PlannedFetch & { readonly connection: MachineConnection })[] = [];
      for (const fetch of fetches) {
        const connection = await this.reach(fetch.link, timeoutMs);
        if (connection !== null) reached.push({ ...fetch, connection });
      }
      const archive = await this.begin();
      const gathered = await context
        .programSlots(() =>
          withLimit(
            timeoutMs,
            [context.stop, ...(context.cleanupExpired === null ? [] : [context.cleanupExpired])],
            (signal) =>
              gather({
                archive,
                about,
                logs: context.store.files.logs,
                fetches: reached,
                signal,
              }),
          ),
        )
        .catch((error: unknown) => {
          this.removeUnfetched(reached);
          throw error;
        });
      if (gathered.problem?.lost === true && round < TRIES && !context.stop.aborted) continue;
      this.removeUnfetched(reached.slice(gathered.fetched.length));
      return gathered;
    }
  }

  /** Starts a new draft of the report, and discards that of an earlier attempt. */
  private async begin(): Promise<ReportDraft> {
    await this.draft?.discard();
    const { run } = this.context;
    this.draft = await this.reports.begin(run.uid, this.service.name, this.options.limitBytes ?? LIMIT_BYTES);
    return this.draft;
  }

  /**
   * The report program's directory is normally removed after fetching. If it was not fetched, it is removed here: the
   * machine may live on.
   */
  private removeUnfetched(fetches: readonly PlannedFetch[]): void {
    for (const { link, request } of fetches) {
      const directory = request.report?.steps.at(-1);
      if (directory !== undefined) cleanUp(link(), { directory, keep: false, sudo: request.sudo });
    }
  }

  private async reach(link: () => MachineLink, timeoutMs: number): Promise<MachineConnection | null> {
    const reached = await reachWithin(timeoutMs, this.context.stop, this.context.cleanupExpired, link);
    if (!("why" in reached)) return reached.connection;
    this.problem ??= `its machine cannot be reached: ${reached.why}`;
    return null;
  }

  /**
   * Keeps the new report. An earlier report of another machine is set aside. An earlier report of the same machine
   * stays if the new one is incomplete.
   */
  private async keep({ fetched }: Gathered): Promise<string> {
    const { assignments, service, reports } = this;
    const { uid } = this.context.run;
    const before = await reports.manifest(uid, service.name);
    const same =
      before !== null &&
      (before.machine?.key ?? null) === (assignments.machine(assignments.owner(service))?.key ?? null);
    if (before !== null && !same)
      await reports.setAside(uid, service.name, {
        service: before.service,
        generation: before.machine?.generation ?? 0,
      });
    if (same && this.problem !== null) this.problem += "; the earlier report is kept";
    else await this.draft?.keep();
    for (const one of fetched) {
      const problem = await one.dismiss();
      if (problem !== null) this.leftOut.push(`the report program's files may still be on the machine: ${problem}`);
    }
    return reports.location(uid, service.name);
  }
}

function shorten(text: string): string {
  return text.length > LONGEST_NAMED ? `${text.slice(0, LONGEST_NAMED)}…` : text;
}

function sentence(archive: string | null, warnings: readonly string[]): string {
  const named = warnings.slice(0, MOST_NAMED);
  const more = warnings.length > named.length ? `; and ${warnings.length - named.length} more` : "";
  return `${archive === null ? "its report was not kept" : "its report is incomplete"}: ${named.join("; ")}${more}`;
}
