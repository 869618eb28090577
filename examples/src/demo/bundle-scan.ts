/** An independent look at a FHIR bundle: what the window should hold, counted without any code of Sluice. */

export type Scan = {
  readonly newestMs: number;
  readonly total: Record<string, number>;
  readonly resources: readonly { readonly type: string; readonly at: number }[];
  readonly words: readonly string[];
};

const FIELDS: Record<string, string> = { Immunization: 'occurrenceDateTime', Observation: 'effectiveDateTime' };

/** Scans a bundle's text. */
export function scanBundle(text: string): Scan {
  const bundle = JSON.parse(text) as { resourceType?: string; entry: { resource?: Record<string, unknown> }[] };
  if (bundle.resourceType !== 'Bundle') throw new TypeError('not a bundle');
  const resources: { type: string; at: number }[] = [];
  const words = new Set<string>();
  for (const { resource } of bundle.entry) {
    const type = String(resource?.resourceType);
    const value = resource?.[FIELDS[type] ?? ''];
    const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
    if (FIELDS[type] && !Number.isNaN(at)) resources.push({ type, at });
    if (type === 'Patient') collectWords(resource, words);
  }
  const total: Record<string, number> = {};
  for (const { type } of resources) total[type] = (total[type] ?? 0) + 1;
  return { newestMs: Math.max(...resources.map((r) => r.at)), total, resources, words: [...words] };
}

/** How many of a type lie in the last `months` before `nowMs`: ten lines, no library. */
export function countWithin(scan: Scan, type: string, nowMs: number, months: number): number {
  const now = new Date(nowMs);
  const target = new Date(nowMs);
  target.setUTCDate(1);
  target.setUTCMonth(now.getUTCMonth() - months);
  const lastDay = new Date(Date.UTC(target.getUTCFullYear(), target.getUTCMonth() + 1, 0)).getUTCDate();
  target.setUTCDate(Math.min(now.getUTCDate(), lastDay));
  return scan.resources.filter((r) => r.type === type && r.at >= target.getTime()).length;
}

/** Names and numbers that identify the patient: what must never show outside. */
function collectWords(patient: unknown, words: Set<string>): void {
  const text = JSON.stringify(patient);
  for (const match of text.matchAll(/"(?:family|city|value)":"([^"]{6,40})"/g)) words.add(match[1] as string);
  for (const match of text.matchAll(/"given":\["([^"]{5,40})"/g)) words.add(match[1] as string);
}
