/** Passes TCP on: node relay.js FROM_HOST FROM_PORT TO_HOST TO_PORT. Stopped by SIGSTOP it holds everything back, and by SIGCONT lets it go on. */
import { connect, createServer } from 'node:net';

const [fromHost, fromPort, toHost, toPort] = process.argv.slice(2);

createServer((near) => {
  const far = connect(Number(toPort), toHost);
  near.pipe(far).pipe(near);
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
}).listen(Number(fromPort), fromHost);
