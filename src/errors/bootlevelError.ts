/**
 * The base class of bootlevel's errors. A driver may bundle its own copy of this package, so errors are recognised by a
 * shared symbol and their codes, never by `instanceof`.
 */
const CODES = Symbol.for("bootlevel.error");

export interface BootlevelErrorOptions {
  readonly cause?: unknown;
  /** What the operator can do, in one sentence. "" if unknown. */
  readonly remedy?: string;
}

export class BootlevelError extends Error {
  override readonly name: string = "BootlevelError";
  /** Identifies the kind of error for programs. Stable across versions. A class without one inherits its parent's. */
  static readonly code: string = "BOOTLEVEL";
  /** What the operator can do, in one sentence. "" if unknown. */
  readonly remedy: string;

  constructor(message: string, { remedy = "", ...options }: BootlevelErrorOptions = {}) {
    super(message, options);
    this.remedy = remedy;
  }

  /** The kind of error, such as `CLOUD_UNREACHABLE`. */
  get code(): string {
    return (this.constructor as typeof BootlevelError).code;
  }

  /** The codes of the error's class and of its parent classes. */
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
 * Whether this is an error of bootlevel, from any copy of the package.
 * @param code a kind of error, including its subclasses: `DRIVER` also matches `CLOUD_UNREACHABLE`. Default: any.
 */
export function isBootlevelError(error: unknown, code?: string): error is BootlevelError {
  if (typeof error !== "object" || error === null) return false;
  const codes = (error as { [CODES]?: unknown })[CODES];
  return Array.isArray(codes) && (code === undefined || codes.includes(code));
}

/** Returns a type guard that recognises errors of a class and of its subclasses. */
export function guardOf<T extends BootlevelError>(type: {
  readonly code: string;
  readonly prototype: T;
}): (error: unknown) => error is T {
  const { code } = type;
  return (error): error is T => isBootlevelError(error, code);
}
