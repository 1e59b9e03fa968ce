import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What happens to bytes: `pass` them on, or `swallow` them: accept them and pass on nothing. */
export type Fate = 'pass' | 'swallow'

export interface SilentProxy extends AsyncDisposable {
  /** The same database, through the proxy. */
  through(url: string): string
  /** What happens to open connections. */
  setOpen(fate: Fate): void
  /** What happens to new connections. */
  setNew(fate: Fate): void
  /** Resolves, and swallows everything from then on, once so many bytes more have passed. */
  swallowAfter(bytes: number): Promise<void>
  readonly connections: number
}

/** A proxy that can go silent without closing, like a firewall that has lost its state. */
export async function startSilentProxy(target: string): Promise<SilentProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<{ readonly sockets: readonly Socket[]; fate: Fate }>()
  let fateOfNew: Fate = 'pass'
  let connections = 0
  let allowance: { left: number; spent: () => void } | undefined
  const setOpen = (fate: Fate): void => pairs.forEach((pair) => (pair.fate = fate))
  const server = createServer((near) => {
    connections += 1
    const far = connect(Number(port), hostname)
    const pair = { sockets: [near, far], fate: fateOfNew }
    pairs.add(pair)
    const relay = (from: Socket, to: Socket): void => {
      from.on('data', (chunk) => {
        if (pair.fate === 'pass') to.write(chunk)
        if (allowance !== undefined) allowance.left -= chunk.length
        if (allowance === undefined || allowance.left > 0) return
        const { spent } = allowance
        allowance = undefined
        setOpen('swallow')
        fateOfNew = 'swallow'
        spent()
      })
      from.on('error', () => {})
      from.on('close', () => {
        // The news that the other side has gone is swallowed too.
        if (pair.fate === 'pass') to.destroy()
      })
    }
    relay(near, far)
    relay(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    through(url) {
      const changed = new URL(url)
      changed.port = String((server.address() as AddressInfo).port)
      return changed.href
    },
    setOpen,
    setNew: (fate) => (fateOfNew = fate),
    swallowAfter: (bytes) =>
      new Promise((resolve) => {
        allowance = { left: bytes, spent: resolve }
      }),
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      for (const { sockets } of pairs) for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
