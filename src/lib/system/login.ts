import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Who works at a terminal, or the user that a unit or cron runs as. */
export interface Login {
  readonly login: string;
  readonly uid: number;
}

/** No login was set for the process: AUDIT_UID_UNSET of linux/audit.h. */
const UNSET = 4_294_967_295;

/**
 * Who asks: the one who logged in, also behind su and sudo (/proc/self/loginuid, pam_loginuid(8)),
 * else whom sudo names, else the user we run as.
 */
export function currentLogin(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Login {
  const uid = loginUid();
  if (uid !== undefined) return { uid, login: nameOf(uid) ?? String(uid) };
  const { SUDO_USER: name, SUDO_UID: number } = environment;
  if (name !== undefined && number !== undefined && /^\d{1,10}$/.test(number)) {
    return { login: name, uid: Number(number) };
  }
  const own = process.getuid?.() ?? 0;
  return { uid: own, login: nameOf(own) ?? ownName() };
}

function loginUid(): number | undefined {
  try {
    const uid = Number(readFileSync('/proc/self/loginuid', 'latin1'));
    return Number.isSafeInteger(uid) && uid !== UNSET ? uid : undefined;
  } catch {
    return undefined; // a kernel without auditing
  }
}

function nameOf(uid: number): string | undefined {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n'); // passwd(5)
    return lines.map((line) => line.split(':')).find((fields) => fields[2] === String(uid))?.[0];
  } catch {
    return undefined;
  }
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
