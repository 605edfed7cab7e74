// What a Redis server does for the rack index, in its own language, Lua: one call for a batch of
// digests. A rack's entries lie in a few hashes, *buckets*, because a command costs the server far
// more than a field does: what a batch wants of a bucket is one HMGET and one HSET. The client has
// sorted the digests by bucket and packed them; nothing here is parsed but by position.
//
//   field   bytes 1–6 of the digest (its first byte chose the bucket)
//   value   0 u32 token   4 u32 handle   8 u8 state   9 u8 second of the last want, modulo 256
//
// So 53 bits stand for a digest. Two of a rack that agree in them are told apart where the page
// arrives; the one that was named wrongly is sent again.
import { MAX_WANTS, MEMBER_LIFE_MS, RACK_LIFE_MS, WANT_AGAIN_MS } from "./lives.ts";

/** Of a digest in the packed argument: the digest, then the value that it has when it is ours. */
export const ITEM_BYTES = 42;
/** Of what is wanted: the digest, u32 handle. */
export const WANT_BYTES = 36;
/** More arguments than this would be too many for Lua, if all wanted the same bucket. */
export const MAX_ITEMS = 2048;

/** How the scripts begin: what every call has. */
const PROLOGUE = `
local live, wanted, counters, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix, mine, token, host = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local items, sizes, entryLife = ARGV[5], ARGV[6], tonumber(ARGV[7])
local call, sub, byte = redis.call, string.sub, string.byte
local isNew = 0
-- The first write is one that a full server refuses: behind any other it would let all pass.
if not call('SET', live, '1', 'PX', ${MEMBER_LIFE_MS}, 'GET') then
  isNew = 1
  for _, other in ipairs(call('HKEYS', members)) do
    if call('EXISTS', prefix .. 'live:' .. other) == 0 then call('HDEL', members, other) end
  end
  call('HSET', members, token, host)
  call('PEXPIRE', members, ${RACK_LIFE_MS})
end
local fresh = #KEYS > 4 and call('EXISTS', unpack(KEYS, 5)) < #KEYS - 4
-- A bucket has its end from when it is made. They end one after another, not all at once.
local function expire(bucket)
  if fresh and call('PTTL', bucket) < 0 then
    local number = tonumber(string.match(bucket, '%d+$'))
    call('PEXPIRE', bucket, entryLife - math.floor(entryLife * (number % 32) / 256))
  end
end
local p = 1
local function countOf(k) return byte(sizes, 2 * k - 1) + 256 * byte(sizes, 2 * k) end
local function fieldsOf(count)
  local fields = {}
  for i = 1, count do
    local at = p + 42 * (i - 1)
    fields[i] = sub(items, at + 1, at + 6)
  end
  return fields
end
`;

/**
 * Claims. Answers: a string of one byte per digest, wants, 1 if the session was not known; without
 * digests it is a sign of life that takes wants.
 */
export const CLAIM_SCRIPT = `${PROLOGUE}
local out, n, ours, stored = {}, 0, 0, 0
local alive, wants, second = { [mine] = true }, {}, nil
local function isAlive(who)
  local known = alive[who]
  if known == nil then
    known = call('EXISTS', prefix .. 'live:' .. struct.unpack('<I4', who)) == 1
    alive[who] = known
  end
  return known
end
for k = 1, #KEYS - 4 do
  local bucket, count = KEYS[k + 4], countOf(k)
  local fields = fieldsOf(count)
  local values = call('HMGET', bucket, unpack(fields))
  local set, s, again = {}, 0, nil
  for i = 1, count do
    local at = p + 42 * (i - 1)
    local value, state = values[i], '\\1'
    local who = value and sub(value, 1, 4)
    if value and byte(value, 9) == 1 then
      state = '\\3'
      stored = stored + 1
    elseif value and who ~= mine and isAlive(who) then
      state = '\\2'
      second = second or tonumber(call('TIME')[1]) % 256
      if byte(value, 9) == 0 or (second - byte(value, 10)) % 256 > ${WANT_AGAIN_MS / 1000} then
        again = again or {}
        if not again[fields[i]] then
          again[fields[i]] = true
          local list = wants[who] or {}
          wants[who] = list
          list[#list + 1] = sub(items, at, at + 31) .. sub(value, 5, 8)
          set[s + 1], set[s + 2] = fields[i], sub(value, 1, 8) .. '\\2' .. string.char(second)
          s = s + 2
        end
      end
    else
      ours = ours + 1
      set[s + 1], set[s + 2] = fields[i], sub(items, at + 32, at + 41)
      s = s + 2
    end
    n = n + 1
    out[n] = state
  end
  if s > 0 then
    call('HSET', bucket, unpack(set))
    expire(bucket)
  end
  p = p + 42 * count
end
for who, list in pairs(wants) do
  local key = prefix .. 'wants:' .. struct.unpack('<I4', who)
  if call('STRLEN', key) < 36 * ${MAX_WANTS} then
    call('APPEND', key, table.concat(list))
    call('PEXPIRE', key, ${2 * MEMBER_LIFE_MS})
  end
end
if n > 0 then
  local asked = call('HINCRBY', counters, 'asked', n)
  if asked == n then call('PEXPIRE', counters, ${RACK_LIFE_MS}) end
  if ours > 0 then call('HINCRBY', counters, 'ours', ours) end
  if stored > 0 then call('HINCRBY', counters, 'stored', stored) end
  if n > ours + stored then call('HINCRBY', counters, 'claimed', n - ours - stored) end
end
local told = call('GET', wanted) or ''
if told ~= '' then call('DEL', wanted) end
return { table.concat(out), told, isNew }
`;

/**
 * Marks: ARGV[8] is "stored" or "release", which touch what is ours alone, or "takeOver", which
 * makes it ours. Answers as CLAIM_SCRIPT, without states and wants.
 */
export const MARK_SCRIPT = `${PROLOGUE}
local mark = ARGV[8]
for k = 1, #KEYS - 4 do
  local bucket, count = KEYS[k + 4], countOf(k)
  local fields = fieldsOf(count)
  local values = mark == 'takeOver' and {} or call('HMGET', bucket, unpack(fields))
  local set, s, gone = {}, 0, {}
  for i = 1, count do
    local at = p + 42 * (i - 1)
    local value = values[i]
    local isOurs = value and sub(value, 1, 4) == mine
    local new
    if mark == 'takeOver' then new = sub(items, at + 32, at + 41) end
    if mark == 'stored' and isOurs then new = sub(value, 1, 8) .. '\\1\\0' end
    if mark == 'release' and isOurs and byte(value, 9) ~= 1 then gone[#gone + 1] = fields[i] end
    if new then
      set[s + 1], set[s + 2] = fields[i], new
      s = s + 2
    end
  end
  if s > 0 then
    call('HSET', bucket, unpack(set))
    expire(bucket)
  end
  if #gone > 0 then call('HDEL', bucket, unpack(gone)) end
  p = p + 42 * count
end
return { '', '', isNew }
`;
