import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, first: begun last, one of them would keep all others waiting. */
const LONG = [
  'kernel/signals',
  'kernel/suspension',
  'fault/failing-calls',
  'fault/killed',
  'systemd/dns-probe',
  'cron/cron',
  'debian13/package',
  'debian13/taken-for-granted',
  'systemd/reboot',
  'kernel/tcp-route-probe',
  'scripts/demo',
  'systemd/package',
  'fault/concurrency',
  'bundle/nodes',
  'install/install',
];

/** Orders test files by what is known of their length. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = LONG.findIndex((name) => moduleId.includes(`/test/${name}.`));
      return index === -1 ? LONG.length : index;
    };
    return [...(await super.sort(files))].sort((a, b) => rank(a) - rank(b));
  }
}
