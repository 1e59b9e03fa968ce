import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What becomes of the bytes: `pass` them on, or accept them and pass on nothing. */
export type Fate = 'pass' | 'swallow'

export interface SilentProxy extends AsyncDisposable {
  /** The same database by way of the proxy. */
  through(url: string): string
  /** What becomes of connections that are open. */
  setOpen(fate: Fate): void
  /** What becomes of connections still to come. */
  setNew(fate: Fate): void
  /** Resolves, and swallows everything from then on, once so many bytes more have passed. */
  swallowAfter(bytes: number): Promise<void>
  readonly connections: number
}

/** A way to a server that can go silent without being cut, as a lost firewall's state does. */
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
        // What is swallowed includes the news that the other side has gone.
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
