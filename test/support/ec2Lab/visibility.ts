/** Amazon tells of new machines with delay: for a while they are unknown, shown now and then, or pending. */
import { refusal, type Layer, type Reply } from "../moto.js";
import type { Faults } from "./faults.js";

/** What a terminated machine has no more at Amazon; at moto it has. */
const ADDRESSES = /<(ipAddress|publicIp|dnsName|privateIpAddress|privateDnsName)>[^<]*<\/\1>/g;

export function visibilityLayer(faults: Faults): Layer {
  const bornAt = new Map<string, number>();
  const isYoung = (id: string, ms: number): boolean => performance.now() < (bornAt.get(id) ?? -Infinity) + ms;
  return async (call, next) => {
    const { hiddenMs, flicker, pendingMs } = faults.settings;
    const unknown = idsIn(call.parameters).filter((id) => isYoung(id, hiddenMs));
    if (unknown.length > 0) return notFound(unknown);
    const reply = await next(call);
    if (reply === "cut" || reply.status >= 400) return reply;
    if (call.action === "RunInstances") for (const id of namedIn(reply.text)) if (!bornAt.has(id)) bornAt.set(id, performance.now());
    if (call.action !== "DescribeInstances") return reply;
    const text = eachInstance(reply.text, (item, id) => {
      if (isYoung(id, hiddenMs) && faults.draw() >= flicker) return "";
      return isYoung(id, pendingMs) ? pending(item) : /<name>terminated<\/name>/.test(item) ? item.replace(ADDRESSES, "") : item;
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
  const message = ids.length === 1 ? `The instance ID '${ids[0] ?? ""}' does not exist` : `The instance IDs '${ids.join(", ")}' do not exist`;
  return refusal({ status: 400, code: "InvalidInstanceID.NotFound", message });
}

function pending(item: string): string {
  return item.replace(/<instanceState>.*?<\/instanceState>/s, "<instanceState><code>0</code><name>pending</name></instanceState>").replace(/<(ipAddress|publicIp|dnsName)>[^<]*<\/\1>/g, "");
}

/** Puts something else in the place of each machine of an answer. Lists of other things lie in a machine's item, so items are counted. */
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
