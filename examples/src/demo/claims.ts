/** The numbered claims of the demo: each with what was measured, and whether it holds. */

export type Claim = {
  readonly number: number;
  readonly text: string;
  readonly measured: string;
  readonly holds: boolean;
};

export type Claims = {
  /** Records a claim and prints it. */
  readonly check: (text: string, holds: boolean, measured: string) => void;
  readonly all: () => readonly Claim[];
};

const colour = (code: number, text: string): string =>
  process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text;

export function createClaims(print: (line: string) => void): Claims {
  const claims: Claim[] = [];
  return {
    check: (text, holds, measured) => {
      const claim = { number: claims.length + 1, text, measured, holds };
      claims.push(claim);
      print(
        `    ${holds ? colour(32, 'pass') : colour(31, 'FAIL')} ${String(claim.number).padStart(2)}. ${text}: ${measured}`,
      );
    },
    all: () => claims,
  };
}

export const heading = (text: string): string => colour(1, text);
export const dim = (text: string): string => colour(2, text);
