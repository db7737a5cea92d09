/** Stops a call on its way, so that a test can do something to whoever made it at exactly that moment. */
import { within } from "../eventually.js";
import type { Call, Layer } from "../moto.js";

/** Before the cloud has done anything, or when it has and has not answered yet. */
export type Moment = "before" | "after";

/** A call that was stopped; it waits until `end`. */
export interface Held {
  readonly call: Call;
  /** Lets it go on, or cuts its connection: before the effect there will be none then. */
  end(how: "go on" | "cut"): void;
}

interface Wanted {
  readonly fits: (call: Call, nth: number) => boolean;
  readonly moment: Moment;
  readonly reached: (held: Held) => void;
  nth: number;
}

export class Holds {
  private wanted: readonly Wanted[] = [];

  /**
   * Stops the next call that fits; `nth` counts the calls from now on, of every kind, from 1. Resolves when it has
   * come. Several may be waited for at a time: a call is stopped for the first one that it fits.
   */
  next(moment: Moment, fits: (call: Call, nth: number) => boolean): Promise<Held> {
    const held = new Promise<Held>((reached) => {
      this.wanted = [...this.wanted, { fits, moment, reached, nth: 0 }];
    });
    return within(`a call that fits ${String(fits)}`, held);
  }

  /** Stops none any more. */
  clear(): void {
    this.wanted = [];
  }

  readonly layer: Layer = async (call, next) => {
    for (const each of this.wanted) each.nth += 1;
    const wanted = this.wanted.find(({ fits, nth }) => fits(call, nth));
    if (wanted === undefined) return next(call);
    this.wanted = this.wanted.filter((each) => each !== wanted);
    const stop = () =>
      new Promise<"go on" | "cut">((end) => {
        wanted.reached({ call, end });
      });
    if (wanted.moment === "before") return (await stop()) === "cut" ? "cut" : next(call);
    const reply = await next(call);
    return (await stop()) === "cut" ? "cut" : reply;
  };
}
