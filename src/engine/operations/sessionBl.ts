/**
 * Answers `bl` in an operator's session (`bootlevel ssh`). The session holds no lease: it reads the record, and asks the
 * launcher that works on the run for the rest.
 */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

import type { BlHandler, BlReply, BlRequest } from "../../machines/coordination/blRequest.js";
import { isStateError } from "../../state/contract/errors.js";
import type { RunRecord } from "../../state/contract/records.js";
import type { Store } from "../../state/contract/store.js";
import { notAnOutput } from "../coordination/outputSetter.js";
import { BL_EXIT, done, refusal } from "../coordination/replies.js";
import { resolveName } from "../coordination/resolveName.js";
import { tidy } from "../coordination/tidy.js";
import { getWait } from "../coordination/valueWait.js";
import { abortWords } from "../run/abort.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";
import type { WorkOptions } from "../session/lease.js";
import { abortRun } from "./abort.js";
import { sayInRun, setOutput } from "./setOutput.js";

export interface SessionBl {
  readonly handler: BlHandler;
  close(): void;
}

/** @param context of the session, which only reads: it follows the record while a program waits. */
export async function sessionBl(
  store: Store,
  run: RunRecord,
  context: RunContext,
  asker: Service,
  options: WorkOptions,
): Promise<SessionBl> {
  const news = new EventTarget();
  const watch = await store.watch(run, {
    changed: () => news.dispatchEvent(new Event("change")),
    failed: () => undefined,
  });
  const get = (request: BlRequest, gone: AbortSignal) => getValue({ store, run, context, asker, news }, request, gone);
  const handler: BlHandler = async (request, gone) => {
    const service = context.current(asker);
    try {
      switch (request.verb) {
        case "get":
          return await get(request, gone);
        case "set":
          return await setValue(store, run, service, request, options);
        case "say":
          await sayInRun(store, run, { ...options, service: service.name, text: request.value });
          return done();
        case "abort":
          return await abortAsAsked(store, run, tidy(request.value) || "no reason was given", options);
        case "barrier":
          return refusal(BL_EXIT.usage, "a session takes part in no barrier: barriers are for programs of the plan");
      }
    } catch (error) {
      if (gone.aborted) return refusal(BL_EXIT.noLauncher, "nobody waits for this answer");
      if (isStateError(error)) return refusal(BL_EXIT.noLauncher, error.message);
      throw error;
    }
  };
  return {
    handler,
    close: () => {
      watch.close();
    },
  };
}

interface Asking {
  readonly store: Store;
  readonly run: RunRecord;
  readonly context: RunContext;
  readonly asker: Service;
  readonly news: EventTarget;
}

/** Reads the record again with each change of it, until the value is there. */
async function getValue(
  { store, run, context, asker, news }: Asking,
  request: BlRequest,
  gone: AbortSignal,
): Promise<BlReply> {
  const over = request.timeoutMs === null ? null : AbortSignal.timeout(request.timeoutMs);
  const end = over === null ? gone : AbortSignal.any([gone, over]);
  for (;;) {
    const changed = once(news, "change", { signal: end });
    // It may be rejected before it is awaited.
    changed.catch(() => undefined);
    await context.follow();
    const abort = request.ignoreAbort ? null : await store.abortOf(run);
    if (abort !== null) return refusal(BL_EXIT.aborted, abortWords(abort));
    const service = context.current(asker);
    const meaning = resolveName(context, service, request.name);
    if (meaning.kind === "unknown") return meaning.reply;
    const progress = { endReason: () => null };
    const wait = getWait({ context, progress, service: service.name, meaning, request, gone });
    const reply = wait.check();
    if (reply !== null) return reply;
    if (!request.wait) return refusal(BL_EXIT.notSet, `${wait.what} is not set`);
    // Many writes in a row are one change.
    const waited = await changed.then(() => delay(PAUSE_MS, true, { signal: end })).catch(() => false);
    if (!waited && gone.aborted) return refusal(BL_EXIT.noLauncher, "nobody waits for this answer");
    if (!waited) return refusal(BL_EXIT.timedOut, `waited ${(request.timeoutMs ?? 0) / 1000} s for ${wait.what}`);
  }
}

const PAUSE_MS = 100;

async function abortAsAsked(store: Store, run: RunRecord, reason: string, options: WorkOptions): Promise<BlReply> {
  const aborted = await abortRun(store, run, { ...options, reason });
  return aborted.fresh ? done() : { ...done(), message: `${abortWords(aborted)}. The first reason is kept` };
}

async function setValue(
  store: Store,
  run: RunRecord,
  service: Service,
  { name, value }: BlRequest,
  options: WorkOptions,
): Promise<BlReply> {
  if (!service.spec.outputs.some((output) => output.name === name)) return notAnOutput(service, name);
  try {
    await setOutput(store, run, { ...options, name: `${service.name}.${name}`, value });
    return done();
  } catch (error) {
    if (!isStateError(error)) throw error;
    return refusal(BL_EXIT.usage, error.message);
  }
}
