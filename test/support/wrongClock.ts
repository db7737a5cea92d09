/** Processes whose wall clock is wrong, or is set while they run. */

/** `NODE_OPTIONS` that put what Date says `ms` milliseconds off as soon as `file` is there. */
export function clockSetBy(ms: number, file: string): string {
  return preload(
    `const {existsSync}=await import("node:fs");const now=Date.now;Date.now=()=>now()+(existsSync(${JSON.stringify(file)})?${ms}:0);globalThis.Date=class extends Date{constructor(...a){a.length===0?super(Date.now()):super(...a)}};`,
  );
}

/** `NODE_OPTIONS` of a process that starts with a clock that is `ms` milliseconds off. */
export function clockOff(ms: number): string {
  return preload(
    `const now=Date.now;Date.now=()=>now()+(${ms});Object.defineProperty(performance,"timeOrigin",{value:performance.timeOrigin+(${ms})});`,
  );
}

function preload(code: string): string {
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}
