/** Answers questions in the order in which they are asked. */
export type Together<Question, Answer> = (
  questions: readonly Question[],
) => Promise<readonly Answer[]>;

/**
 * Gathers what is asked within a window, so that many instances of one process share one process
 * of `ip`. The questions of one call stay together and in order.
 *
 * @param ask answers all that was gathered
 * @param windowMs how long questions are held back for others; 0: each call by itself, at once
 */
export function together<Question, Answer>(
  ask: Together<Question, Answer>,
  windowMs: number,
): Together<Question, Answer> {
  let open: { all: Question[]; answers: Promise<readonly Answer[]> } | undefined;
  const gather = (): NonNullable<typeof open> => {
    const all: Question[] = [];
    const answers = (async () => {
      await new Promise((resolve) => setTimeout(resolve, windowMs));
      open = undefined;
      return ask(all);
    })();
    return { all, answers };
  };
  return async (questions) => {
    if (questions.length === 0) return [];
    if (windowMs === 0) return ask(questions);
    open ??= gather();
    const { all, answers } = open;
    const start = all.length;
    all.push(...questions);
    return (await answers).slice(start, start + questions.length);
  };
}
