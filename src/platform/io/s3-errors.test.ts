import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { TransientError } from '../errors.ts'
import { BodyDamagedError, explainS3Error, isPassing } from './s3-errors.ts'

/** An error as the SDK throws it, with secrets in its text. */
const fault = (name: string, status: number) =>
  Object.assign(new Error('AKIASECRET signed https://host/key?X-Amz-Signature=secret'), {
    name,
    AWSAccessKeyId: 'AKIASECRET',
    StringToSign: 'AWS4-HMAC-SHA256 secret',
    $metadata: status === 0 ? {} : { httpStatusCode: status, requestId: 'r-1' },
  })
const network = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

it.each([
  [fault('NoSuchBucket', 404), 'LAKE_BUCKET', false],
  [fault('AccessDenied', 403), 'LAKE_PERMISSION', false],
  [fault('InvalidAccessKeyId', 403), 'LAKE_CREDENTIALS', false],
  [fault('SignatureDoesNotMatch', 403), 'LAKE_CREDENTIALS', false],
  [fault('ExpiredToken', 400), 'LAKE_CREDENTIALS', false],
  [fault('CredentialsProviderError', 0), 'LAKE_CREDENTIALS', false],
  [fault('PermanentRedirect', 301), 'LAKE_REGION', false],
  [fault('AuthorizationHeaderMalformed', 400), 'LAKE_REGION', false],
  [new Error('Region is missing'), 'LAKE_REGION', false],
  [fault('RequestTimeTooSkewed', 403), 'LAKE_CLOCK', true],
  [network('SELF_SIGNED_CERT_IN_CHAIN'), 'LAKE_TLS', false],
  [network('HOSTNAME_MISMATCH'), 'LAKE_TLS', false],
  [network('EPROTO'), 'LAKE_TLS', false],
  [fault('SlowDown', 503), 'LAKE_UNREACHABLE', true],
  [fault('InternalError', 500), 'LAKE_UNREACHABLE', true],
  [fault('ConditionalRequestConflict', 409), 'LAKE_UNREACHABLE', true],
  [fault('TimeoutError', 0), 'LAKE_UNREACHABLE', true],
  [network('ECONNRESET'), 'LAKE_UNREACHABLE', true],
  [network('ENOTFOUND'), 'LAKE_UNREACHABLE', true],
  [fault('NotImplemented', 501), 'LAKE_REFUSED', false],
  [fault('InvalidRequest', 400), 'LAKE_REFUSED', false],
  [new BodyDamagedError('a/b'), 'LAKE_DAMAGED', true],
  [network('ENOSPC'), 'SCRATCH_FULL', false],
])('explainS3Error() %s is %s', (error, code, again) => {
  const explained = explainS3Error(error, { location: 's3://lake/in', kind: 'zone' })
  expect(explained).toMatchObject({ code, hint: expect.any(String) })
  expect(String(explained)).toContain('s3://lake/in')
  expect(inspect(explained, { showHidden: true, depth: 9 })).not.toMatch(/AKIASECRET|secret/)
  expect(isPassing(error)).toBe(again)
})

it('explainS3Error() returns our own errors and errors of local files unchanged', () => {
  for (const error of [network('ENOENT'), new TransientError('away', { code: 'AWAY' })]) {
    expect(explainS3Error(error, { location: 's3://lake', kind: 'zone' })).toBe(error)
  }
})
