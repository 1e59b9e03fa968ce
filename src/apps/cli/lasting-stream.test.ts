import { expect, it } from 'vitest'
import { lastingStream, type Writing } from './lasting-stream.ts'

/** A stream that can be broken and repaired; each write is answered at once. */
function breakable() {
  const state = { written: '', code: undefined as string | undefined, listeners: 0 }
  const stream: Writing = {
    on: () => (state.listeners += 1),
    write(text, done) {
      if (state.code === undefined) state.written += text
      done(state.code === undefined ? undefined : Object.assign(new Error(), { code: state.code }))
    },
  }
  return { state, stream }
}

it('lastingStream() drops lines that cannot be written, and later says once how many', () => {
  const { state, stream } = breakable()
  const lasting = lastingStream(stream, ({ lines, code }) => `(${lines} lost: ${code})\n`)
  expect(state.listeners).toBe(1)
  lasting.write('one\n')
  state.code = 'ENOSPC'
  lasting.write('two\n')
  lasting.write('three\nfour\n')
  expect(lasting.lost).toEqual({ lines: 3, code: 'ENOSPC' })
  state.code = undefined
  lasting.write('five\n')
  lasting.write('six\n')
  expect(state.written).toBe('one\nfive\n(3 lost: ENOSPC)\nsix\n')
  expect(lasting.lost).toBeUndefined()
})

it('lastingStream() keeps count if output fails again while it says so', () => {
  const { state, stream } = breakable()
  const lasting = lastingStream(
    {
      ...stream,
      write(text, done) {
        if (text.startsWith('(')) state.code = 'EIO'
        stream.write(text, done)
      },
    },
    ({ lines }) => `(${lines} lost)\n`,
  )
  state.code = 'EIO'
  lasting.write('one\n')
  state.code = undefined
  lasting.write('two\n')
  expect(lasting.lost).toEqual({ lines: 1, code: 'EIO' })
})
