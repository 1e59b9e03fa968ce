import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What happens to a request that the proxy does not simply pass on. An object: the proxy answers
 * with this status and code. `lose`: the server does the work, but its answer is lost. `stall`:
 * nobody answers. `cut`: only half of the body arrives. `stall-midway`: the same, and the answer
 * never ends. `damage`: one bit of the body is changed.
 */
export type Mishap = { readonly status: number; readonly code?: string } | Fate
type Fate = 'lose' | 'stall' | 'cut' | 'stall-midway' | 'damage'

export interface FaultyProxy extends AsyncDisposable {
  readonly endpoint: string
  /** Every request so far: `PUT /bucket/key`. */
  readonly requests: string[]
  /** Connections now open. */
  countConnections(): Promise<number>
  /** Called for each request. Returns what happens to it; undefined passes it on. */
  onRequest: (request: string) => Mishap | undefined | Promise<Mishap | undefined>
}

/** A proxy in front of an S3 server that can make requests fail. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const requests: string[] = []
  const proxy: { onRequest: FaultyProxy['onRequest'] } = { onRequest: () => undefined }

  const serve = async (incoming: IncomingMessage, answer: ServerResponse) => {
    const named = `${incoming.method} ${(incoming.url ?? '').split('?')[0]}`
    requests.push(named)
    const mishap = await proxy.onRequest(named)
    if (mishap === 'stall') return
    if (typeof mishap === 'object') {
      incoming.resume()
      await once(incoming, 'end')
      const { status, code = 'Mishap' } = mishap
      answer.writeHead(status, { 'content-type': 'application/xml' })
      if (status < 300) {
        answer.end()
        return
      }
      answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`)
      return
    }
    await forward({ incoming, answer, target, mishap })
  }
  const server = createServer((incoming, answer) => {
    serve(incoming, answer).catch(() => answer.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(proxy, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    countConnections: () =>
      new Promise<number>((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

async function forward({
  incoming,
  answer,
  target,
  mishap,
}: {
  incoming: IncomingMessage
  answer: ServerResponse
  target: string
  mishap: Fate | undefined
}): Promise<void> {
  const { expect: _, ...headers } = incoming.headers
  const outgoing = request(new URL(incoming.url ?? '/', target), {
    method: incoming.method ?? 'GET',
    // The host as it was signed.
    headers,
    agent: false,
  })
  incoming.pipe(outgoing)
  const [found] = (await once(outgoing, 'response')) as [IncomingMessage]
  if (mishap === undefined) {
    answer.writeHead(found.statusCode ?? 500, found.headers)
    found.pipe(answer)
    await once(found, 'end')
    return
  }
  const chunks: Buffer[] = []
  for await (const chunk of found) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  if (mishap === 'lose') {
    answer.destroy()
    return
  }
  answer.writeHead(found.statusCode ?? 500, found.headers)
  if (mishap === 'damage') {
    body[0] = (body[0] ?? 0) ^ 1
    answer.end(body)
    return
  }
  await new Promise((resolve) => answer.write(body.subarray(0, body.length / 2), resolve))
  if (mishap === 'cut') answer.destroy()
}
