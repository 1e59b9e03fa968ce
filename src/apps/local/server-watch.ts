import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Account } from './postgres-binaries.ts'

/**
 * Waits for the end of its input, which comes when the process at the other end of the pipe ends.
 * Then stops the server of the cluster, if that is still the same process. A line of input dismisses
 * it. It uses almost only what every `sh` has built in, because slim images have little more.
 */
const WATCH = `
  read -r line && exit
  while kill -0 "$2"; do
    owner=
    read -r owner < "$1/postmaster.pid"
    [ "$owner" = "$2" ] && kill -INT "$2"
    sleep 1
  done`

/**
 * Makes a server stop soon after this process ends, even after `kill -9`, which no handler sees. The
 * watcher runs as the server's account, ignores the terminal's signals and ends with the server.
 * Returns a function that dismisses it.
 */
export function watchServer(
  cluster: string,
  { pid, account }: { pid: number; account: Account | undefined },
): () => void {
  const watcher = spawn('sh', ['-c', WATCH, 'tidemark-watch', cluster, String(pid)], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    ...account,
  })
  // Without a shell, the server survives a kill until the next start stops it.
  watcher.on('error', () => {})
  const input = watcher.stdin as Socket
  input.on('error', () => {})
  input.unref()
  watcher.unref()
  return () => input.end('done\n')
}
