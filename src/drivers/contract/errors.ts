/** What drivers throw. The engine recognises each by its code, so that a driver may carry its own copy of these classes. */
import { BootlevelError, guardOf, type BootlevelErrorOptions } from "../../errors/bootlevelError.js";

/** A machine could not be launched, described or destroyed; the message says why in the cloud's words. */
export class DriverError extends BootlevelError {
  override readonly name: string = "DriverError";
  static override readonly code: string = "DRIVER";
}

export const isDriverError = guardOf(DriverError);

/** The cloud did not answer at all: the operator's network or credentials, not the request. */
export class CloudUnreachableError extends DriverError {
  override readonly name = "CloudUnreachableError";
  static override readonly code: string = "CLOUD_UNREACHABLE";
  constructor(
    readonly cloud: string,
    detail: string,
    options?: BootlevelErrorOptions,
  ) {
    super(`cloud "${cloud}" cannot be reached: ${detail}`, options);
  }
}

export const isCloudUnreachableError = guardOf(CloudUnreachableError);

/** The cloud asks for fewer calls. Nothing was done; the same call is made again, later. */
export class ThrottledError extends DriverError {
  override readonly name = "ThrottledError";
  static override readonly code: string = "THROTTLED";
}

export const isThrottledError = guardOf(ThrottledError);

/** The call may have taken effect, and its answer is lost. Every verb is safe to repeat, so it is repeated. */
export class LostReplyError extends DriverError {
  override readonly name = "LostReplyError";
  static override readonly code: string = "LOST_REPLY";
}

export const isLostReplyError = guardOf(LostReplyError);

/**
 * The cloud could not make an image, and never will under this name; nothing is left of it, unless the message says so.
 */
export class ImageFailedError extends DriverError {
  override readonly name = "ImageFailedError";
  static override readonly code: string = "IMAGE_FAILED";
}

export const isImageFailedError = guardOf(ImageFailedError);
