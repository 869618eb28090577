export { applyFields, type FieldsChange } from './apply-fields.ts';
export { decodeBody, encodeBody, MAX_RECORD_BYTES } from './body.ts';
export { compareHlc, createHlc, decodeHlc, encodeHlc, type Hlc, type HlcClock, MAX_DRIFT_MS } from './hlc.ts';
export { type Loser, type Merged, mergeStates } from './merge.ts';
export { applyDelete, applySave } from './save.ts';
export { compareStamps, type Stamp } from './stamp.ts';
export {
  BASE_FIELDS,
  createState,
  isDeleted,
  MAX_FIELDS,
  type MergeRules,
  type RecordState,
  revOf,
  type SetPart,
  toDocument,
} from './state.ts';
