import type { Answers } from '../../platform/presentation/answer.ts'
import type { Freshness } from '../../platform/presentation/freshness.ts'
import type { Question } from '../../platform/presentation/question.ts'
import type { Reader } from '../../platform/presentation/reader.ts'
import type { SavedQuestions } from '../../platform/presentation/saved-questions.ts'
import type { Project } from '../../platform/project/project.ts'

/** What the pages show: a project, its questions, their answers, what is saved, and how fresh it is. */
export interface Presentation {
  readonly project: Project
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
