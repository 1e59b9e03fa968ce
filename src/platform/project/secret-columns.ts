import type { CatalogueColumn } from './catalogue-table.ts'

/** Words, or words in a row, of names that columns with secrets or with numbers of people have. */
const SECRETS: ReadonlySet<string> = new Set([
  'password',
  'passwd',
  'pwd',
  'passphrase',
  'passcode',
  'pass word',
  'pin',
  'pin code',
  'otp',
  'totp',
  'secret',
  'token',
  'salt',
  'hash',
  'credential',
  'api key',
  'apikey',
  'access key',
  'private key',
  'signing key',
  'encryption key',
  'ssn',
  'social security number',
  'passport number',
  'tax number',
  'iban',
  'card number',
  'credit card',
  'cvv',
  'cvc',
])

const WORDS: ReadonlySet<string> = new Set([...SECRETS].flatMap((words) => words.split(' ')))

const MOST_WORDS = 3

/**
 * Whether a column may hold a secret: its name has one of the words, whole, and its type is text or
 * bytes. A guess to show to a person, never a proof.
 */
export function looksSecret({ name, baseType }: CatalogueColumn): boolean {
  if (!/^(text|bytea|citext|character|bpchar)\b|\.citext$/.test(baseType)) return false
  if (baseType.endsWith('[]')) return false
  const words = wordsOf(name).map((word) => {
    const singular = word.replace(/s$/, '')
    return WORDS.has(singular) ? singular : word
  })
  return words.some((_, from) =>
    Array.from({ length: MOST_WORDS }, (__, more) =>
      words.slice(from, from + more + 1).join(' '),
    ).some((said) => SECRETS.has(said)),
  )
}

/** The words of a name, in lower case: `apiKey` and `api_key` are `api` and `key`. */
export function wordsOf(name: string): string[] {
  return name
    .replaceAll(/(?<=\p{L})(?=\d)|(?<=\d)(?=\p{L})/gu, ' ')
    .replaceAll(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
}
