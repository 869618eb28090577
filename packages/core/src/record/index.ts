export { applyFields, type FieldsChange } from './apply-fields.ts';
export { decodeBody, encodeBody } from './body.ts';
export { createHlc, type Hlc, type HlcClock, MAX_HLC_COUNTER } from './hlc.ts';
export { type Loser, mergeStates } from './merge.ts';
export { applyDelete, applySave } from './save.ts';
export { compareStamps, type Stamp } from './stamp.ts';
export {
  addedBy,
  countBy,
  createState,
  isDeleted,
  isFieldName,
  isRecordId,
  type MergeRule,
  type MergeRules,
  type RecordState,
  revOf,
  stampOfField,
  toDocument,
} from './state.ts';
