import type { Log } from '../../src/lib/system/log.ts';

export interface RecordedLog extends Log {
  /** What was said, each as `level: message`, in order. */
  readonly lines: readonly string[];
}

/** A log that remembers. */
export function recordedLog(): RecordedLog {
  const lines: string[] = [];
  const say = (level: string) => (message: string) => {
    lines.push(`${level}: ${message}`);
  };
  return {
    lines,
    step: say('step'),
    notice: say('notice'),
    warning: say('warning'),
    error: say('error'),
  };
}
