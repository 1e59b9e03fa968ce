import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { startHttpServer } from '../../../test/support/http-server.ts'
import { postMessage } from './webhook.ts'

const SECRET = '/services/T0/B0/very-secret'
const MESSAGE = { subject: '[Tidemark] shop: it failed', text: 'Details\n' }

const failure = async (work: Promise<void>): Promise<Record<string, unknown>> =>
  await work.then(
    () => ({}),
    (error: unknown) => ({ ...(error as object), message: (error as Error).message }),
  )

it('postMessage() posts the text as JSON that Slack shows and does not obey', async () => {
  await using server = await startHttpServer(SECRET)
  const bodies: unknown[] = []
  server.answer = (response, request) => {
    void text(request).then((body) => {
      bodies.push([request.method, request.url, JSON.parse(body)])
      return response.end('ok')
    })
  }
  await postMessage(server.url.href, { ...MESSAGE, text: '<!channel> & @here <http://a|b>\n' })
  expect(bodies).toEqual([
    [
      'POST',
      SECRET,
      {
        text: '[Tidemark] shop: it failed\n\n&lt;!channel&gt; &amp; @\u200Bhere &lt;http://a|b&gt;\n',
      },
    ],
  ])
  expect(server.requests[0]?.['content-type']).toContain('application/json')
})

it.each([
  [500, 'WEBHOOK_BUSY', 'TransientError'],
  [503, 'WEBHOOK_BUSY', 'TransientError'],
  [429, 'WEBHOOK_BUSY', 'TransientError'],
  [404, 'WEBHOOK_REFUSED', 'ConfigError'],
  [302, 'WEBHOOK_REFUSED', 'ConfigError'],
])('postMessage() tells for now from for good (%d)', async (status, code, name) => {
  await using other = await startHttpServer('/other')
  await using server = await startHttpServer(SECRET)
  server.answer = (response) => {
    response.writeHead(status, { location: other.url.href })
    response.end('no')
  }
  const error = await failure(postMessage(server.url.href, MESSAGE))
  expect(error).toMatchObject({ code, name })
  expect(JSON.stringify(error)).not.toContain('very-secret')
  expect(other.requests).toEqual([])
})

it('postMessage() waits for a server that hangs no longer than it may, and names no address', async () => {
  await using server = await startHttpServer(SECRET)
  server.answer = () => {}
  const error = await failure(postMessage(server.url.href, MESSAGE, { timeoutMs: 100 }))
  expect(error).toMatchObject({ code: 'WEBHOOK_UNREACHABLE' })
  expect(JSON.stringify(error)).not.toContain('very-secret')
})

it('postMessage() says that nobody listens', async () => {
  let gone = ''
  {
    await using server = await startHttpServer(SECRET)
    gone = server.url.href
  }
  const error = await failure(postMessage(gone, MESSAGE))
  expect(error).toMatchObject({ code: 'WEBHOOK_UNREACHABLE' })
  expect(error['message']).toContain('[ECONNREFUSED]')
})

it('postMessage() speaks TLS to an https address, and sends nothing in clear', async () => {
  await using server = await startHttpServer(SECRET)
  const address = server.url.href.replace('http:', 'https:')
  expect(await failure(postMessage(address, MESSAGE))).toMatchObject({
    code: 'WEBHOOK_UNREACHABLE',
  })
  expect(server.requests).toEqual([])
})
