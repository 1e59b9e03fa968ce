import { rmSync, writeFileSync } from 'node:fs'

/** Writes a file for its owner alone. It is a new file, so that an older one's mode does not stay. */
export function writeSecret(path: string, text: string): void {
  rmSync(path, { force: true })
  writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
}

/** One line a role: host:port:database:user:password (Postgres manual, 34.16). */
export function passLines(urls: readonly string[]): string {
  return urls
    .map((text) => {
      const { hostname, port, pathname, username, password } = new URL(text)
      return `${hostname}:${port}:${pathname.slice(1)}:${username}:${decodeURIComponent(password)}\n`
    })
    .join('')
}
