import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'

/** A stand-in for AWS Secrets Manager, which exists only on AWS. Knows only `GetSecretValue`. */
export interface SecretsServer extends AsyncDisposable {
  readonly endpoint: string
  /** The secrets by name; may be changed at any time. */
  readonly secrets: Map<string, string>
  /** Names asked for so far. */
  readonly asked: string[]
  /** The number of requests that fail with a server error before others succeed. */
  failures: number
  /** If set, every request is refused with this code. */
  fault: string | undefined
}

export async function startSecretsServer(): Promise<SecretsServer> {
  const secrets = new Map<string, string>()
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const { SecretId: name } = JSON.parse(await text(request)) as { SecretId: string }
    asked.push(name)
    const value = secrets.get(name)
    const answer = (status: number, body: object) =>
      response
        .writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
        .end(JSON.stringify(body))
    if (own.failures > 0) {
      own.failures -= 1
      answer(500, { __type: 'InternalServiceError' })
    } else if (own.fault !== undefined) {
      answer(400, { __type: own.fault, message: 'refused' })
    } else if (value === undefined) {
      answer(400, { __type: 'ResourceNotFoundException', message: 'no such secret' })
    } else answer(200, { Name: name, SecretString: value })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own: SecretsServer = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secrets,
    asked,
    failures: 0,
    fault: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return own
}
