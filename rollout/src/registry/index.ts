/** The door to registries that want a login. */
export { fetchLoggedIn, loginHint } from './fetch.ts';
export { originOf, pathOf } from './origin.ts';
