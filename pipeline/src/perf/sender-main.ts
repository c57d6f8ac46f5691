/** Sends, and does nothing else: the heap of whoever judges would stop the clock of whoever measures a few times in each round. */
import { measureSide, type Sending } from './side.ts';

process.on('disconnect', () => process.exit());
process.on('message', (sending: Sending) => {
  void measureSide(sending).then((sent) => process.send?.(sent)); // A rejection ends this process, and its parent says so.
});
process.send?.('ready');
