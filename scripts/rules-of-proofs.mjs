/** Rules of what is signed: receipts, acceptances, attestations, certificates, control entries, checkpoints and new keys. */

import { rulesIn } from './rules-lines.mjs';

const GRANT = 'packages/core/src/grant';
const RECEIPTS = [`${GRANT}/receipt-vectors.test.ts`];
const EXPORT = [`${GRANT}/consent-receipt.test.ts`];
const FEEDS = [`${GRANT}/feed-vectors.test.ts`];
const CONTROL = ['packages/core/src/stream/ctl-vectors.test.ts', 'packages/core/src/stream/stream.test.ts'];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const PROOF_RULES = [
  ...rulesIn(
    'packages/core/src/identity/document.ts',
    ['packages/core/src/identity/document.test.ts'],
    [
      {
        rule: 'signature',
        says: 'a document counts only with the signature of the key that speaks for its signer',
        find: "if (!verify(key.value, outer.value.signature, DOMAIN, outer.value.body)) return err({ type: 'bad-signature' });",
        replace: 'void verify;',
      },
    ],
  ),
  ...rulesIn(`${GRANT}/receipt.ts`, RECEIPTS, [
    {
      rule: 'who signed',
      says: 'a proof counts only from whom it is to be',
      find: 'isAnothers = did !== signer;',
      replace: 'isAnothers = did === undefined;',
    },
    {
      rule: 'hash of the request',
      says: 'a receipt answers the request whose hash it names',
      find: "return isForThat ? receipt : err({ type: 'wrong-request' });",
      replace: 'void isForThat;\n  return receipt;',
    },
    {
      rule: 'grants of a receipt',
      says: 'a receipt states no grant twice',
      find: "if (new Set(grants.map((g) => g.grantId)).size !== grants.length) return err({ type: 'wrong-grants' });",
      replace: '',
    },
    {
      rule: 'grants of an acceptance',
      says: 'an acceptance is of grants of its receipt',
      find: ' || !grants.every((id) => known.has(id)))',
      replace: ' || known.size < 0)',
    },
    {
      rule: 'form of instants',
      says: 'a proof writes an instant in one form alone',
      find: 'return Number.isNaN(ms) || new Date(ms).toISOString() !== value ? undefined : ms;',
      replace: 'return Number.isNaN(ms) ? undefined : ms;',
    },
  ]),
  ...rulesIn(`${GRANT}/attestation.ts`, RECEIPTS, [
    {
      rule: 'reason of an attestation',
      says: 'an attestation says why, in one of four words',
      find: "if (!isReason(reason)) return malformed('reason');",
      replace: 'if (!isReason(reason) && !reason) return malformed(String(reason)) as never;',
    },
  ]),
  ...rulesIn(`${GRANT}/revoke-certificate.ts`, RECEIPTS, [
    {
      rule: 'space of an acknowledgement',
      says: 'an acknowledgement is of this space',
      find: "if (space !== bytesToHex(expected.space)) return err({ type: 'wrong-party' });",
      replace: 'void space;',
    },
    {
      rule: 'grant of an acknowledgement',
      says: 'an acknowledgement is of this grant',
      find: "if (grantId !== expected.grantId) return err({ type: 'wrong-grants' });",
      replace: '',
    },
    {
      rule: 'served of an acknowledgement',
      says: 'a node that claims more served than there was is not believed',
      find: '(!isCount(servedTo) || servedTo > feedHead)',
      replace: '!isCount(servedTo)',
    },
    {
      rule: 'certificate as stated',
      says: 'a certificate says of its documents what they say',
      find: "jsonEquals(certificateToJson(certificate), json) ? ok(certificate) : malformed('certificate');",
      replace: "jsonEquals(certificateToJson(certificate), json) || json ? ok(certificate) : malformed('certificate');",
      tests: EXPORT,
    },
    {
      rule: 'attestation of a certificate',
      says: 'the attestation in a certificate is the grantee’s',
      find: 'return wiped.ok ? asStated({ ...plain, attestation: { ...wiped.value, document } }, json) : wiped;',
      replace: 'return wiped.ok ? asStated({ ...plain, attestation: { ...wiped.value, document } }, json) : ok(plain);',
      tests: EXPORT,
    },
  ]),
  ...rulesIn(`${GRANT}/consent-receipt.ts`, EXPORT, [
    {
      rule: 'signer of an exported request',
      says: 'an exported request is the grantee’s',
      find: 'if (asked && !asked.ok) return asked;',
      replace: 'void asked;',
    },
    {
      rule: 'chain of changes',
      says: 'an exported change names the receipt before it',
      find: "if (!follows) return err({ type: 'wrong-receipt' });",
      replace: 'void follows;',
    },
    {
      rule: 'exported as signed',
      says: 'what an export says of the processing is what was signed',
      find: 'if (!jsonEquals(objectAt(whole, name) ?? null, signed ?? null)) return malformed(name);',
      replace: 'void signed;',
    },
    {
      rule: 'id of an export',
      says: 'an export is named by what it holds',
      find: "if (!isJsonObject(json) || json.receipt_id !== id) return malformed('receipt_id');",
      replace: "if (!isJsonObject(json) || !id) return malformed('receipt_id');",
    },
  ]),
  ...rulesIn(`${GRANT}/feed-entry.ts`, FEEDS, [
    {
      rule: 'signature of a checkpoint',
      says: 'a checkpoint is signed by the key it names',
      find: 'if (!genuine || inner.value.asOfMs !== head.hlc.ms)',
      replace: 'void genuine;\n  if (inner.value.asOfMs !== head.hlc.ms)',
    },
    {
      rule: 'instant of a checkpoint',
      says: 'a checkpoint speaks of the instant in its header',
      find: 'if (!genuine || inner.value.asOfMs !== head.hlc.ms)',
      replace: 'void head;\n  if (!genuine)',
    },
  ]),
  ...rulesIn(
    `${GRANT}/key-change.ts`,
    [`${GRANT}/lane.test.ts`],
    [
      {
        rule: 'signature of a new key',
        says: 'a new key of a grant is signed by the device it names',
        find: "return genuine ? ok({ epoch, commitment, sealed, signer, card }) : err({ type: 'bad-checkpoint' });",
        replace: 'void genuine;\n  return ok({ epoch, commitment, sealed, signer, card });',
      },
      {
        rule: 'commitment of a new key',
        says: 'a new key is the one that was committed to',
        find: 'return checkCommitment(key, change.commitment) ? key : undefined;',
        replace: 'void checkCommitment;\n  return key;',
      },
    ],
  ),
  ...rulesIn('packages/core/src/stream/access-state.ts', CONTROL, [
    {
      rule: 'device key signs no grant',
      says: 'only an admin’s row lets its key sign rows; an agent’s and a grantee’s do not',
      find: "if (row.role === 'admin' && isLive(row, nowMs)) return 'allowed';",
      replace: "if (isLive(row, nowMs)) return 'allowed';",
    },
    {
      rule: 'revoked admin signs nothing',
      says: 'a device that was removed signs no row',
      find: "if (row.role === 'admin' && isLive(row, nowMs)) return 'allowed';",
      replace: "if (row.role === 'admin') return 'allowed';\n    void isLive;",
    },
    {
      rule: 'own row alone',
      says: 'a key gives up its own row and changes nothing else by it',
      find: '    equalBytes(p.id, row.id) &&\n    equalBytes(p.key, row.key) &&\n',
      replace: '',
    },
    {
      rule: 'revoked for ever',
      says: 'a row that was revoked stays so, whatever comes later',
      find: "if (old.status === 'revoked') return;",
      replace: '',
    },
    {
      rule: 'chain of a signer',
      says: 'a control entry names the one before it of its signer',
      find: "if (!equalBytes(ctl.previous, end.hash)) return err({ type: 'fork' });",
      replace: '',
    },
    {
      rule: 'expiry of a row',
      says: 'a row with an end opens nothing after it',
      find: 'row.expiresMs !== 0 && nowMs >= row.expiresMs;',
      replace: 'row.expiresMs !== 0 && nowMs < 0;',
    },
    {
      rule: 'paused row',
      says: 'a paused row opens nothing',
      find: "row.status === 'active' && !isExpired(row, nowMs);",
      replace: "row.status !== 'revoked' && !isExpired(row, nowMs);",
      tests: ['packages/node/src/live/grant-streams.test.ts'],
    },
    {
      rule: 'verbs of a row',
      says: 'a row that lets read does not let write',
      find: '(a.verbs & verb) !== 0 && matchesTarget(a.target, target)',
      replace: 'verb !== 0 && matchesTarget(a.target, target)',
    },
    {
      rule: 'key of a row',
      says: 'the key and the role of a row never change',
      find: 'const fixedParts = { key: old.key, role: old.role, term',
      replace: 'const fixedParts = { term',
    },
  ]),
];
