import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { addDecimals, multiply, subtract, withoutExponent } from './decimal.ts'

it.each([
  ['45879', '3.75', '172046.25', '45875.25'],
  ['0.10', '0.2', '0.020', '-0.10'],
  ['-3', '0.05', '-0.15', '-3.05'],
  ['0', '0.00', '0.00', '0.00'],
])('multiply() and subtract() keep every digit of %s and %s', (a, b, product, difference) => {
  expect([multiply(a, b), subtract(a, b)]).toEqual([product, difference])
})

it('multiply() and subtract() agree with whole numbers of cents, however large', () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.bigInt(), (a, b) => {
      expect(multiply(String(a), String(b))).toBe(String(a * b))
      expect(subtract(String(a), String(b))).toBe(String(a - b))
    }),
  )
})

it.each(['NaN', 'Infinity', '', '1e3', '2026-01-01', undefined])(
  'multiply() and subtract() know no result for %s',
  (text) => {
    expect([multiply(text, '1'), subtract('1', text)]).toEqual([undefined, undefined])
  },
)

it('addDecimals() loses no digit', () => {
  expect(addDecimals(['0.10', '0.2', '99999999999999999.99'])).toBe('100000000000000000.29')
  expect(addDecimals(['-1.05', '1'])).toBe('-0.05')
  expect(addDecimals(['2', '3'])).toBe('5')
  expect(addDecimals([])).toBe('0')
})

it.each([
  ['1e-07', '0.0000001'],
  ['-2.50e-08', '-0.0000000250'],
  ['1e+20', '100000000000000000000'],
  ['-1.25e+01', '-12.5'],
  ['1.5e+03', '1500'],
  ['0e+00', '0'],
  ['-12.50', '-12.50'],
  ['NaN', undefined],
  ['-Infinity', undefined],
  ['', undefined],
  ['1e', undefined],
])('withoutExponent() writes %s as %s', (text, written) => {
  expect(withoutExponent(text)).toBe(written)
})
