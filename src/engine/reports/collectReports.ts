/**
 * Brings home what services leave behind: before their machines go, or while they live. Nothing that goes wrong here
 * changes what becomes of a run.
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
  /** Services without `report`, too: their logs alone. Default: false. */
  readonly all?: boolean;
  /** Whether a service's machine may be asked; of others the logs alone are kept. Default: all may. */
  readonly reachable?: (service: Service) => boolean;
  /** How many bytes a report may hold, before it is compressed. Default: 1 GiB. */
  readonly limitBytes?: number;
}

/** What came of one replica's report. */
export interface ReportOutcome {
  readonly service: string;
  /** Absolute path of its archive; null if there is none. */
  readonly archive: string | null;
  /** Files in what was collected now, and their bytes before compression. */
  readonly files: number;
  readonly bytes: number;
  /**
   * Whether the program passed and all machines sent what they have. Otherwise an earlier report of the same machine
   * stays, if there is one.
   */
  readonly complete: boolean;
  /** What is missing, and why; without secrets. */
  readonly warnings: readonly string[];
}

const LIMIT_BYTES = 1_073_741_824;
/** How often a report is begun again when its connection breaks. */
const TRIES = 2;
/** So much of what is missing is named in a warning, and so many characters of each. */
const MOST_NAMED = 8;
const LONGEST_NAMED = 600;
/** How long logs may take: a service without `report` names no time. */
const LOGS_TIMEOUT_MS = 600_000;

/**
 * Collects the reports of services side by side, under the run's limit of programs. What goes wrong is told as a
 * warning, one a service.
 * @returns what came of each service that has something to report, in order.
 * @throws StateError when the record refuses more: another launcher has the run.
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

/** One replica's. */
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
    // What was stopped on request is collected by whoever goes on.
    const told = context.stop.aborted ? [] : [...(this.problem === null ? [] : [this.problem]), ...this.leftOut];
    const warnings = told.map((text) => shorten(context.redactor.redact(text)));
    if (warnings.length > 0) await warn(context, service, sentence(kept.archive, warnings));
    return { service: service.name, ...kept, complete: kept.archive !== null && this.problem === null, warnings };
  }

  private async collect(): Promise<{ archive: string | null; files: number; bytes: number }> {
    const { context, service, options } = this;
    try {
      await this.reports.prepare(context.run.uid, service.name);
      const asked = options.reachable?.(service) ?? true;
      if (!asked && service.spec.report !== null)
        this.problem = "its machine is gone, or not to be asked: its logs are all there is";
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

  /** Runs the program, and says what is to be fetched then. */
  private async fetches(): Promise<PlannedFetch[]> {
    const { context, assignments, service } = this;
    const report = service.spec.report;
    if (report === null) return [];
    if (this.hasNoShell()) return [];
    const ran = report.program === null ? null : await runReportProgram(context, assignments, service, report.program);
    this.problem = ran?.problem ?? null;
    if (ran?.unreachable === true) return [];
    return planFetches(context, assignments, service, report, ran?.directory ?? null, this.leftOut);
  }

  private hasNoShell(): boolean {
    try {
      if (this.assignments.access(this.service).kind !== "driver") return false;
      this.problem = "the driver of its machine gives no shell to fetch files by: its logs are all there is";
    } catch (error) {
      if (!isNoMachineError(error)) throw error;
      this.problem = "it has no machine: its logs are all there is";
    }
    return true;
  }

  /**
   * Reaches the machines, which takes no place among the programs, and gathers what they send; again if a connection
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

  /** Begins the report; once more, without what an earlier try has left. */
  private async begin(): Promise<ReportDraft> {
    await this.draft?.discard();
    const { run } = this.context;
    this.draft = await this.reports.begin(run.uid, this.service.name, this.options.limitBytes ?? LIMIT_BYTES);
    return this.draft;
  }

  /**
   * What a program wrote goes with what it is kept in; where it was not fetched, nobody else will remove it from a
   * machine that lives on.
   */
  private removeUnfetched(fetches: readonly PlannedFetch[]): void {
    for (const { link, request } of fetches) {
      const directory = request.report?.steps.at(-1);
      if (directory !== undefined) cleanUp(link(), { directory, keep: false, sudo: request.sudo });
    }
  }

  private async reach(link: () => MachineLink, timeoutMs: number): Promise<MachineConnection | null> {
    const reached = await reachWithin(timeoutMs, this.context.cleanupExpired, link);
    if (!("why" in reached)) return reached.connection;
    this.problem ??= `its machine cannot be asked: ${reached.why}`;
    return null;
  }

  /** The report of another machine is set aside; one of this machine stays, if the new one is not whole. */
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
    if (same && this.problem !== null) this.problem += "; the report that there was before is kept";
    else await this.draft?.keep();
    for (const one of fetched) {
      const problem = await one.dismiss();
      if (problem !== null) this.leftOut.push(`what the report program wrote may still lie on the machine: ${problem}`);
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
  return `${archive === null ? "its report was not kept" : "its report lacks something"}: ${named.join("; ")}${more}`;
}
