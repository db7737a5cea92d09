/** Runs a program at a terminal of its own, as a person would: a pseudo-terminal that Python's standard library makes. */
import { execFile } from "node:child_process";

const PTY = `
import fcntl, json, os, pty, struct, sys, termios
steps = json.loads(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
seen = b""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    os.write(1, data)
    seen += data
    while steps and steps[0][0].encode() in seen:
        seen = seen.split(steps[0][0].encode(), 1)[1]
        os.write(fd, steps.pop(0)[1].encode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

export interface TerminalOptions {
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  readonly columns?: number;
  readonly cwd?: string;
  /** What to type, each as soon as the screen has shown the text before it. */
  readonly typing?: readonly (readonly [shown: string, typed: string])[];
}

/** @returns what the program wrote to the terminal, with the terminal's line ends */
export function atTerminal(
  words: readonly string[],
  { env, columns = 80, cwd, typing = [] }: TerminalOptions,
): Promise<{ readonly code: number; readonly screen: string }> {
  return new Promise((resolve) => {
    execFile(
      "python3",
      ["-c", PTY, String(columns), JSON.stringify(typing), ...words],
      { env, cwd, maxBuffer: 64 * 1024 * 1024, timeout: 50_000 },
      (error, stdout) => {
        resolve({ code: error === null ? 0 : Number(error.code), screen: stdout });
      },
    );
  });
}
