/** Replies that are not EC2's: a page of a proxy, of a captive portal, or of another server. */
import { Readable } from "node:stream";

import { DriverError } from "../contract/driver.js";

/** How much of a reply is looked at, in bytes. */
const HEAD = 512;

/** What answered does not speak EC2's API. */
export class StrangeReplyError extends DriverError {
  override readonly name = "StrangeReplyError";
  static override readonly code: string = "STRANGE_REPLY";
}

interface Reply {
  statusCode?: number;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
}

/**
 * Middleware that lets only XML through. The SDK would read a page as an empty answer: "there are no machines". Replies
 * with status 5xx pass: a gateway may have handed the call on before it failed.
 */
export function onlyXml<A, R extends { response: unknown }>(next: (args: A) => Promise<R>): (args: A) => Promise<R> {
  return async (args) => {
    const result = await next(args);
    const reply = result.response as Reply;
    const { statusCode = 0 } = reply;
    if (statusCode >= 500 || !(reply.body instanceof Readable)) return result;
    const body = await whole(reply.body);
    const head = body.subarray(0, HEAD).toString().trimStart();
    if (head !== "" && !/^<(\?xml|[A-Za-z]+(Response|Result)\b)/.test(head))
      throw new StrangeReplyError(`HTTP status ${statusCode} with ${describe(reply, head)}`);
    reply.body = Readable.from(body.length === 0 ? [] : [body]);
    return result;
  };
}

function describe({ headers }: Reply, head: string): string {
  const title = /<title>\s*([^<]{1,80})/i.exec(head)?.[1]?.trim();
  const type = headers?.["content-type"] ?? "something";
  return `${type.split(";")[0] ?? type} instead of XML: "${title ?? head.replace(/\s+/g, " ").slice(0, 60)}"`;
}

async function whole(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}
