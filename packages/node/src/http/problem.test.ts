import { readFileSync } from 'node:fs';
import { ERROR_CODES, ERROR_TABLE } from '@sluice/core/wire';
import { describe, expect, it } from 'vitest';
import { problemAnswer, rawProblem } from './problem.ts';

describe('problem documents', () => {
  it('[ERR-1] every code is a document with its fields and no others', () => {
    for (const code of ERROR_CODES) {
      const answer = problemAnswer({ code, retryAfterS: undefined }, 'req', 17);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      expect(JSON.parse(answer.body)).toEqual({
        type: `https://sluice.example/errors/${code}`,
        title: ERROR_TABLE[code].title,
        status: answer.status,
        code,
        retry: ERROR_TABLE[code].retry,
        requestId: 'req',
        nowMs: 17,
      });
    }
  });

  it('[ERR-2] the table of the specification is the table of the code', () => {
    const text = readFileSync(new URL('../../../../spec/errors.md', import.meta.url), 'utf8');
    const rows = [...text.matchAll(/^\| ([A-Z_]+) \| (\d+) \| (\w+) \|/gm)].map(([, ...row]) => row.join(' '));
    expect(rows).toEqual(ERROR_CODES.map((code) => `${code} ${ERROR_TABLE[code].status} ${ERROR_TABLE[code].retry}`));
  });

  it('[ERR-5] a time to wait is given in whole seconds, rounded up, and only where waiting helps', () => {
    const waitOf = (code: 'RATE_LIMITED' | 'FORBIDDEN', s: number) =>
      problemAnswer({ code, retryAfterS: s }, 'r', 0).headers['retry-after'];
    expect(waitOf('RATE_LIMITED', 0.2)).toBe('1');
    expect(waitOf('RATE_LIMITED', 4.1)).toBe('5');
    expect(waitOf('FORBIDDEN', 4.1)).toBeUndefined();
  });

  it('[ERR-1] a socket that never became a request gets the same document', () => {
    const [head = '', body = ''] = rawProblem('NOT_FOUND', 'req', 17).split('\r\n\r\n');
    expect(head.split('\r\n')[0]).toBe('HTTP/1.1 404 Not Found');
    expect(head).toContain(`content-length: ${body.length}`);
    expect(JSON.parse(body)).toMatchObject({ code: 'NOT_FOUND', status: 404, requestId: 'req', nowMs: 17 });
  });
});
