import { ERROR_CODES } from '@sluice/core/wire';
import { describe, expect, it } from 'vitest';
import { CLIENT_ERRORS, SluiceError, type SluiceErrorCode } from './errors.ts';

const CODES: readonly SluiceErrorCode[] = [
  ...(Object.keys(CLIENT_ERRORS) as SluiceErrorCode[]),
  ...ERROR_CODES.map((code) => `NODE_${code}` as const),
];

describe('an error of the SDK', () => {
  it('[ERR-7] says what happened, then what to do, then its code, whichever code it is', () => {
    expect(CODES.length).toBeGreaterThan(50);
    for (const code of CODES)
      expect(new SluiceError(code).message, code).toMatch(new RegExp(`^[A-Z].+[.;] \\S.+\\. \\(${code}\\)$`));
  });

  it('[ERR-7] keeps saying what to do where a place says what happened', () => {
    expect(new SluiceError('BAD_FILTER', 'The filter is wrong at a.b').message).toBe(
      'The filter is wrong at a.b. Correct it at the place named. (BAD_FILTER)',
    );
    expect(new SluiceError('NOT_FOUND', 'This store is empty. Create an account.').message).toBe(
      'This store is empty. Create an account. (NOT_FOUND)',
    );
    expect(new SluiceError('NODE_QUOTA', 'The message was not taken').message).toMatch(
      /^The message was not taken\. The space or inbox is full\. .+\. \(NODE_QUOTA\)$/,
    );
  });
});
