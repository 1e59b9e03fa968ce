import { createInterface } from 'node:readline/promises'
import type { Readable, Writable } from 'node:stream'
import { InterruptedError } from '../../platform/errors.ts'

/** Where a person answers. */
export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean }
  readonly output: Writable & { readonly isTTY?: boolean }
}

/** Asks whether something shall be so. */
export type Ask = (question: string, standard: boolean) => Promise<boolean>

/** Takes the standard answer to every question, without asking. */
export const askNobody: Ask = (_question, standard) => Promise.resolve(standard)

/**
 * Asks a person on a terminal: `y`, `n`, or nothing for the standard answer. Asks again after any other
 * answer. Throws `InterruptedError` if the person ends the input or presses Ctrl-C.
 */
export function askAt({ input, output }: Terminal): Ask {
  return async (question, standard) => {
    const lines = createInterface({ input, output })
    try {
      for (;;) {
        const closed = new Promise<undefined>((resolve) =>
          lines.once('close', () => resolve(undefined)),
        )
        const asked = lines.question(`  ${question} ${standard ? '[Y/n]' : '[y/N]'} `)
        const answer = (await Promise.race([asked, closed]))?.trim().toLowerCase()
        if (answer === undefined) {
          throw new InterruptedError('Stopped at a question; nothing was written', {
            code: 'INTERRUPTED',
          })
        }
        if (answer === '') return standard
        if (/^y(es)?$/.test(answer)) return true
        if (/^no?$/.test(answer)) return false
      }
    } finally {
      lines.close()
    }
  }
}
