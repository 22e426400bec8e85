import { describe, expect, it } from 'vitest';
import { shortenHome } from '../../src/diagnostics/shorten-home.ts';

describe('the home directory', () => {
  it('becomes ~ where a path begins with it, and nowhere else', () => {
    const shorten = shortenHome('/home/ann.b');
    expect(shorten('/home/ann.b/Videos/a.mkv')).toBe('~/Videos/a.mkv');
    expect(shorten('"path":"/home/ann.b"')).toBe('"path":"~"');
    expect(shorten('/home/ann.bert/a.mkv /home/annxb/c')).toBe('/home/ann.bert/a.mkv /home/annxb/c');
    expect(shorten("open '/home/ann.b/x', /home/ann.b: denied")).toBe("open '~/x', ~: denied");
    expect(shortenHome('C:\\Users\\Ann')('C:\\Users\\Ann\\a.mkv')).toBe('~\\a.mkv');
    for (const home of ['', '/']) expect(shortenHome(home)('/a/b')).toBe('/a/b');
  });
});
