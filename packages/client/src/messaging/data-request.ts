/** Data requests: what one asks for, which records fit, and whether an answer fits what was asked (spec/message.md). */

import { isJsonObject, type JsonObject, type JsonValue } from '@sluice/core/base';
import { type Filter, filterFailureText, matches, parseFilter } from '@sluice/core/filter';
import { SluiceError } from '../errors.ts';
import { isWebAddress } from './inbox-item.ts';
import { inSchema, type LoadedSchema } from '../schema/index.ts';

/** Type of a message that asks for records. */
export const DATA_REQUEST = 'inbox/type/dataRequest';
/** Type of a message that brings records. */
export const DATA_SEND = 'inbox/type/dataSend';
/** Type of a message that says what became of another. */
export const STATUS = 'inbox/type/status';

/** What an app asks for (spec/message.md). */
export type DataRequest = {
  readonly requestSchema: string;
  readonly filter?: JsonObject;
  /** Whether the person picks; without it, all that match are offered as one. */
  readonly userSelect?: boolean;
  readonly userSelectLimit?: number;
  /** Offered to a person who has nothing that fits. */
  readonly fallbackAction?: { readonly label: string; readonly url: string };
  readonly purpose?: string;
};

/** The records of an answer, by whether they are what was asked for. */
export type RequestedRecords = {
  readonly fitting: readonly JsonObject[];
  readonly rejected: readonly { readonly index: number; readonly reason: string }[];
};

/**
 * Reads the payload of a data request. A part of the wrong form refuses the whole: leaving out a filter would ask for more.
 *
 * Errors: BAD_MESSAGE.
 */
export function parseDataRequest(data: JsonObject): DataRequest {
  const { requestSchema, filter, userSelect, userSelectLimit, fallbackAction, purpose } = data;
  if (typeof requestSchema !== 'string') throw new SluiceError('BAD_MESSAGE', 'The request names no schema');
  const part = <T extends JsonValue>(
    name: keyof DataRequest,
    value: JsonValue | undefined,
    fits: (v: JsonValue) => v is T,
  ): { [name: string]: T } => {
    if (value === undefined) return {};
    if (!fits(value)) throw new SluiceError('BAD_MESSAGE', `The request's ${name} is not of the right form`);
    return { [name]: value };
  };
  return {
    requestSchema,
    ...part('filter', filter, isJsonObject),
    ...part('userSelect', userSelect, (v): v is boolean => typeof v === 'boolean'),
    ...part('userSelectLimit', userSelectLimit, isLimit),
    ...part('fallbackAction', fallbackAction, isAction),
    ...part('purpose', purpose, (v): v is string => typeof v === 'string'),
  };
}

const isLimit = (value: JsonValue): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const isAction = (value: JsonValue): value is { readonly label: string; readonly url: string } =>
  isJsonObject(value) && typeof value.label === 'string' && isWebAddress(value.url);

/** The filter of a request over its schema's records. Errors: BAD_FILTER. */
export function requestFilter(request: DataRequest, schema: LoadedSchema): Filter {
  const parsed = parseFilter(request.filter ?? {}, schema.formats);
  if (!parsed.ok) throw new SluiceError('BAD_FILTER', filterFailureText(parsed.error));
  return inSchema(schema, parsed.value);
}

/** Sorts what came back into what fits the request and what does not: an answer is the answerer's word, so it is checked. */
export function checkAnswer(
  request: DataRequest,
  schema: LoadedSchema,
  data: JsonValue | undefined,
  nowMs: number,
): RequestedRecords {
  const filter = requestFilter(request, schema);
  const fitting: JsonObject[] = [];
  const rejected: { index: number; reason: string }[] = [];
  for (const [index, record] of (Array.isArray(data) ? data : []).entries()) {
    const reason = misfit(record as JsonValue, fitting.length, request, schema, filter, nowMs);
    if (reason) rejected.push({ index, reason });
    else fitting.push(record as JsonObject);
  }
  return { fitting, rejected };
}

function misfit(
  record: JsonValue,
  taken: number,
  request: DataRequest,
  schema: LoadedSchema,
  filter: Filter,
  nowMs: number,
): string | undefined {
  if (!isJsonObject(record)) return 'not a record';
  if (schema.validate(record).length > 0) return 'does not match the schema';
  if (!matches(filter, record, nowMs)) return 'does not match the filter';
  return request.userSelectLimit !== undefined && taken >= request.userSelectLimit ? 'over the limit' : undefined;
}
