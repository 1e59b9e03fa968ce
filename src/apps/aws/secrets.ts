import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { ConfigError, TransientError } from '../../platform/errors.ts'

/** A secret is read again after this time, and at once if a database refuses the login. */
const MAX_AGE_MS = 5 * 60_000

const kept = new Map<string, { readonly url: string; readonly readAt: number }>()
let client: SecretsManagerClient | undefined

/**
 * Reads a connection string from a secret in Secrets Manager. The secret holds the string itself, or
 * the JSON that RDS keeps: `host`, `port`, `dbname`, `username`, `password`. A warm process keeps it
 * for five minutes. Throws `ConfigError` (`SECRET_MISSING`, `SECRET_DENIED`, `SECRET_FORMAT`) and
 * `TransientError`. No error holds the value.
 */
export async function readDatabaseUrl(secretName: string): Promise<string> {
  const known = kept.get(secretName)
  if (known !== undefined && Date.now() - known.readAt < MAX_AGE_MS) return known.url
  const url = parseSecret(await readSecret(secretName), secretName)
  kept.set(secretName, { url, readAt: Date.now() })
  return url
}

/**
 * Reads a secret that is one text, such as the address of a mail server. Does not cache it. Throws
 * what `readDatabaseUrl` throws.
 */
export async function readSecretText(secretName: string): Promise<string> {
  return (await readSecret(secretName)).trim()
}

/** Forgets all secrets, so that the next reads fetch them again: a password may have changed. */
export function forgetSecrets(): void {
  kept.clear()
}

async function readSecret(name: string): Promise<string> {
  client ??= new SecretsManagerClient({ maxAttempts: 3 })
  try {
    const { SecretString: text } = await client.send(new GetSecretValueCommand({ SecretId: name }))
    return text ?? ''
  } catch (error) {
    const { name: kind, code = kind } = error as Error & { code?: string }
    if (code === 'ResourceNotFoundException') {
      throw new ConfigError(`The secret ${name} does not exist or has no value yet [${code}]`, {
        code: 'SECRET_MISSING',
        hint: `node scripts/create-secret.js ${name}`,
      })
    }
    if (/AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken/.test(code)) {
      throw new ConfigError(`This function may not read the secret ${name} [${code}]`, {
        code: 'SECRET_DENIED',
        hint: "allow secretsmanager:GetSecretValue on it to the function's role",
      })
    }
    throw new TransientError(`The secret ${name} cannot be read just now [${code}]`, {
      code: 'SECRET_UNREACHABLE',
      hint: 'try again; inside a VPC, an endpoint for Secrets Manager is needed',
      cause: error,
    })
  }
}

function parseSecret(text: string, name: string): string {
  if (/^postgres(ql)?:\/\//.test(text)) return text.trim()
  const { host, port = 5432, dbname, username, password } = parseFields(text)
  if ([host, dbname, username, password].every((field) => typeof field === 'string')) {
    const user = `${encodeURIComponent(String(username))}:${encodeURIComponent(String(password))}`
    return `postgresql://${user}@${String(host)}:${Number(port)}/${encodeURIComponent(String(dbname))}`
  }
  throw new ConfigError(`The secret ${name} does not hold a database connection`, {
    code: 'SECRET_FORMAT',
    hint: 'store postgresql://user:password@host:5432/database, or JSON with host, port, dbname, username, password',
  })
}

function parseFields(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return {}
  }
}
