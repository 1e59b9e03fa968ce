import { readFileSync } from 'node:fs'
import type { HttpBindings } from '@hono/node-server'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose'
import type { Config } from '../../platform/config.ts'
import { ConfigError } from '../../platform/errors.ts'
import { isLoopback } from '../../platform/io/loopback.ts'

/** Who sent a request. */
export interface Caller {
  /** The token's subject, or `local` on a server without a login. */
  readonly subject: string
  readonly groups: ReadonlySet<string>
  /** Milliseconds since 1970 when a long answer must end. Undefined on a server without a login. */
  readonly expiresAt: number | undefined
}

/** What Hono carries through a request: a socket of our own server, or a gateway's event. */
export interface ServerEnv {
  Bindings: Partial<HttpBindings> & { readonly requestContext?: GatewayContext }
  Variables: { caller: Caller }
}

/**
 * Who may send requests. With `oidc` every caller needs a token, wherever they come from. Without it
 * only this machine may ask, and the server must listen on a loopback address.
 */
export interface Access {
  readonly kind?: undefined
  readonly host: string
  readonly oidc: Oidc | undefined
}

/**
 * Who may send requests behind a gateway. The gateway has checked the token's signature, so the
 * server checks the claims only and needs no keys from the issuer.
 */
export interface GatewayAccess {
  readonly kind: 'gateway'
  /** The value that the claim `iss` must have. Undefined: the gateway's check is enough. */
  readonly issuer: string | undefined
  /** Must be in `aud`, or in `client_id` of a token without `aud` (Cognito's access tokens). */
  readonly audience: string | undefined
  readonly groupsClaim: string
}

/** The part of an HTTP API event (payload format 2.0) that the server reads. */
export interface GatewayContext {
  readonly http?: { readonly sourceIp?: string }
  readonly authorizer?: { readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> } }
}

/** An OpenID Connect issuer and what its tokens must say. */
export interface Oidc {
  readonly issuer: string
  readonly audience: string
  readonly groupsClaim: string
  readonly keys: JWTVerifyGetKey
}

/**
 * Reads from the settings who may ask. Throws `ConfigError` if the server would listen beyond this
 * machine without a way to check tokens, or if only some of the OIDC settings are given.
 */
export function readAccess(config: Config): Access {
  const host = config.TIDEMARK_HOST
  const {
    TIDEMARK_OIDC_ISSUER: issuer,
    TIDEMARK_OIDC_AUDIENCE: audience,
    TIDEMARK_OIDC_JWKS: jwks,
  } = config
  if (issuer !== undefined && audience !== undefined && jwks !== undefined) {
    const groupsClaim = config.TIDEMARK_OIDC_GROUPS_CLAIM
    return { host, oidc: { issuer, audience, groupsClaim, keys: readKeys(jwks) } }
  }
  const isHalfSet = [issuer, audience, jwks].some((setting) => setting !== undefined)
  if (!isHalfSet && isLoopback(host)) return { host, oidc: undefined }
  throw new ConfigError(
    isHalfSet
      ? 'The server cannot check tokens: it needs the issuer, the audience and the keys, all three'
      : `TIDEMARK_HOST=${host} is reachable from other machines, so every request needs a token`,
    {
      code: 'CONFIG_OIDC',
      hint: 'set TIDEMARK_OIDC_ISSUER, TIDEMARK_OIDC_AUDIENCE and TIDEMARK_OIDC_JWKS, or listen on 127.0.0.1',
    },
  )
}

/** Reads from the settings who may ask behind a gateway. The keys are the gateway's concern. */
export function readGatewayAccess(config: Config): GatewayAccess {
  return {
    kind: 'gateway',
    issuer: config.TIDEMARK_OIDC_ISSUER,
    audience: config.TIDEMARK_OIDC_AUDIENCE,
    groupsClaim: config.TIDEMARK_OIDC_GROUPS_CLAIM,
  }
}

function readKeys(jwks: string): Oidc['keys'] {
  if (/^https?:/i.test(jwks)) {
    const url = URL.canParse(jwks) ? new URL(jwks) : undefined
    if (url?.protocol === 'https:' || (url !== undefined && isLoopback(url.hostname))) {
      return createRemoteJWKSet(url, { timeoutDuration: 5000, cooldownDuration: 30_000 })
    }
    throw badKeys('must be an https:// address: over plain HTTP anybody could slip in keys')
  }
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(jwks, 'utf8')) as JSONWebKeySet)
  } catch (error) {
    throw badKeys('is not a readable file with a JSON Web Key Set', error)
  }
}

function badKeys(why: string, cause?: unknown): ConfigError {
  return new ConfigError(`TIDEMARK_OIDC_JWKS ${why}`, {
    code: 'CONFIG_OIDC',
    hint: "set it to the issuer's jwks_uri, or to a file with the keys from there",
    cause,
  })
}
