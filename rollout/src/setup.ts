/** The door to what makes lanes and streams, and looks whether they are as they must be. It loads the client of NATS. */
export { surveyCluster } from './doctor/survey.ts';
export { bootstrapCluster, bootstrapQueue, describeCluster } from './platform/kubernetes/bootstrap.ts';
export { bootstrap } from './queue/bootstrap.ts';
export { openConnection } from './queue/connection.ts';
