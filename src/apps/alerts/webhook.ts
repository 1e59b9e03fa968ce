import * as http from 'node:http'
import * as https from 'node:https'
import { codeOf, ConfigError, TransientError } from '../../platform/errors.ts'
import type { Message } from './message.ts'

/** How long a webhook may take for a whole request, in milliseconds. */
const REQUEST_MS = 10_000
const STILL_LATER = 'it is tried again with the next run; to try it now: tidemark alerts test'

/**
 * Posts a message as `{ "text": … }`, as Slack, Mattermost and others take it. Follows no redirect,
 * uses no proxy, and reads none of the answer but its status. The address is a secret: no error holds
 * it. Throws `ConfigError` (`WEBHOOK_REFUSED`) if the server does not take such a request, and
 * `TransientError` (`WEBHOOK_BUSY`, `WEBHOOK_UNREACHABLE`) if it may do so later.
 */
export async function postMessage(
  address: string,
  message: Message,
  { signal, timeoutMs = REQUEST_MS }: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<void> {
  const status = await post(new URL(address), JSON.stringify({ text: asText(message) }), {
    timeoutMs,
    signal,
  }).catch((error: unknown) => {
    const code = codeOf(error) || 'FAILED'
    throw new TransientError(`The webhook cannot be reached, or does not answer [${code}]`, {
      code: 'WEBHOOK_UNREACHABLE',
      hint: STILL_LATER,
    })
  })
  if (status >= 200 && status < 300) return
  if (status === 408 || status === 429 || status >= 500) {
    throw new TransientError(`The webhook does not take a message now [${status}]`, {
      code: 'WEBHOOK_BUSY',
      hint: STILL_LATER,
    })
  }
  const isElsewhere = status >= 300 && status < 400
  throw new ConfigError(
    isElsewhere
      ? `The webhook sends us elsewhere, and a redirect is not followed [${status}]`
      : `The webhook refuses the message [${status}]`,
    {
      code: 'WEBHOOK_REFUSED',
      hint: 'set TIDEMARK_ALERT_WEBHOOK to the address that the chat gives for incoming webhooks; then: tidemark alerts test',
    },
  )
}

/** Returns the status of the answer. */
async function post(
  url: URL,
  body: string,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined },
): Promise<number> {
  const limits = [AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]
  return await new Promise((resolve, reject) => {
    const { request } = url.protocol === 'https:' ? https : http
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    }
    // Without an agent, no setting of the process leads through a proxy.
    const options = { method: 'POST', headers, agent: false, signal: AbortSignal.any(limits) }
    const sent = request(url, options, (response) => {
      resolve(response.statusCode ?? 0)
      response.destroy()
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Slack reads `&`, `<` and `>`; others call a whole channel by a name after `@`. */
function asText({ subject, text }: Message): string {
  return `${subject}\n\n${text}`
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('@', '@\u200B')
}
