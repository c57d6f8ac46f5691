import { laneOfStream, type QueueApp } from '../queue/names.ts';
import { type Sample, samplesOf } from './exposition.ts';
import type { Series } from './processes.ts';
import { outcomesOf } from './proxies.ts';

/** What Headgate knows of a lane process's `/metrics` page. Everything else on it is left alone, and so is another app's stream. */
export function readProcessPage(text: string, app: QueueApp): Series {
  const series: Record<string, number> = {};
  if (/^# TYPE headgate_requests_total /m.test(text)) Object.assign(series, { requests: 0, failed: 0, refused: 0 });
  if (/^# TYPE headgate_latency_bucket_total /m.test(text)) series['latency'] = 0;
  if (/^# TYPE headgate_acked_total /m.test(text)) Object.assign(series, { acked: 0, ackTime: 0 });
  for (const sample of samplesOf(text)) {
    if (sample === undefined || !(sample.value >= 0)) continue;
    for (const key of keysOf(sample, app)) series[key] = (series[key] ?? 0) + sample.value;
  }
  return series;
}

function keysOf(sample: Sample, app: QueueApp): readonly string[] {
  const key = keyOf(sample, app);
  if (key?.startsWith('latency/')) return ['latency', key];
  return key === undefined ? outcomesOf(sample) : [key];
}

function keyOf({ name, labels }: Sample, app: QueueApp): string | undefined {
  const lane = laneOfStream(app, labels['stream'] ?? '');
  const bucket = labels['bucket'] ?? '';
  switch (name) {
    case 'headgate_latency_bucket_total':
      return `latency/${bucket}`;
    case 'headgate_acked_total':
      return lane === undefined ? undefined : `acked/${lane}`;
    case 'headgate_terminated_total':
      return lane === undefined ? undefined : `terminated/${lane}`;
    case 'headgate_ack_time_bucket_total':
      return lane === undefined ? undefined : `ackTime/${lane}/${bucket}`;
    case 'process_start_time_seconds':
      return 'startedAtSec';
    default:
      return undefined;
  }
}
