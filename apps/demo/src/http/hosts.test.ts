import { describe, expect, it } from 'vitest';
import { Hosts } from './hosts.ts';

const hosts = new Hosts(['Service', 'fd00::1']);

describe('the accepted hosts', () => {
  it.each([
    'localhost',
    'LOCALHOST:8080',
    '127.0.0.1:1',
    '[::1]:65535',
    'service:9464',
    '[fd00::1]:80',
  ])('have %s, whatever its port and case', (host) => {
    expect(hosts.judge(['Host', host])).toBe('accepted');
  });

  it.each([
    '',
    'evil.example',
    'localhost.evil.example',
    'localhost:80:80',
    'evil.example:127.0.0.1',
    'constructor',
    'fd00::1',
  ])('do not have %j', (host) => {
    expect(hosts.judge(['host', host])).toBe('unknown');
  });

  it('are not judged by a field of another name or by its value', () => {
    expect(hosts.judge([])).toBe('unknown');
    expect(hosts.judge(['x-host', 'localhost', 'x', 'host', 'host', 'evil.example'])).toBe(
      'unknown',
    );
    expect(hosts.judge(['x', 'host', 'host', 'localhost'])).toBe('accepted');
  });

  it('are judged by no field when there are two, in any case and even when they are equal', () => {
    expect(hosts.judge(['Host', 'localhost', 'hOST', 'evil.example'])).toBe('repeated');
    expect(hosts.judge(['host', 'localhost', 'host', 'localhost'])).toBe('repeated');
  });
});
