/** Answers every request of the lane with the same 1.5 kB list, as a rating service would; publishes of one turn leave together. */
import { AckPolicy, connect, headers, nanos, RetentionPolicy, StorageType } from 'nats';

const prefix = process.env['SUBJECT_PREFIX'] ?? '';
const connection = await connect({ servers: process.env['NATS_URL'] ?? '' });
const jsm = await connection.jetstreamManager();
await jsm.streams.add({
  name: prefix,
  subjects: [`${prefix}.get.ratings`, `${prefix}.post.ratings`],
  subject_transform: { src: `${prefix}.>`, dest: '>' },
  storage: StorageType.Memory,
  retention: RetentionPolicy.Workqueue,
  no_ack: true,
  max_age: nanos(120_000),
  duplicate_window: nanos(100),
});
await jsm.consumers.add(prefix, {
  durable_name: 'worker',
  ack_policy: AckPolicy.Explicit,
  ack_wait: nanos(10_000),
  max_ack_pending: 1_024,
});

const rating = { id: crypto.randomUUID(), userId: crypto.randomUUID(), serviceId: crypto.randomUUID(), score: 4 };
const reply = Buffer.from(JSON.stringify({ headers: {}, body: { items: Array(10).fill(rating) }, statusCode: 200 }));
const marks = headers();
marks.set('Rating-Canonical', '1');

let due: { to: string; ack: () => void }[] = [];
function flush(): void {
  const now = due;
  due = [];
  for (const { to, ack } of now) {
    connection.publish(to, reply, { headers: marks });
    ack();
  }
}

const consumer = await connection.jetstream().consumers.get(prefix, 'worker');
process.stdout.write('{"event":"started"}\n');
for await (const message of await consumer.consume({ max_messages: 200 })) {
  const { originReplyTo } = message.json<{ originReplyTo: string }>();
  if (due.push({ to: originReplyTo, ack: () => message.ack() }) === 1) setImmediate(flush);
}
