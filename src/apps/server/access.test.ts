import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../platform/config.ts'
import { readAccess } from './access.ts'

const ISSUER = 'https://login.example.org/'
const AUDIENCE = 'tidemark'

describe('readAccess()', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-access-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('refuses to listen beyond this machine without a login, and refuses an incomplete login', () => {
    const jwks = join(folder, 'jwks.json')
    writeFileSync(jwks, '{"keys": []}')
    const refuses = (values: Record<string, string>) =>
      expect(() => readAccess(parseConfig(values)), JSON.stringify(values)).toThrow(
        expect.objectContaining({ code: 'CONFIG_OIDC' }),
      )
    for (const host of ['0.0.0.0', '::', '192.168.1.2', 'example.org', '127.0.0.1.evil.org', '']) {
      if (host !== '') refuses({ TIDEMARK_HOST: host })
    }
    refuses({ TIDEMARK_OIDC_ISSUER: ISSUER })
    refuses({ TIDEMARK_HOST: '0.0.0.0', TIDEMARK_OIDC_ISSUER: ISSUER, TIDEMARK_OIDC_JWKS: jwks })
    const all = { TIDEMARK_OIDC_ISSUER: ISSUER, TIDEMARK_OIDC_AUDIENCE: AUDIENCE }
    refuses({ ...all, TIDEMARK_OIDC_JWKS: 'http://login.example.org/keys' })
    refuses({ ...all, TIDEMARK_OIDC_JWKS: 'https://' })
    refuses({ ...all, TIDEMARK_OIDC_JWKS: join(folder, 'missing.json') })
    writeFileSync(join(folder, 'bad.json'), '{"keys": 1}')
    refuses({ ...all, TIDEMARK_OIDC_JWKS: join(folder, 'bad.json') })
    const https = { ...all, TIDEMARK_OIDC_JWKS: 'https://login.example.org/keys' }
    expect(readAccess(parseConfig(https)).oidc).toBeDefined()
  })
})
