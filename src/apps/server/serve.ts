import { setMaxListeners } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { codeOf, ConfigError, TidemarkError } from '../../platform/errors.ts'
import { isLoopback } from '../../platform/io/loopback.ts'
import type { Access } from './access.ts'
import { type AppOptions, createApp } from './app.ts'
import { type ConnectionLimits, limitConnections } from './connection-limits.ts'

/** What the server is started with. */
export interface ServeOptions extends Omit<AppOptions, 'signal' | 'access' | 'events'> {
  readonly access: Access
  /** The port to listen on; 0 takes a free one. */
  readonly port: number
  /** Milliseconds that answers under way may take once the server stops. Default 5000. */
  readonly graceMs?: number
  readonly connections?: ConnectionLimits
  readonly times?: Partial<ConnectionTimes>
}

/** How long a client may take, in milliseconds. */
export interface ConnectionTimes {
  /** To send the head of a request. Default 10,000. */
  readonly headersMs: number
  /** To send a whole request, its body included. Default 30,000. */
  readonly requestMs: number
  /** To begin another request. Default 5000. */
  readonly idleMs: number
  /** Without a byte in either direction, such as by not reading an answer. Default 60,000. */
  readonly silentMs: number
  /** How often the first two are checked. Default 1000. */
  readonly checkMs: number
}

const TIMES: ConnectionTimes = {
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 5000,
  // Longer than the pause between two heartbeats of a stream, and than any question takes.
  silentMs: 60_000,
  checkMs: 1000,
}

/** The same as the defaults of the settings. */
const CONNECTIONS: ConnectionLimits = { total: 1000, perAddress: 100 }

/**
 * A server that listens. Disposing it stops it: it accepts no new connection, ends the streams and
 * finishes the answers under way.
 */
export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
}

/**
 * Listens on the host of `access` and resolves once it does. The warehouse need not be reachable yet.
 * Throws `ConfigError`: `PORT_TAKEN`, `PORT_DENIED`, `HOST_UNKNOWN`, or `CONFIG_OIDC` if a name that
 * should be this machine's turns out to be another's.
 */
export async function startServer({
  port,
  graceMs = 5000,
  connections = CONNECTIONS,
  times = {},
  ...options
}: ServeOptions): Promise<RunningServer> {
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal) // each open stream adds a listener
  const app = createApp({ ...options, signal: stopping.signal })
  const { host, oidc } = options.access
  const { headersMs, requestMs, idleMs, silentMs, checkMs } = { ...TIMES, ...times }
  const server = createAdaptorServer({
    fetch: app.fetch,
    createServer,
    serverOptions: {
      maxHeaderSize: 16 * 1024,
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: checkMs,
    },
  }) as Server
  server.setTimeout(silentMs)
  limitConnections(server, connections)
  await listen(server, { host: withoutBrackets(host), port })
  const { address, port: chosen } = server.address() as AddressInfo
  const stop = async (): Promise<void> => {
    stopping.abort()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    // Again and again: a connection becomes idle only once its answer is finished.
    const idle = setInterval(() => server.closeIdleConnections(), 20)
    const last = setTimeout(() => server.closeAllConnections(), graceMs)
    await closed
    clearInterval(idle)
    clearTimeout(last)
  }
  if (oidc === undefined && !isLoopback(address)) {
    await stop()
    throw new ConfigError(`${host} is not this machine, and no login is set up`, {
      code: 'CONFIG_OIDC',
      hint: 'choose an address of this machine: --host 127.0.0.1',
    })
  }
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  return { url: `http://${name}:${chosen}`, port: chosen, [Symbol.asyncDispose]: stop }
}

/**
 * Throws `ConfigError`, as `startServer` does, if a server cannot listen there now. Port 0 is always
 * free. Call it before long work that ends with starting a server.
 */
export async function checkPort(at: { host: string; port: number }): Promise<void> {
  const probe = createServer()
  await listen(probe, { ...at, host: withoutBrackets(at.host) })
  await new Promise((resolve) => probe.close(resolve))
}

/** An IPv6 address as Node takes it. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

async function listen(server: Server, at: { host: string; port: number }): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(at, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    throw describeListening(error, at)
  }
}

function describeListening(
  error: unknown,
  { host, port }: { host: string; port: number },
): TidemarkError {
  const code = codeOf(error)
  const place = `${host}, port ${port}`
  if (code === 'EADDRINUSE') {
    return new ConfigError(`Another program already listens on ${place} [${code}]`, {
      code: 'PORT_TAKEN',
      hint: `choose another one: --port ${port === 65_535 ? 4100 : port + 1}`,
      cause: error,
    })
  }
  if (code === 'EACCES') {
    return new ConfigError(`This user may not listen on ${place} [${code}]`, {
      code: 'PORT_DENIED',
      hint: 'choose a port above 1023: --port 4100',
      cause: error,
    })
  }
  if (/^(EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN|EINVAL)$/.test(code)) {
    return new ConfigError(`${host} is not an address of this machine [${code}]`, {
      code: 'HOST_UNKNOWN',
      hint: 'choose an address of this machine: --host 127.0.0.1',
      cause: error,
    })
  }
  return new TidemarkError(`Cannot listen on ${place} [${code}]`, { code: 'LISTEN', cause: error })
}
