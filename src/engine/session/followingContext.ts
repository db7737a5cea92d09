/** A context whose view of the run can follow a newer revision of the plan. */
import { setMaxListeners } from "node:events";
import pLimit, { type LimitFunction } from "p-limit";

import type { RunEvent } from "../../model/events.js";
import { AttributeRegistry } from "../attributes/attributes.js";
import { Clouds } from "../clouds/clouds.js";
import { MachineLinks } from "../clouds/machineLinks.js";
import { CoordinationHub } from "../coordination/hub.js";
import type { RunAbort } from "../run/abort.js";
import type { RunContext, RunView, ViewChange } from "../run/context.js";
import type { Coordination } from "../run/coordination.js";
import { note } from "../run/journal.js";
import { Outages } from "../run/outages.js";
import type { RunRequests } from "../run/requests.js";
import type { Service } from "../run/service.js";
import { changeOf, namesNow, readRun, type RecordedRun, type ViewSource } from "./runView.js";
import type { Session } from "./session.js";

/** The parts that are fixed for a command. */
export type CommandParts = Pick<RunContext, "run" | "store" | "writer" | "stop" | "cleanupExpired" | "emit"> & {
  readonly abort: RunAbort;
  readonly requests: RunRequests;
  readonly session: Session;
};

export class FollowingContext implements RunContext {
  readonly run: RunContext["run"];
  readonly store: RunContext["store"];
  readonly clock: RunContext["clock"];
  readonly writer: RunContext["writer"];
  readonly stop: AbortSignal;
  readonly cleanupExpired: AbortSignal | null;
  readonly abort: RunAbort;
  readonly requests: RunRequests;
  readonly halt: AbortSignal;
  readonly emit: (event: RunEvent) => void;
  readonly redactor: RunContext["redactor"];
  readonly attributes: AttributeRegistry;
  readonly clouds: Clouds;
  readonly links: MachineLinks;
  readonly outages: Outages;
  readonly programSlots: LimitFunction;
  readonly coordination: Coordination;
  private seen: RunView;
  /** Settles when the last `follow` has. */
  private following: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly source: ViewSource,
    parts: CommandParts,
    { view, sources, values }: RecordedRun,
  ) {
    const { run, store, writer, stop, abort, emit, session } = parts;
    this.run = run;
    this.store = store;
    this.clock = store.clock;
    this.writer = writer;
    this.stop = stop;
    this.cleanupExpired = parts.cleanupExpired;
    this.abort = abort;
    this.requests = parts.requests;
    this.halt = AbortSignal.any([stop, abort.signal]);
    setMaxListeners(0, this.halt);
    this.emit = emit;
    this.redactor = session.redactor(run);
    this.seen = view;
    this.attributes = new AttributeRegistry(view.plan, run.name, sources.variables, sources.dropped);
    this.attributes.read(values);
    const warn = (message: string): void => {
      emit({ at: this.clock.now(), type: "warning", service: null, message });
    };
    this.clouds = new Clouds({
      plan: () => this.plan,
      store,
      attributes: this.attributes,
      warn,
      prove: async () => writer?.prove(),
      contacts: { store, run, writer, ssh: (service) => this.byName.get(service)?.spec.ssh ?? null },
      drivers: session.drivers,
    });
    const driver: (cloud: string) => ReturnType<Clouds["driver"]> = (cloud) => this.clouds.driver(cloud);
    this.links = new MachineLinks({ store, writer, run, driver, warn, connections: session.connections });
    this.outages = new Outages(
      () => this.clock.now(),
      (event) => {
        if (writer === null) this.emit(event);
        else note(this, [], [event]);
      },
    );
    this.programSlots = pLimit(view.plan.concurrency);
    this.coordination = new CoordinationHub(this);
  }

  get view(): RunView {
    return this.seen;
  }
  get revision(): number {
    return this.seen.revision;
  }
  get plan(): RunView["plan"] {
    return this.seen.plan;
  }
  get levels(): RunView["levels"] {
    return this.seen.levels;
  }
  get dropped(): RunView["dropped"] {
    return this.seen.dropped;
  }
  get former(): RunView["former"] {
    return this.seen.former;
  }
  get bySpec(): RunView["bySpec"] {
    return this.seen.bySpec;
  }
  get byName(): RunView["byName"] {
    return this.seen.byName;
  }
  get byId(): RunView["byId"] {
    return this.seen.byId;
  }
  get records(): RunView["records"] {
    return this.seen.records;
  }

  current(service: Service): Service {
    return this.former.get(service.id) === service ? service : (this.byId.get(service.id) ?? service);
  }

  async follow(): Promise<ViewChange> {
    const followed = this.following.then(async () => this.moveTo(await readRun(this.source, this.seen)));
    // The caller gets the error; the next call reads again.
    this.following = followed.catch(() => undefined);
    return followed;
  }

  /** Synchronous, so that no reader sees parts of two revisions. */
  private moveTo({ view, sources, values, secrets }: RecordedRun): ViewChange {
    const before = this.seen;
    const change = changeOf(before, view);
    this.redactor.add(secrets);
    this.seen = view;
    this.attributes.follow(sources, values, namesNow(before, view));
    this.clouds.follow();
    this.programSlots.concurrency = view.plan.concurrency;
    this.coordination.follow(change.renamed);
    return change;
  }
}
