/** A word that only the demo's person knows: whoever else shows it has leaked. */

export const LEAKED_CANARY = 'canary-quince-7731';
