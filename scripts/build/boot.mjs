/**
 * The first lines of every executable: they turn the text of the program into code, and keep what
 * V8 makes of it for the next start. Compiling is the largest part of what our own code costs.
 *
 * The texts stand in comments of functions that are never called: V8 passes over a comment at a
 * hundredth of what it takes to read code, or even a string. That of packages is compressed.
 *
 * V8's code cache (v8.dev/blog/code-caching) is code: whoever writes it runs it. It is kept beside
 * the state, in memory that is lost at reboot, and used only where nobody but root and the user
 * we run as can write; where that folder is missing, not trusted or full, the start is just slower.
 * V8 itself refuses what another version or other flags made, but looks at no more of the program
 * than its length: so the file begins with the digest of the program.
 *
 * @param {{ main(): void } & Record<string, () => void>} texts main: the program, a function of
 *   `require` and of `packageOf`, which gives the text of a package; the others: packages
 * @param {{ name: string, digest: string, line: number }} program
 *   digest: of the main text, 16 characters; line: that the main text begins on, from 0
 */
export function boot(texts, { name, digest, line }) {
  const fs = process.getBuiltinModule('node:fs');
  const { Script } = process.getBuiltinModule('node:vm');
  const FOLDER = '/run/anycast-ha';
  const file = `${FOLDER}/.${name}.code`;

  /** @param {string} text */
  const textOf = (text) => {
    const source = Function.prototype.toString.call(texts[text]);
    const body = source.slice(source.indexOf('/*') + 2, source.lastIndexOf('*/'));
    return body.replaceAll('*@/', '*/'); // what would have ended the comment
  };

  /** @param {import('node:fs').Stats} stats */
  const isTrusted = ({ uid, mode }) =>
    (uid === 0 || uid === process.geteuid?.()) && (mode & 0o022) === 0;

  /** @returns {Buffer | undefined} */
  const readCache = () => {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    let fd;
    try {
      fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      const stats = fs.fstatSync(fd);
      if (!stats.isFile() || !isTrusted(stats)) return undefined;
      const bytes = fs.readFileSync(fd);
      return bytes.toString('latin1', 0, digest.length) === digest
        ? bytes.subarray(digest.length)
        : undefined;
    } catch {
      return undefined;
    } finally {
      if (fd !== undefined) fs.closeSync(fd);
    }
  };

  /** @param {import('node:vm').Script} script what it has compiled so far is kept */
  const writeCache = (script) => {
    const temporary = `${file}.${process.pid}`;
    try {
      const fd = fs.openSync(temporary, 'wx', 0o644);
      try {
        fs.writeSync(fd, digest);
        fs.writeFileSync(fd, script.createCachedData());
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(temporary, file);
    } catch {
      removeIfPresent(temporary); // the disk is full, or will not be written to
    }
  };

  /** @param {string} path */
  const removeIfPresent = (path) => {
    try {
      fs.unlinkSync(path);
    } catch {
      // It was not made.
    }
  };

  // What these need is not what a pass needs.
  let usesCache = !/^--(help|version|completion)/.test(process.argv[2] ?? '');
  try {
    const stats = fs.lstatSync(FOLDER);
    usesCache &&= stats.isDirectory() && isTrusted(stats);
  } catch {
    usesCache = false;
  }
  const cachedData = usesCache ? readCache() : undefined;
  const script = new Script(textOf('main'), {
    filename: process.argv[1],
    lineOffset: line,
    cachedData,
  });
  if (usesCache && (cachedData === undefined || script.cachedDataRejected === true)) {
    process.once('exit', (status) => {
      if (status === 0 && !usedPackage) writeCache(script);
    });
  }
  // A pass that changes something runs code that others do not need, so it leaves no cache.
  let usedPackage = false;
  /** @param {string} packageName */
  const packageOf = (packageName) => {
    usedPackage = true;
    const { brotliDecompressSync } = process.getBuiltinModule('node:zlib');
    return brotliDecompressSync(Buffer.from(textOf(packageName), 'base64')).toString();
  };
  script.runInThisContext()(process.getBuiltinModule, packageOf);
}
