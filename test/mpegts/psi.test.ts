import { describe, expect, it } from 'vitest';
import { Demuxer } from '../../src/mpegts/demuxer.ts';
import { Muxer } from '../../src/mpegts/muxer.ts';
import { programAssociation, programMap, serviceDescription } from '../../src/mpegts/psi.ts';
import { analyse } from '../support/transport-stream.ts';
import { ffmpeg, ffprobe } from './real-ffmpeg.ts';

/** A second of a real picture and a real sound under a service's name. */
async function broadcast(service: { provider: string; name: string }): Promise<Buffer> {
  const made = await ffmpeg([
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=160x96:r=25', '-f', 'lavfi', '-i', 'sine=r=48000'],
    ...['-t', '1', '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-c:a', 'aac', '-ac', '2'],
    ...['-f', 'mpegts', '-mpegts_start_pid', '256', '-mpegts_pmt_start_pid', '4096', '-muxdelay', '0', '-'],
  ]);
  const demuxer = new Demuxer(48_000);
  const muxer = new Muxer(service);
  for (const unit of [...demuxer.push(made), ...demuxer.flush()]) {
    muxer.write({ ...unit, pts: unit.pts + 90_000, dts: unit.dts + 90_000 });
  }
  return muxer.take()!.bytes;
}

/** The tables as one packet each, as the muxer puts them into a stream. */
function packetOf(pid: number, section: Buffer): Buffer {
  const packet = Buffer.alloc(188, 0xff);
  packet.set([0x47, 0x40 | (pid >> 8), pid & 0xff, 0x10, 0]);
  section.copy(packet, 5);
  return packet;
}

function nameOf(service: string, provider = 'aircheck'): string {
  const section = serviceDescription(provider, service);
  expect(section.length).toBeLessThanOrEqual(183);
  const { malformed, service: found } = analyse(packetOf(0x11, section));
  expect(malformed).toEqual([]);
  return found!.name;
}

describe('the tables', () => {
  it('are what ffprobe makes of them: one programme with its name, its streams and their PIDs', async () => {
    const { programs, streams } = await ffprobe(
      await broadcast({ provider: 'aircheck', name: 'Zürich 5 📺' }),
    );
    expect(programs).toMatchObject([
      {
        program_id: 1,
        pmt_pid: 0x1000,
        pcr_pid: 0x100,
        tags: { service_name: 'Zürich 5 📺', service_provider: 'aircheck' },
      },
    ]);
    expect(streams).toMatchObject([
      { codec_name: 'h264', id: '0x100' },
      { codec_name: 'aac', profile: 'LC', id: '0x101' },
    ]);
  });

  it('have right checksums', () => {
    const stream = analyse(
      Buffer.concat([
        packetOf(0, programAssociation()),
        packetOf(0x1000, programMap()),
        packetOf(0x11, serviceDescription('aircheck', 'Five')),
      ]),
    );
    expect(stream.malformed).toEqual([]);
    expect(stream.opening).toEqual(['pat', 'pmt', 'sdt']);
    expect(stream.clockPid).toBe(0x100);
    expect(stream.streams.map(({ pid, type }) => [pid, type])).toEqual([
      [0x100, 0x1b],
      [0x101, 0x0f],
    ]);
    expect(stream.service).toEqual({ provider: 'aircheck', name: 'Five' });
  });

  it('are never different from one call to the next', () => {
    expect(programAssociation()).toEqual(programAssociation());
    expect(programMap()).toEqual(programMap());
  });
});

describe('the name of a service', () => {
  it('is sent whole when it is short, and may be nothing', () => {
    expect(nameOf('Five')).toBe('Five');
    expect(nameOf('')).toBe('');
  });

  it.each([
    ['plain letters', 'x'.repeat(300)],
    ['umlauts', 'ä'.repeat(100)],
    ['umlauts behind one letter', `x${'ä'.repeat(100)}`],
    ['emoji', '📺'.repeat(40)],
    ['emoji behind one letter', `a${'📺'.repeat(40)}`],
    ['emoji behind two letters', `ab${'📺'.repeat(40)}`],
    ['emoji behind three letters', `abc${'📺'.repeat(40)}`],
  ])('is cut on a character when it is long: %s', (_, name) => {
    const cut = nameOf(name);
    expect(name.startsWith(cut)).toBe(true);
    expect(cut).not.toContain('\ufffd');
    expect(Buffer.byteLength(cut)).toBeGreaterThan(56);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(60);
  });

  it('leaves room for a provider that is as long', () => {
    expect(nameOf('x'.repeat(300), '📺'.repeat(60))).toBe('x'.repeat(60));
  });
});
