import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TestHttpServer extends AsyncDisposable {
  readonly url: URL
  /** Headers of every request so far. */
  readonly requests: IncomingMessage['headers'][]
  answer: (response: ServerResponse, request: IncomingMessage) => void
}

/** A server on this machine that answers what a test tells it to. */
export async function startHttpServer(path: string): Promise<TestHttpServer> {
  const requests: IncomingMessage['headers'][] = []
  const told: Pick<TestHttpServer, 'answer'> = { answer: (response) => response.end() }
  const server = createServer((request, response) => {
    requests.push(request.headers)
    told.answer(response, request)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(told, {
    url: new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}
