import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type SubjectPlan, subjectOf } from './subject.ts';

const plan: SubjectPlan = { subjectPrefix: 'ratings-blue', pathPrefix: '/api', replyToMaxBytes: 40 };

describe('subjectOf()', () => {
  test.each([
    { path: '/api/ratings', subject: 'ratings-blue.get.ratings' },
    { path: '/api/ratings/123', subject: 'ratings-blue.get.ratings.123' },
    { path: '/api/a%2Cb/~x@y=1+2:3,4-5_6', subject: 'ratings-blue.get.a,b.~x@y=1+2:3,4-5_6' },
    { path: '/api/%2561', subject: 'ratings-blue.get.%61' },
    { path: '/api/api/API', subject: 'ratings-blue.get.api.API' },
  ])('makes $subject of $path', ({ path, subject }) => {
    expect(subjectOf('get', path, plan)).toEqual({ kind: 'subject', subject });
  });

  test.each([
    { of: 'a line break', path: '/api/ratings%0d%0aPUB%20evil%200', value: 'ratings\r\nPUB evil 0' },
    { of: 'a blank', path: '/api/rat%20ings', value: 'rat ings' },
    { of: 'a wildcard', path: '/api/*', value: '*' },
    { of: 'an encoded wildcard', path: '/api/%2a', value: '*' },
    { of: 'a full wildcard', path: '/api/>', value: '>' },
    { of: 'a dot', path: '/api/ratings.evil', value: 'ratings.evil' },
    { of: 'an encoded dot', path: '/api/ratings%2eevil', value: 'ratings.evil' },
    { of: 'a dot segment', path: '/api/../users', value: '..' },
    { of: 'an encoded slash', path: '/api/ratings%2f1', value: 'ratings/1' },
    { of: 'a dollar', path: '/api/$JS', value: '$JS' },
    { of: 'an encoded dollar', path: '/api/%24SYS', value: '$SYS' },
    { of: 'an empty token', path: '/api/ratings//1', value: '' },
    { of: 'a slash at the end', path: '/api/ratings/', value: '' },
    { of: 'no ASCII', path: '/api/r%C3%A4tings', value: 'rätings' },
    { of: 'a zero byte', path: '/api/a%00', value: 'a\u0000' },
  ])('refuses $of, naming rule and value', ({ path, value }) => {
    expect(subjectOf('get', path, plan)).toEqual({
      kind: 'refusal',
      code: 'PATH_INVALID',
      message: `Cannot route the path as each decoded segment must match ^[A-Za-z0-9_~@=+:,%-]+$: current value is "${value}"`,
    });
  });

  test.each(['/api/%', '/api/%zz', '/api/%ff'])('refuses the malformed escape in %s', (path) => {
    expect(subjectOf('get', path, plan)).toMatchObject({
      code: 'PATH_INVALID',
      message: expect.stringContaining('UTF-8'),
    });
  });

  test.each(['/', '', '*', '/api', '/api/', '/apix/ratings', '/ratings', '/%61pi/ratings', 'http://evil/api/x'])(
    'knows nothing below the prefix for "%s"',
    (path) => {
      expect(subjectOf('get', path, plan)).toMatchObject({ code: 'NOT_FOUND' });
    },
  );

  test('leaves out what has no prefix', () => {
    const bare = { ...plan, subjectPrefix: '', pathPrefix: '' };
    expect(subjectOf('post', '/ratings', bare)).toEqual({ kind: 'subject', subject: 'post.ratings' });
  });

  test('takes a subject of exactly the limit and refuses one byte more', () => {
    const limit = 4_096 - 20 - plan.replyToMaxBytes;
    const segment = 'x'.repeat(limit - 'ratings-blue.get.'.length);

    expect(subjectOf('get', `/api/${segment}`, plan)).toMatchObject({ kind: 'subject' });
    expect(subjectOf('get', `/api/${segment}x`, plan)).toMatchObject({
      code: 'SUBJECT_TOO_LONG',
      message: expect.stringContaining(`at most ${limit} bytes: current value has ${limit + 1}`),
    });
  });

  test('never lets a path change the number of tokens or leave the prefix', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('%2e', '%0a', '%20', '*', '>', '.', '', '$', 'a', '7'),
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 3 }), { minLength: 1, maxLength: 4 }), (segments) => {
        const path = `/api/${segments.map((parts) => parts.join('').replaceAll('/', '')).join('/')}`;
        const made = subjectOf('get', path, plan);
        if (made.kind === 'refusal') return;
        expect(made.subject.split('.')).toHaveLength(segments.length + 2);
        expect(made.subject).toMatch(/^ratings-blue\.get(\.[A-Za-z0-9_~@=+:,%-]+)+$/);
      }),
    );
  });
});
