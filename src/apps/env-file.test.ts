import { describe, expect, it } from 'vitest'
import { ConfigError } from '../platform/errors.ts'
import { parseEnvFile } from './env-file.ts'
import { isOwnName } from './known-settings.ts'

function parse(content: string | Buffer): Record<string, string> {
  const found = parseEnvFile(Buffer.from(content), { file: '.env', isOwn: isOwnName })
  return Object.fromEntries([...found].map(([name, { value }]) => [name, value]))
}

/** Message and hint, which hold no value. */
function refusal(content: string | Buffer): string {
  try {
    parse(content)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    if (`${error.message} ${error.hint}`.includes('hunter2')) return 'a value is shown'
    return error.message
  }
  throw new Error('taken')
}

describe('parseEnvFile()', () => {
  it('reads names, comments and quotes, with any line endings', () => {
    const lines = [
      '# a comment',
      '',
      'TIDEMARK_HOME=here',
      '  export TIDEMARK_THREADS = 3  # as many as there are',
      `TIDEMARK_SOURCE_URL="postgresql://u:p#1@h/d" # quoted`,
      `TIDEMARK_WAREHOUSE_URL='it "is"'`,
      'TIDEMARK_DROP=`a\'b"`',
      'TIDEMARK_EMPTY=',
      'OTHER=a#b',
      'TEXT="one\\ntwo"',
      'LONG="first',
      'second"',
      'LAST=1',
    ]
    const wanted = {
      TIDEMARK_HOME: 'here',
      TIDEMARK_THREADS: '3',
      TIDEMARK_SOURCE_URL: 'postgresql://u:p#1@h/d',
      TIDEMARK_WAREHOUSE_URL: 'it "is"',
      TIDEMARK_DROP: `a'b"`,
      TIDEMARK_EMPTY: '',
      OTHER: 'a',
      TEXT: 'one\ntwo',
      LONG: 'first\nsecond',
      LAST: '1',
    }
    for (const end of ['\n', '\r\n', '\r']) {
      expect(parse(lines.join(end)), JSON.stringify(end)).toEqual(wanted)
      expect(parse(`\ufeff${lines.join(end)}${end}`), JSON.stringify(end)).toEqual(wanted)
    }
    expect(parse('')).toEqual({})
  })

  it('refuses another encoding, and says what to do about it', () => {
    const text = 'TIDEMARK_HOME=hunter2\n'
    const big = Buffer.from(`\ufeff${text}`, 'utf16le').swap16()
    for (const bytes of [
      Buffer.from(`\ufeff${text}`, 'utf16le'),
      Buffer.from(text, 'utf16le'),
      big,
    ]) {
      expect(refusal(bytes)).toContain('looks like UTF-16')
    }
    const latin = Buffer.concat([Buffer.from('A=1\nTIDEMARK_HOME=hunter2'), Buffer.from([0xfc])])
    expect(refusal(latin)).toBe('.env, line 2: it is not UTF-8')
  })

  it('takes neither a single NUL nor UTF-32 for UTF-16: a conversion from there would spoil the file', () => {
    const nul = Buffer.from('A=1\nTIDEMARK_PORT=1\0\nB=2\n')
    expect(refusal(nul)).toContain('.env, line 2: it contains a NUL byte')
    expect(refusal(nul)).not.toContain('iconv')
    const wide = Buffer.from('fffe0000410000003d000000310000000a000000', 'hex')
    expect(refusal(wide)).toContain('looks like UTF-32')
  })

  it.each([
    [
      'TIDEMARK_HOME hunter2',
      '.env, line 1: TIDEMARK_HOME: it is neither NAME=value nor a comment',
    ],
    ['A=1\nhunter2', '.env, line 2: it is neither NAME=value nor a comment'],
    ['=hunter2', '.env, line 1: it is neither NAME=value nor a comment'],
    ['TIDEMARK_HOME: hunter2', /line 1: TIDEMARK_HOME: it is neither/],
    ['\nTIDEMARK_HOME="hunter2', /line 2: TIDEMARK_HOME has quotes that do not match/],
    ['TIDEMARK_HOME="hunter2\nOTHER="x"', /line 1: TIDEMARK_HOME has quotes that do not match/],
    [`TIDEMARK_HOME='hunter2"`, /line 1: TIDEMARK_HOME has quotes that do not match/],
    ['TIDEMARK_HOME=hunter2"', /line 1: TIDEMARK_HOME has quotes that do not match/],
    ['TIDEMARK_HOME="a" hunter2', /line 1: TIDEMARK_HOME has quotes that do not match/],
    ['TIDEMARK_HOME="a\\"hunter2"', /line 1: TIDEMARK_HOME has quotes that do not match/],
    ['TIDEMARK_HOME=a#hunter2', /line 1: TIDEMARK_HOME has a # in its value/],
    [
      'TIDEMARK_HOME=a\n\nTIDEMARK_HOME=hunter2',
      '.env, line 3: TIDEMARK_HOME is already set in line 1',
    ],
  ])('refuses %j, with the line and the name, without the value', (text, message) => {
    expect(refusal(text)).toMatch(message)
  })
})
