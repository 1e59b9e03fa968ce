import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { askAt, askNobody } from './ask.ts'

/** Answers each question with the next line, and keeps what the person saw. */
function terminal(...answers: (string | undefined)[]) {
  const input = new PassThrough()
  const output = new PassThrough()
  let seen = ''
  output.on('data', (text: Buffer) => {
    seen += text.toString()
    if (!/\[(Y\/n|y\/N)\] $/.test(text.toString())) return
    const answer = answers.shift()
    if (answer === undefined) input.end()
    else input.write(`${answer}\n`)
  })
  return { input, output, seen: () => seen }
}

describe('askAt()', () => {
  it.each([
    ['y', false, true],
    ['YES', false, true],
    ['n', true, false],
    [' No ', true, false],
    ['', true, true],
    ['', false, false],
  ])('takes %j, where %s is usual, for %s', async (answer, standard, expected) => {
    const at = terminal(answer)
    expect(await askAt(at)('Shall it?', standard)).toBe(expected)
    expect(at.seen()).toBe(`  Shall it? ${standard ? '[Y/n]' : '[y/N]'} `)
  })

  it('asks again after any other answer, and then the next question', async () => {
    const at = terminal('perhaps', 'y', 'n')
    const ask = askAt(at)
    expect([await ask('One?', false), await ask('Two?', true)]).toEqual([true, false])
    expect(at.seen().match(/One\?/g)).toHaveLength(2)
  })

  it('stops if the person ends the input', async () => {
    await expect(askAt(terminal())('Shall it?', true)).rejects.toMatchObject({
      name: 'InterruptedError',
      message: 'Stopped at a question; nothing was written',
    })
  })
})

it('askNobody() takes the standard answers', async () => {
  expect([await askNobody('Shall it?', true), await askNobody('Shall it?', false)]).toEqual([
    true,
    false,
  ])
})
