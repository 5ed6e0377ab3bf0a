import { placeLabel } from '../advertise/advertiser.ts';
import { removeSuspension, writeSuspension } from '../state/suspensions.ts';
import { usableState } from './assess.ts';
import { blankState } from './blank-state.ts';
import { droppedPlaces, releasePlaces } from './ownership.ts';
import type { PassOptions } from './pass-options.ts';
import type { PassPorts } from './pass-ports.ts';
import { reportOf, type PassReport } from './pass-report.ts';
import { openSession, type Session } from './session.ts';
import { readSuspensions, suspensionFolders } from './suspension-reading.ts';
import { awaitDrain, finishDrain, withdrawPlaces, type Withdrawal } from './withdraw.ts';

/** The holder of the suspension that SIGTSTP makes, and how long that lasts at most. */
export const SIGNAL_HOLDER = 'signal';
const SIGNAL_SUSPENSION_MS = 3_600_000;

/**
 * Takes an instance out of service at once, without a probe.
 *
 * @param why `forget`: --withdraw, which also gives up the claims and the state; `withdraw`:
 *   SIGTERM; `suspend`: SIGTSTP
 * @throws as `withdrawPlaces`, and BusyError
 */
export async function withdrawInstance(
  options: PassOptions,
  ports: PassPorts,
  why: 'forget' | 'withdraw' | 'suspend',
): Promise<PassReport> {
  if (why === 'suspend') {
    const [folder] = suspensionFolders(options);
    const request = {
      instance: options.instance,
      holder: SIGNAL_HOLDER,
      reason: 'SIGTSTP',
      forMs: SIGNAL_SUSPENSION_MS,
      acrossReboot: false,
      processes: undefined,
    };
    writeSuspension(folder, request, ports.clock.now());
  }
  const session = await openSession(options, ports);
  let withdrawal: Withdrawal;
  try {
    withdrawal = await withdrawWithin(session, options, ports, why);
  } finally {
    session.close();
  }
  for (const place of withdrawal.removed) ports.log.notice(`withdrew ${placeLabel(place)}`);
  const { drainUntilMs } = withdrawal;
  if (drainUntilMs !== undefined) await awaitDrain(drainUntilMs, ports, ports.interrupts.hurry);
  if (drainUntilMs !== undefined || why === 'forget') {
    await finishDrain(options, ports, withdrawal.state, why === 'forget');
  }
  return reportOf(options.instance, undefined, undefined, []);
}

/** Ends the suspension that SIGTSTP made. Throws StateError. */
export function endSignalSuspension(options: PassOptions): void {
  removeSuspension(suspensionFolders(options)[0], options.instance, SIGNAL_HOLDER);
}

async function withdrawWithin(
  session: Session,
  options: PassOptions,
  ports: PassPorts,
  why: 'forget' | 'withdraw' | 'suspend',
): Promise<Withdrawal> {
  const before = usableState(session.reading);
  const dropped =
    why === 'forget'
      ? droppedPlaces(session, { ...options, mode: 'withdraw' }, ports.advertiser.kind)
      : [];
  const places = [...options.places, ...dropped];
  const { present } = await ports.advertiser.read(places);
  const { instance, source } = options;
  const { kind } = ports.advertiser;
  const blank = { instance, source, kind, places: options.places };
  const state = before ?? blankState(blank, present.size > 0, ports.clock.now());
  const ids = readSuspensions(options, ports.clock, ports.ownUid).active.map(({ id }) => id);
  const known = { ...state, suspensionIds: why === 'suspend' ? ids : state.suspensionIds };
  const withdrawal = await withdrawPlaces(session, known, places, options.drainMs, ports);
  if (why === 'forget') releasePlaces(session, options.instance, places);
  return withdrawal;
}
