import { expect, it } from 'vitest'
import { isLoopback } from './loopback.ts'

it('isLoopback() recognizes the addresses of this machine', () => {
  const here = ['localhost', '127.0.0.1', '127.9.9.9', '::1', '[::1]', '::ffff:127.0.0.1']
  expect(here.filter(isLoopback)).toEqual(here)
})

it('isLoopback() accepts no other name and no unusual spelling of an address', () => {
  const elsewhere = [
    '',
    '0.0.0.0',
    '::',
    '128.0.0.1',
    '127.0.0.1.nip.io',
    '127.evil.example',
    'localhost.org',
    'LOCALHOST',
    '1270.0.0.1',
    '127.1',
    '0x7f.0.0.1',
    '/var/run/postgresql',
  ]
  expect(elsewhere.filter(isLoopback)).toEqual([])
})
