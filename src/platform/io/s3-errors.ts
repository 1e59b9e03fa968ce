import { codeOf, ConfigError, ContractError, TidemarkError, TransientError } from '../errors.ts'
import { describeNetworkError, isTlsError } from './network-errors.ts'

/** The safe part of a failed request: no header, no address, nothing signed. */
interface S3Error {
  /**
   * The server's error code (`SlowDown`), or the name that the SDK or the network gives to the
   * error.
   */
  readonly name: string
  /** HTTP status; 0 if there was no answer. */
  readonly status: number
  readonly requestId: string | undefined
}

/** Reads an error from the S3 SDK, from the network below it, or about a damaged body. */
export function readS3Error(error: unknown): S3Error {
  const { name, code, $metadata } = error as {
    name?: string
    code?: unknown
    $metadata?: { httpStatusCode?: number; requestId?: string }
  }
  const status = $metadata?.httpStatusCode ?? 0
  const network = status === 0 && typeof code === 'string' ? code : undefined
  return { name: network ?? name ?? 'unknown', status, requestId: $metadata?.requestId }
}

/** An object did not arrive with the content that was stored. */
export class BodyDamagedError extends Error {
  override readonly name = 'BodyDamaged'
  readonly key: string

  constructor(key: string) {
    super(`${key} did not arrive as it was stored`)
    this.key = key
  }
}

/** Errors of the network by the name that the SDK and Node's streams give them. */
const CONNECTION: ReadonlyMap<string, string> = new Map([
  ['TimeoutError', 'no answer in time'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'the connection was cut'],
])

/** An error of the network in words; undefined for any other error. */
function describeConnection(name: string): string | undefined {
  return CONNECTION.get(name) ?? describeNetworkError(name)
}

/** Errors of this machine's files, which explain themselves. */
const LOCAL = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'EROFS', 'EMFILE', 'EIO'])

/** Errors that ask for another attempt, although their HTTP status blames the request. */
const AGAIN = new Set([
  'ConditionalRequestConflict',
  'OperationAborted',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'SlowDown',
  'Throttling',
  'TooManyRequestsException',
  'BadDigest',
  'IncompleteBody',
  // An answer without a body, although an earlier answer said that the object exists.
  'NotFound',
  'XAmzContentSHA256Mismatch',
  'BodyDamaged',
])

const CREDENTIALS = new Set([
  'CredentialsProviderError',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'TokenProviderError',
  'TokenRefreshRequired',
])

const REGION = new Set(['AuthorizationHeaderMalformed', 'PermanentRedirect', 'TemporaryRedirect'])

/** Whether the same request may succeed in a moment. */
export function isPassing(error: unknown): boolean {
  const { name, status } = readS3Error(error)
  if (status === 501) return false
  if (status >= 500 || status === 429 || status === 409) return true
  return AGAIN.has(name) || describeConnection(name) !== undefined
}

/** A bucket, as errors name it. */
export interface S3Place {
  readonly location: string
  readonly kind: 'zone' | 'drop'
}

/**
 * Turns an error into one of ours, which names the zone or the drop. Keeps only names from the
 * SDK's error, because its message and fields may hold an access key or signed text. Returns an
 * error about a file on this machine unchanged if it explains itself.
 */
export function explainS3Error(error: unknown, place: S3Place): unknown {
  if (error instanceof TidemarkError) return error
  if (error instanceof BodyDamagedError) {
    return new ContractError(
      `The object ${error.key} in ${place.location} is damaged: its checksum differs`,
      { code: 'LAKE_DAMAGED', hint: 'restore the object from a backup of the zone' },
    )
  }
  const local = codeOf(error)
  if (local === 'ENOSPC' || local === 'EDQUOT') {
    return new ConfigError(
      `No space left for local copies of objects from ${place.location} [${local}]`,
      {
        code: 'SCRATCH_FULL',
        hint: 'free some space, or set TIDEMARK_SCRATCH to a folder with more',
        cause: error,
      },
    )
  }
  if (LOCAL.has(local)) return error
  const { code, message, hint } = describeRefusal(error, place) ?? describeOther(error, place)
  const { requestId } = readS3Error(error)
  const answer = answerOf(error)
  const cause = new Error(requestId === undefined ? answer : `${answer}, request ${requestId}`)
  const detail = { code: `${place.kind === 'zone' ? 'LAKE' : 'DROP'}_${code}`, hint, cause }
  return code === 'UNREACHABLE'
    ? new TransientError(message, detail)
    : new ConfigError(message, detail)
}

