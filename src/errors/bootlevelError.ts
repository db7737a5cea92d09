/**
 * The base of bootlevel's errors. A driver that a plan brings may carry its own copy of this package, so an error is
 * recognised by a shared symbol and its codes, never by `instanceof`.
 */
const CODES = Symbol.for("bootlevel.error");

export interface BootlevelErrorOptions {
  readonly cause?: unknown;
  /** What helps, in one sentence for people; "" if nothing is known. */
  readonly remedy?: string;
}

export class BootlevelError extends Error {
  override readonly name: string = "BootlevelError";
  /** Names the kind of error for programs; stable across versions. A class without one has its parent's. */
  static readonly code: string = "BOOTLEVEL";
  /** What helps, in one sentence for people; "" if nothing is known. */
  readonly remedy: string;

  constructor(message: string, { remedy = "", ...options }: BootlevelErrorOptions = {}) {
    super(message, options);
    this.remedy = remedy;
  }

  /** The kind of error, such as `CLOUD_UNREACHABLE`. */
  get code(): string {
    return (this.constructor as typeof BootlevelError).code;
  }

  /** The codes of the error's class and of the classes above it. */
  get [CODES](): readonly string[] {
    const codes: string[] = [];
    let type = this.constructor as typeof BootlevelError | null;
    while (typeof type?.code === "string") {
      codes.push(type.code);
      type = Object.getPrototypeOf(type) as typeof BootlevelError | null;
    }
    return codes;
  }
}

/**
 * Whether this is an error of bootlevel's, of whichever copy of the package.
 * @param code one kind of error, with all kinds below it: `DRIVER` is also a `CLOUD_UNREACHABLE`. Default: any.
 */
export function isBootlevelError(error: unknown, code?: string): error is BootlevelError {
  if (typeof error !== "object" || error === null) return false;
  const codes = (error as { [CODES]?: unknown })[CODES];
  return Array.isArray(codes) && (code === undefined || codes.includes(code));
}

/** The guard that recognises errors of a class and of the classes below it. */
export function guardOf<T extends BootlevelError>(type: {
  readonly code: string;
  readonly prototype: T;
}): (error: unknown) => error is T {
  const { code } = type;
  return (error): error is T => isBootlevelError(error, code);
}
