import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError, TransientError } from '../errors.ts'
import { fetchAnswer, addressWithoutQuery } from './http.ts'

describe('fetchAnswer()', () => {
  let url: URL
  let serve: (request: IncomingMessage, response: ServerResponse) => void
  let requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    serve(request, response)
  })
  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/live?key=hunter2`)
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const asked = async (options = {}) => {
    requests = []
    return await fetchAnswer(url, { pauseMs: 1, timeoutMs: 60_000, ...options }).catch(
      (error: unknown) => error,
    )
  }

  it('returns the bytes unchanged, and the server’s own name for them', async () => {
    serve = (_, response) => response.setHeader('etag', '"a b"').end('{"rate":1.10}')
    expect(await asked()).toEqual({ body: Buffer.from('{"rate":1.10}'), version: 'etag "a b"' })
    serve = (_, response) =>
      response.setHeader('last-modified', 'Fri, 20 Nov 2026 16:00:00 GMT').end('x')
    expect(await asked()).toMatchObject({ version: 'modified Fri, 20 Nov 2026 16:00:00 GMT' })
    serve = (_, response) => response.end('x')
    expect(await asked()).toMatchObject({ version: expect.stringMatching(/^sha256 [0-9a-f]{64}$/) })
  })

  it('asks only for a new answer, in a way that the server understands', async () => {
    serve = (request, response) =>
      response.writeHead(request.headers['if-none-match'] === '"a b"' ? 304 : 200).end('x')
    expect(await asked({ known: 'etag "a b"' })).toBeUndefined()
    serve = (request, response) =>
      response.writeHead(request.headers['if-modified-since'] ? 304 : 200).end('x')
    expect(await asked({ known: 'modified Fri, 20 Nov 2026 16:00:00 GMT' })).toBeUndefined()
    serve = (_, response) => response.end('x')
    const { version } = (await asked()) as { version: string }
    expect(await asked({ known: version })).toBeUndefined()
  })

  it('tries again after errors that may pass, a limited number of times', async () => {
    serve = (_, response) => response.writeHead(requests.length < 3 ? 503 : 200).end('x')
    expect(await asked()).toMatchObject({ body: Buffer.from('x') })
    serve = (_, response) => response.writeHead(429).end()
    expect(await asked()).toBeInstanceOf(TransientError)
    expect(requests.length).toBe(3)
    serve = (request) => request.destroy()
    expect(await asked()).toBeInstanceOf(TransientError)
    serve = () => {}
    const stalled = await asked({ timeoutMs: 50, attempts: 2 })
    expect(stalled).toMatchObject({ name: 'TransientError', code: 'FEED_UNREACHABLE' })
    serve = (_, response) => response.writeHead(200, { 'content-length': '10' }).write('half')
    expect(await asked({ timeoutMs: 50, attempts: 1 })).toBeInstanceOf(TransientError)
  })

  it('does not try again after other errors, and does not show the key in the address', async () => {
    for (const status of [401, 403, 404]) {
      serve = (_, response) => response.writeHead(status).end()
      expect(await asked()).toBeInstanceOf(ConfigError)
      expect(requests.length).toBe(1)
    }
    serve = (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
    const moved = await asked({ attempts: 1 })
    expect(String(moved)).not.toContain('hunter2')
    serve = (_, response) => response.end('x'.repeat(5000))
    const large = await asked({ maxBytes: 4096 })
    expect(large).toMatchObject({ name: 'ConfigError', code: 'FEED_TOO_LARGE' })
    expect(String(large)).not.toContain('hunter2')
    expect(addressWithoutQuery(new URL('https://user:secret@rates.example/daily?key=1'))).toBe(
      'https://rates.example/daily',
    )
  })

  it('stops if it is asked to', async () => {
    const stop = new AbortController()
    serve = () => stop.abort()
    expect(await asked({ signal: stop.signal })).toBeInstanceOf(TransientError)
    expect(requests.length).toBe(1)
  })
})