/** An error in words, and its code without the prefix `LAKE_` or `DROP_`. */
interface Description {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/** The name and the HTTP status of an answer, which hold no secret. */
function answerOf(error: unknown): string {
  const { name, status } = readS3Error(error)
  return status === 0 ? name : `${name}, HTTP ${status}`
}

const NEEDED = {
  zone: 'grant s3:GetObject and s3:PutObject on the objects, and s3:ListBucket on the bucket',
  drop: 'grant s3:GetObject on the objects and s3:ListBucket on the bucket, nothing else',
} as const

/** Describes a refusal that a setting or a permission explains; undefined for other errors. */
function describeRefusal(error: unknown, { location, kind }: S3Place): Description | undefined {
  const { name, status } = readS3Error(error)
  if (name === 'NoSuchBucket') {
    return {
      code: 'BUCKET',
      message: `The bucket of the ${kind} ${location} does not exist`,
      hint: 'create the bucket, or check the address and the region',
    }
  }
  if (CREDENTIALS.has(name) || status === 401) {
    return {
      code: 'CREDENTIALS',
      message: `No valid credentials for the ${kind} ${location} [${name}]`,
      hint: 'set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    }
  }
  if (REGION.has(name) || status === 301 || lacksRegion(error)) {
    return {
      code: 'REGION',
      message: `The ${kind} ${location} is in another region, or no region is set [${name}]`,
      hint: "set AWS_REGION to the bucket's region",
    }
  }
  if (name === 'RequestTimeTooSkewed') {
    return {
      code: 'CLOCK',
      message: `The ${kind} ${location} refuses requests: the clock of this machine is wrong`,
      hint: 'set the clock',
    }
  }
  if (status !== 403) return undefined
  return {
    code: kind === 'drop' ? 'DENIED' : 'PERMISSION',
    message: `These credentials may not use the ${kind} ${location} [${answerOf(error)}]`,
    hint: NEEDED[kind],
  }
}

/** Describes any other error: of the connection, or of the server. */
function describeOther(error: unknown, { location, kind }: S3Place): Description {
  const { name } = readS3Error(error)
  if (isTlsError(name)) {
    return {
      code: 'TLS',
      message: `No trusted TLS connection to the ${kind} ${location} [${name}]`,
      hint: 'check TIDEMARK_S3_ENDPOINT; for a private certificate authority, set NODE_EXTRA_CA_CERTS to its file',
    }
  }
  if (isPassing(error)) {
    const why = describeConnection(name) ?? 'the server is busy or failing'
    return {
      code: 'UNREACHABLE',
      message: `The ${kind} ${location} cannot be reached: ${why} [${answerOf(error)}]`,
      hint:
        kind === 'zone'
          ? 'run it again; nothing was half-published'
          : 'nothing is lost; the next run takes the files',
    }
  }
  return {
    code: 'REFUSED',
    message: `The ${kind} ${location} refused a request [${answerOf(error)}]`,
    hint: 'check the address and TIDEMARK_S3_ENDPOINT: is it an S3 server?',
  }
}

/** Whether the SDK itself complains that no region is set. */
function lacksRegion(error: unknown): boolean {
  return readS3Error(error).status === 0 && error instanceof Error && /^region/i.test(error.message)
}
