import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Where Chromium usually is. `TIDEMARK_CHROMIUM` names another place. */
const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/** Options that keep Chromium from reaching for its maker's servers at every start. */
const QUIET = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const NO_CHROMIUM =
  'no Chromium found: apt-get install chromium, or set TIDEMARK_CHROMIUM to one'

/** The path of this machine's browser. Undefined if it has none; nothing is ever downloaded. */
export function findChromium(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { TIDEMARK_CHROMIUM: named } = environment
  if (named !== undefined && named !== '') return existsSync(named) ? named : undefined
  return PLACES.find((path) => existsSync(path))
}

/** Starts the browser with a profile of its own, which is removed when the browser closes. */
export async function launchChromium(executablePath: string): Promise<Browser> {
  const isRoot = process.getuid?.() === 0
  return chromium.launch({
    executablePath,
    timeout: 120_000,
    // Its sandbox refuses to run as root, which is the user on build machines.
    args: isRoot ? [...QUIET, '--no-sandbox'] : QUIET,
  })
}
