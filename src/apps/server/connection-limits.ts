import type { Server } from 'node:http'
import { isIPv6, type Socket } from 'node:net'

/** How many connections the server accepts. */
export interface ConnectionLimits {
  /** At one time. */
  readonly total: number
  /** From one address. An IPv6 /64, the network of one customer, counts as one address. */
  readonly perAddress: number
}

/** Once this share of all connections is taken, only addresses with few of them get more. */
const RESERVE_FROM = 0.8
/** How many connections such an address may have. */
const RESERVED_EACH = 8

/**
 * Closes each connection beyond the limit of its address, before a byte of it is read, so that nobody
 * takes the connections of others. The last fifth is reserved for addresses that have few. Costs one
 * look-up for each connection.
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
