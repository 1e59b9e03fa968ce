import {
  createSavedQuestions,
  type SavedQuestions,
} from '../../platform/presentation/saved-questions.ts'
import { createRenewing, type ReadUrl } from './renewing.ts'

/**
 * Saved questions that outlive their connection string, as `createRenewing` says. Throws what
 * `createSavedQuestions` and `readUrl` throw.
 */
export function createRenewingSavedQuestions({
  readUrl,
}: {
  readonly readUrl: ReadUrl
}): SavedQuestions {
  const renewing = createRenewing({ readUrl, open: (url) => createSavedQuestions({ url }) })
  return {
    list: () => renewing.use((saved) => saved.list()),
    find: (name) => renewing.use((saved) => saved.find(name)),
    save: (question) => renewing.use((saved) => saved.save(question)),
    remove: (name, author) => renewing.use((saved) => saved.remove(name, author)),
    pageOf: (subject) => renewing.use((saved) => saved.pageOf(subject)),
    addToPage: (subject, name) => renewing.use((saved) => saved.addToPage(subject, name)),
    removeFromPage: (subject, name) => renewing.use((saved) => saved.removeFromPage(subject, name)),
    [Symbol.asyncDispose]: () => renewing[Symbol.asyncDispose](),
  }
}
