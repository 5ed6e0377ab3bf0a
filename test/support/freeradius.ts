import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Daemon } from './daemon.ts';
import { ROOT } from './executable.ts';
import type { Namespace } from './namespace.ts';

const EXAMPLES = path.join(ROOT, 'scripts/examples/freeradius');

/** The shared secret of the logins' and the accounting's client. */
export const LOGIN_SECRET = 'testing123';
export const PASSWORD = 'right horse';

/**
 * A small server around the examples: the status server on port 18121 as it is shipped, logins on
 * 1812 and accounting on 1813, with one user `probe`, one user
 * `token` who is challenged, and one user `wired` whom a policy takes from an Ethernet port only.
 *
 * @param signed whether the site uses the example that adds a Message-Authenticator
 */
function configuration(folder: string, signed: boolean): string {
  return `
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = ${folder}
logdir = ${folder}
run_dir = ${folder}
pidfile = ${folder}/pid
log {
	destination = stdout
}
security {
	reject_delay = 0
	status_server = yes
}
thread pool {
	start_servers = 1
	max_servers = 2
	min_spare_servers = 1
	max_spare_servers = 1
}
client localhost {
	ipaddr = 127.0.0.1
	secret = ${LOGIN_SECRET}
}
modules {
	always ok {
		rcode = ok
	}
	files {
		usersfile = ${folder}/users
	}
	pap {
	}
	chap {
	}
	detail {
		filename = ${folder}/detail
	}
}
policy {
	$INCLUDE ${folder}/message-authenticator
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = 1812
	}
	listen {
		type = acct
		ipaddr = 127.0.0.1
		port = 1813
	}
	authorize {
		chap
		files
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
		Auth-Type CHAP {
			chap
		}
		Auth-Type Challenge {
			update reply {
				&Reply-Message := "Which token?"
				&State := 0x01
				${signed ? '&Message-Authenticator := 0x00' : ''}
			}
			update control {
				&Response-Packet-Type := Access-Challenge
			}
			ok
		}
	}
	accounting {
		detail
	}
	post-auth {
		${signed ? 'message_authenticator' : 'ok'}
		Post-Auth-Type REJECT {
			${signed ? 'message_authenticator' : 'ok'}
		}
	}
}
$INCLUDE ${folder}/viewpoint
`;
}

const USERS = `
probe	Cleartext-Password := "${PASSWORD}"
	Reply-Message = "Welcome"

wired	Cleartext-Password := "${PASSWORD}", NAS-Port-Type == Ethernet, NAS-IP-Address == 192.0.2.1

token	Auth-Type := Challenge
`;

/** Starts FreeRADIUS in a namespace, with its files in a folder of the test's own. */
export async function startFreeradius(
  namespace: Namespace,
  folder: string,
  signed = true,
): Promise<Daemon> {
  for (const example of ['viewpoint', 'message-authenticator']) {
    copyFileSync(path.join(EXAMPLES, example), path.join(folder, example));
  }
  writeFileSync(path.join(folder, 'users'), USERS);
  const file = path.join(folder, 'radiusd.conf');
  writeFileSync(file, configuration(folder, signed));
  chmodSync(file, 0o640);
  return Daemon.start({
    namespace,
    program: 'freeradius',
    args: ['-f', '-l', 'stdout', '-d', folder],
    ready: async () => {
      const { stdout } = await namespace.exec('ss', ['-Huln', 'sport = :18121']);
      return stdout.includes(':18121');
    },
  });
}
