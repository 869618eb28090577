export * from './aead.ts';
export * from './hash.ts';
export {
  canSealTo,
  createHpkeKeyPair,
  type HpkeKeyPair,
  hpkeKeyPairFromSecret,
  openHpke,
  sealHpke,
} from './hpke.ts';
export * from './keys.ts';
export * from './padme.ts';
export * from './passphrase.ts';
export * from './recovery.ts';
export * from './sign.ts';
