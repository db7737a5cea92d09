/** The addresses that may reach machines over SSH: from the plan, or determined without a third party. */
import { createSocket } from "node:dgram";
import { isIP, isIPv4 } from "node:net";

import { DriverError } from "../contract/driver.js";

/** The service for `auto`: Amazon's own, which returns the caller's address. EC2 itself has no such call. */
const ASKED_FOR_ADDRESS = "https://checkip.amazonaws.com";
const ANSWER_MS = 10_000;
/** Any port works, because nothing is sent. */
const DISCARD_PORT = 9;

/**
 * Address ranges (CIDR) for `allow_ssh_from`: addresses, ranges, `auto`, or a URL that returns the caller's address.
 * @throws DriverError
 */
export async function rangesOf(written: string | readonly string[], signal: AbortSignal): Promise<string[]> {
  const ranges: string[] = [];
  for (const each of typeof written === "string" ? [written] : written) {
    if (each === "auto") ranges.push(rangeOf(await askedAddress(ASKED_FOR_ADDRESS, signal)));
    else ranges.push(rangeOf(/^https?:/.test(each) ? await askedAddress(each, signal) : each));
  }
  return [...new Set(ranges)];
}

/**
 * The address of this computer towards another one, from its routing table. Nothing is sent.
 * @throws DriverError without a route.
 */
export async function localAddress(towards: string): Promise<string> {
  const socket = createSocket(isIP(towards) === 6 ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(DISCARD_PORT, towards, resolve);
    });
    return socket.address().address;
  } catch (error) {
    throw new DriverError(`this computer has no route to ${towards}: ${(error as Error).message}`, { cause: error });
  } finally {
    socket.close();
  }
}

/**
 * A range in EC2's form: a single address gets its full prefix length.
 * @throws DriverError if it is invalid.
 */
export function rangeOf(written: string): string {
  const [address = "", bits, ...rest] = written.split("/");
  const longest = { 4: 32, 6: 128 }[isIP(address)];
  if (
    longest === undefined ||
    rest.length > 0 ||
    (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= longest))
  ) {
    throw new DriverError(
      `allow_ssh_from: "${written}" is not an address: write for example 203.0.113.7, 198.51.100.0/24 or auto`,
    );
  }
  return `${address}/${bits ?? longest}`;
}

/** An address inside a range, to find the route to it. */
export function addressIn(range: string): string {
  const [address = ""] = range.split("/");
  return isIPv4(address) ? address.replace(/\d+$/, (last) => String(Math.min(255, Number(last) + 4))) : address;
}

async function askedAddress(url: string, signal: AbortSignal): Promise<string> {
  const remedy = "write your public address into allow_ssh_from instead";
  let answer: string;
  try {
    const reply = await fetch(url, {
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    if (!reply.ok) throw new Error(`HTTP status ${reply.status}`);
    answer = (await reply.text()).trim();
  } catch (error) {
    if (signal.aborted) throw error;
    const { cause, message } = error as Error;
    throw new DriverError(
      `${url} was asked for this computer's address, but did not answer: ` +
        `${cause instanceof Error ? cause.message || message : message}; ${remedy}`,
      { cause: error },
    );
  }
  if (isIP(answer) === 0)
    throw new DriverError(`${url} was asked for this computer's address, but its answer is not an address; ${remedy}`);
  return answer;
}
