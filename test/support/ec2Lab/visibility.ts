/** Amazon tells of new machines with delay: for a while they are unknown, shown now and then, or pending. */
import { refusal, type Layer, type Reply } from "../moto.js";
import type { Faults } from "./faults.js";

/** What a terminated machine has no more at Amazon; at moto it has. */
const ADDRESSES = /<(ipAddress|publicIp|dnsName|privateIpAddress|privateDnsName)>[^<]*<\/\1>/g;

const PUBLIC = /<(ipAddress|publicIp|dnsName)>[^<]*<\/\1>/g;

export function visibilityLayer(faults: Faults): Layer {
  const bornAt = new Map<string, number>();
  const endedAt = new Map<string, number>();
  const isWithin = (since: ReadonlyMap<string, number>, id: string, ms: number): boolean =>
    performance.now() < (since.get(id) ?? -Infinity) + ms;
  return async (call, next) => {
    const { hiddenMs, flicker, pendingMs, endingMs } = faults.settings;
    const unknown = idsIn(call.parameters).filter((id) => isWithin(bornAt, id, hiddenMs));
    if (unknown.length > 0) return notFound(unknown);
    const reply = await next(call);
    if (reply === "cut" || reply.status >= 400) return reply;
    const noted = { RunInstances: bornAt, TerminateInstances: endedAt }[call.action];
    for (const id of noted === undefined ? [] : namedIn(reply.text))
      if (noted?.has(id) === false) noted.set(id, performance.now());
    if (call.action !== "DescribeInstances") return reply;
    const text = eachInstance(reply.text, (item, id) => {
      if (isWithin(bornAt, id, hiddenMs) && faults.draw() >= flicker) return "";
      if (/<name>terminated<\/name>/.test(item))
        return isWithin(endedAt, id, endingMs) ? inState(item, 32, "shutting-down") : item.replace(ADDRESSES, "");
      return isWithin(bornAt, id, pendingMs) ? inState(item, 0, "pending").replace(PUBLIC, "") : item;
    });
    return { ...reply, text };
  };
}

/** Machines that a call names. */
function idsIn(parameters: URLSearchParams): string[] {
  return [...parameters].filter(([name]) => /^(InstanceId|ResourceId)(\.\d+)?$/.test(name)).map(([, id]) => id);
}

function namedIn(text: string): string[] {
  return [...text.matchAll(/<instanceId>(i-[0-9a-f]+)</g)].map(([, id]) => id ?? "");
}

function notFound(ids: readonly string[]): Reply {
  const message =
    ids.length === 1
      ? `The instance ID '${ids[0] ?? ""}' does not exist`
      : `The instance IDs '${ids.join(", ")}' do not exist`;
  return refusal({ status: 400, code: "InvalidInstanceID.NotFound", message });
}

function inState(item: string, code: number, name: string): string {
  return item.replace(
    /<instanceState>.*?<\/instanceState>/s,
    `<instanceState><code>${code}</code><name>${name}</name></instanceState>`,
  );
}

/**
 * Puts something else in the place of each machine of an answer. Lists of other things lie in a machine's item, so
 * items are counted.
 */
export function eachInstance(xml: string, change: (item: string, id: string) => string): string {
  const parts: string[] = [];
  let [depth, begin, done, inside] = [0, 0, 0, false];
  for (const { 0: tag, index } of xml.matchAll(/<instancesSet>|<item>|<\/item>|<\/instancesSet>/g)) {
    if (tag === "<instancesSet>") [inside, depth] = [true, 0];
    else if (tag === "</instancesSet>") inside = false;
    else if (inside && tag === "<item>" && depth++ === 0) begin = index;
    else if (inside && tag === "</item>" && --depth === 0) {
      const item = xml.slice(begin, index + tag.length);
      parts.push(xml.slice(done, begin), change(item, /<instanceId>([^<]*)</.exec(item)?.[1] ?? ""));
      done = index + tag.length;
    }
  }
  return parts.join("") + xml.slice(done);
}
