/** What an error of the SDK means for the caller: wait, ask again, give up, or see to the network. */
import { guardOf } from "../../errors/bootlevelError.js";
import {
  CloudUnreachableError,
  DriverError,
  isDriverError,
  LostReplyError,
  ThrottledError,
} from "../contract/driver.js";

/** The cloud refused the call, and nothing was done. */
export class RefusedError extends DriverError {
  override readonly name = "RefusedError";
  static override readonly code: string = "REFUSED";
  /** @param refusal EC2's own name of the error, such as `InsufficientInstanceCapacity`. */
  constructor(
    readonly refusal: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const isRefusedError = guardOf(RefusedError);

const THROTTLED = new Set([
  "RequestLimitExceeded",
  "Throttling",
  "ThrottlingException",
  "RequestThrottled",
  "TooManyRequestsException",
  "EC2ThrottledException",
  "SlowDown",
  "BandwidthLimitExceeded",
]);
const NO_CAPACITY = new Set([
  "InsufficientInstanceCapacity",
  "InsufficientHostCapacity",
  "InsufficientReservedInstanceCapacity",
  "InsufficientCapacity",
  "InsufficientFreeAddressesInSubnet",
  "SpotMaxPriceTooLow",
  "Unsupported",
]);
const NOT_FOUND = new Set(["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"]);
const BAD_CREDENTIALS = new Set([
  "AuthFailure",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "ExpiredTokenException",
  "MissingAuthenticationToken",
  "CredentialsProviderError",
  "TokenProviderError",
]);
/** The network said no before anything was sent. */
const NOT_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);
/** Errors whose code names an exhausted quota, beside those that end on LimitExceeded. */
const QUOTAS = new Set(["MaxSpotInstanceCountExceeded", "PendingVerification"]);

interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly errors?: readonly SdkError[];
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Whether another size or another zone may do. */
export function isNoCapacity(error: unknown): error is RefusedError {
  return isRefusedError(error) && NO_CAPACITY.has(error.refusal);
}

/** Whether the cloud does not know a security group that a call names: it may be too young. */
export function isHiddenGroup(error: unknown): error is RefusedError {
  return isRefusedError(error) && /^Invalid(Security)?Group(I[dD])?\.NotFound$/.test(error.refusal);
}

/** Whether the cloud does not know a machine that it was asked for. */
export function isNotFound(error: unknown): error is RefusedError {
  return isRefusedError(error) && NOT_FOUND.has(error.refusal);
}

/** Whether the cloud does not know an image by its id. */
export function isNoSuchImage(error: unknown): boolean {
  return isRefusedError(error) && error.refusal.startsWith("InvalidAMIID.");
}

/**
 * The contract's error for one of the SDK's.
 * @param cloud the cloud's name in the plan.
 * @param call what was asked, such as `RunInstances`.
 */
export function explain(error: unknown, cloud: string, call: string): Error {
  if (isDriverError(error) || (error as Error).name === "AbortError") return error as Error;
  const { name = "", message = "", $metadata } = error as SdkError;
  const status = $metadata?.httpStatusCode;
  const words = `${call}: ${[name === "Error" ? "" : name, message].filter((part) => part !== "").join(": ")}`;
  const cause = { cause: error };
  if (THROTTLED.has(name) || status === 429) return new ThrottledError(words, cause);
  const remedy = unreachable(error as SdkError);
  if (remedy !== null) return new CloudUnreachableError(cloud, `${words}; ${remedy}`);
  // Before the status: EC2 tells of missing capacity with 500.
  if (NO_CAPACITY.has(name)) return new RefusedError(name, words, cause);
  if (name === "TypeError") return new DriverError(words, cause); // the SDK itself takes the endpoint or a key for wrong
  if (status === undefined || status >= 500 || status < 400) return new LostReplyError(words, cause);
  return new RefusedError(name, words + hint(name), cause);
}

/** What to do about an error that comes before the call, or null if it is none. */
function unreachable(error: SdkError): string | null {
  const { name = "", message = "" } = error;
  if (BAD_CREDENTIALS.has(name))
    return "give valid credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (profile: or AWS_PROFILE; log in again if it is one of SSO), or a role of this machine";
  if (name === "RequestExpired") return "set this computer's clock right";
  if (/region is missing/i.test(message)) return "write region: in the cloud, or set AWS_REGION";
  if (/could not be found in shared|profile .* (not found|could not)/i.test(message))
    return "see to the profile in ~/.aws/config";
  // A host with several addresses gives one error for each, and one that the SDK wrapped has its code in its words
  // only.
  const codes = [error.code, ...(error.errors ?? []).map(({ code }) => code), ...message.split(/[^A-Z_]+/)];
  if (codes.some((code) => NOT_CONNECTED.has(code ?? "")))
    return "see to the network, and to region: and endpoint: of the cloud";
  if (name === "TimeoutError" && /not establish a connection|connect ETIMEDOUT/.test(message))
    return "see to the network: nothing answers there";
  return null;
}

function hint(code: string): string {
  if (code.endsWith("LimitExceeded") || QUOTAS.has(code))
    return ` (quota ${code}: ask for more in the Service Quotas console, or end machines)`;
  if (code === "UnauthorizedOperation") return " (the credentials are valid, but may not do this)";
  return "";
}
