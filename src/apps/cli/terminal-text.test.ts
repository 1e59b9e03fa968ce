import { stripVTControlCharacters } from 'node:util'
import { expect, it } from 'vitest'
import { fitLines, inAscii, onOneLine, showsUtf8 } from './terminal-text.ts'

it.each([
  [{}, true],
  [{ LANG: 'en_GB.UTF-8' }, true],
  [{ LC_ALL: 'C.utf8' }, true],
  [{ LC_ALL: 'C', LANG: 'en_GB.UTF-8' }, false],
  [{ LC_ALL: '', LC_CTYPE: 'POSIX', LANG: 'en_GB.UTF-8' }, false],
  [{ LANG: 'de_DE.ISO-8859-1' }, false],
])('showsUtf8() reads the locale from %o', (env, shows) => {
  expect(showsUtf8(env)).toBe(shows)
})

it('inAscii() leaves the data as it is', () => {
  expect(inAscii('✓ units 1 → 2 (−1) · José 3 × 4 …')).toBe('+ units 1 -> 2 (-1) | José 3 x 4 ...')
})

it('onOneLine() leaves nothing that moves the cursor or reorders text', () => {
  expect(onOneLine('a\r\n\tb\u001B[2J \u2066c\u0085')).toBe(
    'a\\r\\n\\tb\\u{1b}[2J \\u{2066}c\\u{85}',
  )
  expect(onOneLine('José 😀 “x” \\n')).toBe('José 😀 “x” \\n')
})

it('fitLines() wraps between words, keeps gaps and colours, and never cuts a word', () => {
  expect(fitLines('  v1  one two three four\n  short', 14)).toBe(
    '  v1  one two\n      three\n      four\n  short',
  )
  expect(fitLines('  a   b', 80)).toBe('  a   b')
  expect(fitLines('see http://127.0.0.1:4100/orders', 10)).toBe(
    'see\n    http://127.0.0.1:4100/orders',
  )
  const colored = '\u001B[31mone two\u001B[39m three'
  expect(fitLines(colored, 13)).toBe(colored)
  expect(stripVTControlCharacters(fitLines(colored, 8))).toBe('one two\n    three')
})
