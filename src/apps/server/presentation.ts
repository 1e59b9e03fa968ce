import type { Answers } from '../../platform/presentation/answer.ts'
import type { Freshness } from '../../platform/presentation/freshness.ts'
import type { Question } from '../../platform/presentation/question.ts'
import type { Reader } from '../../platform/presentation/reader.ts'
import type { SavedQuestions } from '../../platform/presentation/saved-questions.ts'

/** What the pages show: questions, their answers, what is saved and how fresh the warehouse is. */
export interface Presentation {
  readonly reader: Reader
  readonly questions: ReadonlyMap<string, Question>
  readonly answers: Answers
  /** Undefined: nothing can be saved. */
  readonly saved: SavedQuestions | undefined
  readonly promiseMs: number
  readonly now: () => Date
  /** Throws what `readFreshness` throws in the platform. */
  freshness(): Promise<Freshness>
}
