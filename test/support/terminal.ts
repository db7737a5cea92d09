/** Runs a program at a terminal of its own, as a person would: a pseudo-terminal that Python's standard library makes. */
import { execFile } from "node:child_process";

const PTY = `
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/**
 * @param env the whole environment of the program
 * @returns what it wrote to the terminal, with the terminal's line ends
 */
export function atTerminal(
  words: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly columns?: number; readonly cwd?: string },
): Promise<{ readonly code: number; readonly screen: string }> {
  const { env, columns = 80, cwd } = options;
  return new Promise((resolve) => {
    execFile(
      "python3",
      ["-c", PTY, String(columns), ...words],
      { env, cwd, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout) => {
        resolve({ code: error === null ? 0 : Number(error.code), screen: stdout });
      },
    );
  });
}
