/**
 * What the store needs, in an order in which it can be made, each line safe to repeat. A release may only add to it: two versions share
 * the store, and a rollback moves no data. The index is asked for first, since even `if not exists` would wait for every writer.
 */
export const schema = `
create table if not exists ratings (
  id uuid primary key,
  user_id uuid not null,
  service_id uuid not null,
  score smallint not null check (score between 0 and 5)
);
create table if not exists users (id uuid primary key, name text not null);
create table if not exists services (id uuid primary key, name text not null);
create table if not exists inbox (
  msg_id text not null,
  subject text not null,
  response text not null,
  at timestamptz not null,
  primary key (msg_id, subject)
);
do $$ begin
  if to_regclass('inbox_at') is null then create index inbox_at on inbox (at); end if;
end $$;
`;

/** Advisory lock under which the schema is made: "rating" in ASCII. Without it two that start at once collide in the catalogue. */
export const SCHEMA_LOCK = '125780070723175';
