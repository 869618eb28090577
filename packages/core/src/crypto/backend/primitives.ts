/** The primitives a back end supplies. Both back ends give the same bytes and the same verdicts on every input. */

/** An Ed25519 key that has done what depends on the seed alone. */
export type Signer = { readonly publicKey: Uint8Array; readonly sign: (message: Uint8Array) => Uint8Array };

/** An X25519 key. `agree` gives the shared secret, or undefined if that would be all zero. */
export type Agreer = {
  readonly publicKey: Uint8Array;
  readonly agree: (publicKey: Uint8Array) => Uint8Array | undefined;
};

/**
 * Shape: keys, seeds, hashes and X25519 values are 32 bytes, XChaCha nonces 24, GCM nonces 12, tags 16 at the end of the
 * ciphertext, signatures 64. The callers in this folder check lengths; only `ed25519Verify` takes any.
 * Errors: an open that fails gives undefined; nothing else is told.
 */
export type Primitives = {
  readonly sha256: (parts: readonly Uint8Array[]) => Uint8Array;
  readonly hmacSha256: (key: Uint8Array, parts: readonly Uint8Array[]) => Uint8Array;
  /** XChaCha20-Poly1305; answers nonce, ciphertext and tag in one string. */
  readonly sealXChaCha: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) => Uint8Array;
  /** Opens what `sealXChaCha` answered. */
  readonly openXChaCha: (key: Uint8Array, aad: Uint8Array, sealed: Uint8Array) => Uint8Array | undefined;
  /** AES-GCM with the key size of `key`, 16 or 32 bytes. */
  readonly sealAesGcm: (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) => Uint8Array;
  readonly openAesGcm: (
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
  ) => Uint8Array | undefined;
  readonly ed25519: (seed: Uint8Array) => Signer;
  /** Verifies strictly and without the cofactor (spec/crypto.md CRY-7). */
  readonly ed25519Verify: (publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array) => boolean;
  /** The same verdict, worked out beside the calling thread where the platform can. */
  readonly ed25519VerifyLater: (publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array) => Promise<boolean>;
  readonly x25519: (secret: Uint8Array) => Agreer;
};
