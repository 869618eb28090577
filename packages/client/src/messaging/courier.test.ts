import { createSystemClock, ok, systemRandom, toDid } from '@sluice/core/base';
import { createHpkeKeyPair, createSigningKey } from '@sluice/core/crypto';
import { createDeviceCard, type Identity } from '@sluice/core/identity';
import { openMessage } from '@sluice/core/message';
import { describe, expect, it } from 'vitest';
import type { OpenAccount } from '../account/account.ts';
import { createCourier } from './courier.ts';

const NOW = Date.UTC(2026, 10, 28);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const did = toDid('did:web:me.example');

/** A courier whose clock may be a day ahead, or whose machine may have slept a day: its node cannot be asked. */
function courierInDoubt() {
  const [identity, device, sealing] = [
    createSigningKey(systemRandom),
    createSigningKey(systemRandom),
    createHpkeKeyPair(systemRandom),
  ];
  const account = {
    did,
    device,
    card: createDeviceCard({ did, deviceKey: device.publicKey, issuedAt: NOW - DAY_MS }, identity),
    sealing,
    platform: { clock: { ...createSystemClock(), nowMs: () => NOW + DAY_MS }, random: systemRandom },
    link: { nodeSpan: () => ({ fromMs: NOW, toMs: NOW + DAY_MS }), ready: () => Promise.reject(new Error('offline')) },
  };
  const resolve = async () => ok({ did, identityKey: identity.publicKey } as unknown as Identity);
  const courier = createCourier(account as unknown as OpenAccount);
  return {
    courier,
    openAt: (sealed: Uint8Array, nowMs: number) => openMessage(sealed, { me: did, sealing, resolve, nowMs }),
  };
}

describe('the times of a message', () => {
  it.each([HOUR_MS, 30 * DAY_MS])(
    '[MSG-30] hold by either of two possible times, for a life of %d ms',
    async (expiresInMs) => {
      const { courier, openAt } = courierInDoubt();
      const draft = courier.draft({ to: did, type: 'custom', data: {}, message: 'x', options: { expiresInMs } });
      const sealed = await courier.seal(draft, courier.self);
      expect(await openAt(sealed, NOW)).toMatchObject({ ok: true });
      expect(await openAt(sealed, NOW + DAY_MS)).toMatchObject({ ok: true });
    },
  );
});
