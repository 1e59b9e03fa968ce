import { expect, it } from 'vitest'
import { tidemark } from '../../../test/support/command.ts'
import { readCall } from './call.ts'

it.each([
  ['a link on the path', '/usr/local/bin/tidemark', {}, 'tidemark'],
  ['npx', '/root/.npm/_npx/a/node_modules/.bin/tidemark', { npm_command: 'exec' }, 'npx tidemark'],
  ['npm start', '/clone/bin/tidemark.js', { npm_command: 'run-script' }, 'npx tidemark'],
  ['node and the file', '/clone/bin/tidemark.js', {}, 'npx tidemark'],
  ['the link of a project', '/project/node_modules/.bin/tidemark', {}, 'npx tidemark'],
])('readCall() tells %s', (_, program, env, call) => {
  expect(readCall(program, env)).toBe(call)
})

it.each([
  ['--help'],
  ['help'],
  ['verify', '--help'],
  ['quarantine', '--help'],
  ['sweep'],
  ['run', '--no'],
])('help for %s shows commands as they must be typed', async (...argv) => {
  const { out, err } = await tidemark(argv, { call: 'npx tidemark' })
  const shown = [...(out + err).matchAll(/(npx )?tidemark [a-z[-]/g)]
  expect(shown.length).toBeGreaterThan(0)
  expect(shown.filter(([, npx]) => npx === undefined)).toEqual([])
})

it.each(['bash', 'zsh', 'fish'])('a completion script for %s is the same by npx', async (shell) => {
  const plain = await tidemark(['completion', shell])
  expect(await tidemark(['completion', shell], { call: 'npx tidemark' })).toEqual(plain)
})
