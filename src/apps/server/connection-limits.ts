import type { Server } from 'node:http'
import { isIPv6, type Socket } from 'node:net'

export interface ConnectionLimits {
  /** Connections at one time. */
  readonly total: number
  /** How many of them from one address; an IPv6 /64, the network of one customer, counts as one. */
  readonly perAddress: number
}

/**
 * Once this share of all places is taken, only addresses with fewer than `RESERVED_EACH` get more.
 */
const RESERVE_FROM = 0.8
const RESERVED_EACH = 8

/**
 * Closes a connection that is one too many for its address, before a byte of it is read, so that
 * nobody takes the places of others. The last fifth of all places is reserved for addresses that
 * have few connections. Costs one look-up a connection.
 */
export function limitConnections(server: Server, { total, perAddress }: ConnectionLimits): void {
  const open = new Map<string, number>()
  let all = 0
  server.maxConnections = total
  server.on('connection', (socket: Socket) => {
    const client = networkOf(socket.remoteAddress ?? '')
    const own = open.get(client) ?? 0
    const limit = all < total * RESERVE_FROM ? perAddress : Math.min(perAddress, RESERVED_EACH)
    if (own >= limit) {
      socket.destroy()
      return
    }
    all += 1
    open.set(client, own + 1)
    socket.once('close', () => {
      all -= 1
      const left = (open.get(client) ?? 1) - 1
      if (left === 0) open.delete(client)
      else open.set(client, left)
    })
  })
}

/** An IPv4 address, or the first four groups of an IPv6 address. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.toLowerCase().split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const missing = 8 - groups(head).length - groups(tail ?? '').length
  const zeros = Array.from({ length: tail === undefined ? 0 : missing }, () => '0')
  return [...groups(head), ...zeros, ...groups(tail ?? '')]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
