import { get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../platform/config.ts'
import { createReader } from '../../platform/presentation/reader.ts'
import { readAccess } from './access.ts'
import { networkOf } from './connection-limits.ts'
import { type RunningServer, type ServeOptions, startServer } from './serve.ts'
import { totesys } from '../../totesys/totesys.ts'

const HOUR_MS = 3_600_000
/** Time limits that nobody exceeds, however slow this machine is. */
const PATIENT = { headersMs: HOUR_MS, requestMs: HOUR_MS, idleMs: HOUR_MS, silentMs: HOUR_MS }

/** A server that needs no warehouse for these requests. */
async function start({ times, ...more }: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const url = 'postgresql://127.0.0.1:1/nowhere'
  return await startServer({
    project: totesys,
    reader: createReader({ title: 'the warehouse', code: 'WAREHOUSE', url, schema: 'public' }),
    questions: new Map(),
    promiseMs: 1_800_000,
    access: readAccess(parseConfig({})),
    log: () => {},
    version: '1.2.3',
    port: 0,
    graceMs: 100,
    times: { ...PATIENT, checkMs: 20, ...times },
    ...more,
  })
}

interface Client {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  isClosed: boolean
  received: string
}

/** A connection from an address of this machine that begins a request and does not finish it. */
function open({ port }: RunningServer, localAddress = '127.0.0.1', text = 'G'): Client {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  const client: Client = {
    socket,
    closed: new Promise((resolve) => socket.once('close', resolve)),
    isClosed: false,
    received: '',
  }
  socket.on('error', () => {})
  socket.on('close', () => (client.isClosed = true))
  socket.on('data', (chunk: Buffer) => (client.received += chunk.toString()))
  socket.on('connect', () => socket.write(text))
  return client
}

async function status({ port }: RunningServer, localAddress: string): Promise<number | string> {
  return await new Promise((resolve) => {
    get(
      { port, host: '127.0.0.1', localAddress, path: '/openapi.json', agent: false },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      },
    ).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'failed'))
  })
}

const closedOf = (clients: readonly Client[]): number =>
  clients.filter(({ isClosed }) => isClosed).length

describe('startServer()', () => {
  it('answers others while a thousand connections from one address never end their request', async () => {
    await using server = await start()
    const clients = Array.from({ length: 1000 }, () => open(server))
    await expect.poll(() => closedOf(clients)).toBe(900)
    expect(await status(server, '127.0.0.2')).toBe(200)
    expect(await status(server, '127.0.0.1')).toBe('ECONNRESET')
    // A connection that closes makes room for the next from its address.
    const held = clients.filter(({ isClosed }) => !isClosed)
    expect(held.length).toBe(100)
    held[0]?.socket.destroy()
    await expect.poll(() => status(server, '127.0.0.1')).toBe(200)
    for (const { socket } of clients) socket.destroy()
  })

  it('keeps the last connections for addresses that have few', async () => {
    await using server = await start({ connections: { total: 40, perAddress: 30 } })
    const first = Array.from({ length: 31 }, () => open(server, '127.0.0.1'))
    await expect.poll(() => closedOf(first)).toBe(1)
    const second = Array.from({ length: 30 }, () => open(server, '127.0.0.2'))
    await expect.poll(() => closedOf(second)).toBe(22)
    expect(await status(server, '127.0.0.3')).toBe(200)
    const third = [open(server, '127.0.0.3'), open(server, '127.0.0.4')]
    // Full is full.
    await expect.poll(() => status(server, '127.0.0.5')).toBe('ECONNRESET')
    expect(closedOf(third)).toBe(0)
    for (const { socket } of [...first, ...second, ...third]) socket.destroy()
  })

  it('closes a connection that sends its request byte by byte, once its time is over', async () => {
    await using server = await start({ times: { headersMs: 200 } })
    const slow = open(server, '127.0.0.1', 'GET / HTTP/1.1\r\nHost: ')
    const dribble = setInterval(() => slow.socket.write('x'), 20)
    const startedAt = performance.now()
    // A client that is still sending may lose the answer, so another one reads it.
    const stopped = open(server, '127.0.0.1', 'GET / HTTP/1.1\r\nHost: ')
    await Promise.all([slow.closed, stopped.closed])
    clearInterval(dribble)
    expect(stopped.received).toMatch(/^HTTP\/1.1 408/)
    expect(performance.now() - startedAt).toBeGreaterThan(150)
  })

  it('closes a connection that sends its body byte by byte', async () => {
    await using server = await start({ times: { headersMs: 150, requestMs: 200 } })
    const head = 'POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n'
    const body = open(server, '127.0.0.1', head)
    const dribble = setInterval(() => body.socket.write('x'), 20)
    await body.closed
    clearInterval(dribble)
    expect(body.received).not.toMatch(/^HTTP\/1.1 200/)
  })

  it('closes a connection that sends no further request', async () => {
    await using server = await start({ times: { idleMs: 100 } })
    const idle = open(server, '127.0.0.1', 'GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await idle.closed
    expect(idle.received).toMatch(/^HTTP\/1.1 200/)
  })

  it('closes a connection that is silent, while it asks and while it listens', async () => {
    // Time to answer first: silence is counted from the start.
    await using server = await start({ times: { silentMs: 3000 } })
    const listening = open(server, '127.0.0.1', 'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const nothing = open(server, '127.0.0.1', '')
    await Promise.all([listening.closed, nothing.closed])
    expect(listening.received).toMatch(/^HTTP\/1.1 200/)
  })
})

it('networkOf() takes an IPv6 /64 for one, and an IPv4 address in any notation for itself', () => {
  expect(networkOf('203.0.113.7')).toBe('203.0.113.7')
  expect(networkOf('::ffff:203.0.113.7')).toBe('203.0.113.7')
  expect(networkOf('2001:db8:1:2::1')).toBe('2001:db8:1:2')
  expect(networkOf('2001:0DB8:1:2:ffff:ffff:ffff:ffff')).toBe('2001:db8:1:2')
  expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0')
  expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0')
  expect(networkOf('::1')).toBe('0:0:0:0')
  expect(networkOf('')).toBe('')
})
