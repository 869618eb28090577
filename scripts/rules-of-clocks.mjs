/** Rules of clocks that may be wrong: what is shown, removed, dated and signed by them. */

import { rulesIn } from './rules-lines.mjs';

const CLIENT = 'packages/client/src';
const CLOCKS = ['packages/testkit/src/proof/wrong-clocks.test.ts'];
const READER = ['packages/testkit/src/sharing/feed-tamper.test.ts'];

/** @type {readonly import('./rules-table.mjs').Rule[]} */
export const CLOCK_RULES = [
  ...rulesIn(`${CLIENT}/sharing/feed/copy-life.ts`, READER, [
    {
      rule: 'shown by the owner’s last word',
      says: 'time only goes on: what was over by the owner’s last word does not come back when a clock is set back',
      find: 'Math.max(state().asOfMs, link.nodeSpan()?.toMs ?? clock.nowMs())',
      replace: 'Math.max(0 * state().asOfMs, link.nodeSpan()?.toMs ?? clock.nowMs())',
      named: '[GRANT-53]',
    },
    {
      rule: 'removed by the owner’s last word',
      says: 'what is over by the owner’s last word is not kept',
      find: 'Math.max(state().asOfMs, link.nodeSpan()?.fromMs ?? 0)',
      replace: 'Math.max(0 * state().asOfMs, link.nodeSpan()?.fromMs ?? 0)',
      named: '[GRANT-53]',
    },
    {
      rule: 'shown by the latest time',
      says: 'what may be over is not shown',
      find: 'link.nodeSpan()?.toMs ?? clock.nowMs()',
      replace: 'link.nodeSpan()?.fromMs ?? clock.nowMs()',
      named: '[GRANT-53]',
    },
    {
      rule: 'removed by the earliest time',
      says: 'what may not be over is not lost',
      find: 'link.nodeSpan()?.fromMs ?? 0',
      replace: 'link.nodeSpan()?.toMs ?? 0',
      named: '[GRANT-53]',
    },
    {
      rule: 'shown by the own clock',
      says: 'while the node has said nothing, what is over by the own clock is not shown',
      find: 'link.nodeSpan()?.toMs ?? clock.nowMs()',
      replace: 'link.nodeSpan()?.toMs ?? 0 * clock.nowMs()',
      tests: CLOCKS,
      named: '[GRANT-53]',
    },
    {
      rule: 'not removed by the own clock',
      says: 'while the node has said nothing, nothing is lost by the own clock',
      find: 'link.nodeSpan()?.fromMs ?? 0',
      replace: 'link.nodeSpan()?.fromMs ?? clock.nowMs()',
      tests: CLOCKS,
      named: '[GRANT-53]',
    },
  ]),
  ...rulesIn(`${CLIENT}/link/live-link.ts`, CLOCKS, [
    {
      rule: 'time of a hello',
      says: 'a hello is signed by the time in the welcome',
      find: 'aheadMs: frame.nowMs - clock.monotonicMs() };',
      replace: 'aheadMs: clock.nowMs() - clock.monotonicMs() };',
      named: '[HTTP-10] an account',
    },
    {
      rule: 'doubtful time',
      says: 'a clock that was set has the node asked what time it is',
      find: "state === 'ready' && time.isDoubtful();",
      replace: "state === 'ready' && time.isDoubtful() && !state;",
      named: '[MSG-30]',
    },
  ]),
  ...rulesIn(`${CLIENT}/link/node-http.ts`, CLOCKS, [
    {
      rule: 'time of a request',
      says: 'a request that is refused for its time is signed once more by the node’s',
      find: "return code === 'EXPIRED' && c.key ? callOnce(c) : answer;",
      replace: 'return answer;',
      named: '[HTTP-10] an account',
    },
  ]),
  ...rulesIn(`${CLIENT}/messaging/courier.ts`, CLOCKS, [
    {
      rule: 'time of a message',
      says: 'a message waits for the node to say what time it is',
      find: 'if (!isTimeClear()) {',
      replace: 'if (!isTimeClear() && !clock) {',
      named: '[MSG-30]',
    },
    {
      rule: 'time of the next message',
      says: 'when a clock is set again, a message waits anew',
      find: 'if (isTimeClear()) waited = undefined;',
      replace: '',
      named: '[MSG-30]',
    },
  ]),
  ...rulesIn(`${CLIENT}/sharing/given-grants.ts`, CLOCKS, [
    {
      rule: 'end by the node’s time',
      says: 'no clock of the owner’s own ends a grant for good',
      find: 'const nowMs = link.nodeSpan()?.fromMs;',
      replace: 'const nowMs = clock.nowMs();',
      named: '[GRANT-54]',
    },
  ]),
];
