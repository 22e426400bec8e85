import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProcessError } from '../../src/errors.ts';
import { findProgram } from '../../src/ffmpeg/find-program.ts';

describe('looking for a program', () => {
  let folder: string;
  const program = async (name: string, mode = 0o755) => {
    const file = join(folder, name);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, '#!/bin/sh\n');
    await chmod(file, mode);
    return file;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aircheck-programs-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('takes the first of its name on the PATH that may be run', async () => {
    await program('a/ffmpeg', 0o644);
    await mkdir(join(folder, 'b/ffmpeg'), { recursive: true });
    const third = await program('c/ffmpeg');
    await program('d/ffmpeg');
    const path = ['none', 'a', 'b', 'c', 'd'].map((name) => join(folder, name)).join(delimiter);
    expect(await findProgram('ffmpeg', path)).toBe(third);
  });

  it('takes a path as it is, whatever the PATH says', async () => {
    const file = await program('own/ffmpeg');
    expect(await findProgram(file, '')).toBe(file);
    await rm(file);
    await expect(findProgram(file, join(folder, 'own'))).rejects.toThrow(ProcessError);
  });

  it('says so when there is none', async () => {
    await expect(findProgram('ffmpeg', folder)).rejects.toThrow('no program ffmpeg');
  });
});
