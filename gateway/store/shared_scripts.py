"""What Redis does with limits, each in one step. They reckon as `own_limits` does, by the clock of Redis.

    gateway:limits/{WHO}/…         a counter: number of the window, what was counted in it and in the one before,
                                   since when it counts, 0 = what was before counts, too, and then when it began
    gateway:open:{WHO}             ids of open requests, by the end of their lease; {-}: names of processes
    gateway:reserved:{WHO}         what is reserved for each of them: (counter, seconds, number, amount), packed

What a process does not end because it was killed ends with its lease. All are asked with the keys `open`, `reserved`,
a counter for each rule, and with `now` in microseconds, 0 = that of Redis, `id` and `lease`; then come their own.
"""

from typing import Final

__all__ = ["ADMIT", "LOOK", "RECALL", "RENEW", "RESERVE", "SETTLE", "SINCE"]

_COMMON: Final = """
local open, reserved, now, id, lease = KEYS[1], KEYS[2], tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local DAY = 86400000000

-- days since 1970 of the first of a month that is counted from year 0
local function first(month)
  local year, of_year = math.floor((month - 2) / 12), (month - 2) % 12
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  local day = math.floor((153 * of_year + 2) / 5)
  return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + day - 719468
end

-- the number of the window of now, what remains of it, and how long it fades
local function place(seconds)
  if seconds > 0 then
    local length = seconds * 1000000
    local number = math.floor(now / length)
    return number, (number + 1) * length - now, length
  end
  local day = math.floor(now / DAY)
  local month = 1970 * 12 + math.floor(day / 31)
  while first(month + 1) <= day do month = month + 1 end
  return month, first(month + 1) * DAY - now, 0
end

local function keep(window)
  redis.call('HSET', window.key, 'n', window.number, 'p', window.previous, 'c', window.current, 's', window.since)
  redis.call('PEXPIRE', window.key, math.ceil((window.remains + window.fades) / 1000) + 1000)
end

local function look(key, seconds)
  local number, remains, fades = place(seconds)
  local had = redis.call('HMGET', key, 'n', 'p', 'c', 's')
  local was = tonumber(had[1])
  local window = {key = key, number = number, previous = 0, current = 0, remains = remains, fades = fades}
  window.since = tonumber(had[4]) or (was and 0 or now)
  if was == number or was == number + 1 then
    window.number, window.previous, window.current = was, tonumber(had[2]), tonumber(had[3])
  elseif was == number - 1 and fades > 0 then
    window.previous = tonumber(had[3])
  elseif was and was > number then -- the clock was set back for long
    window[fades > 0 and 'previous' or 'current'] = tonumber(had[3])
    keep(window)
  end
  return window
end

local function left(window, amount)
  local used = window.current
  if window.previous > 0 then used = used + math.floor(window.previous * window.remains / window.fades) end
  return math.max(0, amount - used)
end

local function put(key, seconds, number, amount)
  local window = look(key, seconds)
  if window.number == number then
    window.current = math.max(0, window.current + amount)
  elseif window.number == number + 1 and seconds > 0 then
    window.previous = math.max(0, window.previous + amount)
  else
    return
  end
  keep(window)
end

local function stay()
  redis.call('ZADD', open, now + lease, id)
  redis.call('EXPIRE', open, 2764800)
end

-- those whose process is gone
local expired = false
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', now)) do
  local packed = redis.call('HGET', reserved, gone)
  if packed then
    for _, one in ipairs(cmsgpack.unpack(packed)) do put(one[1], one[2], one[3], -one[4]) end
    redis.call('HDEL', reserved, gone)
  end
  redis.call('ZREM', open, gone)
  expired = expired or gone == id
end

-- whether a counter of hours, days or months has begun with this request: there is none of before, or it is lost
local function begins(windows)
  for _, window in ipairs(windows) do
    if window.since == now and (window.fades == 0 or window.fades >= 3600000000) then return true end
  end
  return false
end

local function told(admitted, others, windows, taken)
  local said = {admitted, others}
  for _, window in ipairs(windows) do
    for _, name in ipairs({'number', 'previous', 'current', 'remains', 'fades'}) do said[#said + 1] = window[name] end
    said[#said + 1] = taken and taken[window.key] or 0
  end
  return said
end
"""

# seconds of each rule → as those below, and how many are open
LOOK: Final = (
    _COMMON
    + """
local windows = {}
for i = 3, #KEYS do windows[#windows + 1] = look(KEYS[i], tonumber(ARGV[i + 1])) end
return told(1, redis.call('ZCARD', open), windows)
"""
)

# seconds of each rule, and when began what it is going to count → since when each counter counts, of which those that
# are not there begin
SINCE: Final = (
    _COMMON
    + """
local said = {}
for i = 3, #KEYS do
  local window, began = look(KEYS[i], tonumber(ARGV[2 * i - 2])), tonumber(ARGV[2 * i - 1])
  if window.since == now or began < window.since then
    window.since = math.min(began, window.since)
    keep(window)
  end
  said[#said + 1] = window.since
end
return said
"""
)

# seconds, number, what was counted before, and since when the counter has to count for that to be new to it → 0 = some
# count since another moment by now, and do not know what was before
RECALL: Final = (
    _COMMON
    + """
local fresh, known = {}, 1
for i = 3, #KEYS do
  local at = 4 * i - 8
  local seconds, number, amount, since = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3]
  local counts = redis.call('HGET', KEYS[i], 's')
  if counts == since then
    put(KEYS[i], seconds, number, tonumber(amount))
    fresh[KEYS[i]] = since
  elseif tonumber(counts or 0) > 0 then
    known = 0
  end
end
for key, since in pairs(fresh) do redis.call('HSET', key, 's', 0, 'b', since) end
return {known}
"""
)

# how many may be open (-1 = any number), whether it is to be known as open, and seconds and amount of each rule →
# admitted (2 = and `begins`), others in its way, and each window with what is taken of it
ADMIT: Final = (
    _COMMON
    + """
local at_once, stays, windows, full = tonumber(ARGV[4]), ARGV[5] == '1', {}, false
for i = 3, #KEYS do
  local window = look(KEYS[i], tonumber(ARGV[2 * i]))
  windows[#windows + 1] = window
  if left(window, tonumber(ARGV[2 * i + 1])) < 1 then full = true end
end
if full then return told(0, 0, windows) end
if at_once >= 0 and redis.call('ZCARD', open) >= at_once then return told(0, 1, windows) end
for _, window in ipairs(windows) do
  window.current = window.current + 1
  keep(window)
end
if stays then stay() end
return told(begins(windows) and 2 or 1, 0, windows)
"""
)

# seconds, amount and need of each rule → as ADMIT
RESERVE: Final = (
    _COMMON
    + """
local others = redis.call('HLEN', reserved) > 0 and 1 or 0
local windows, taken, packed = {}, {}, {}
local refused = false
for i = 3, #KEYS do
  local at = 3 * i - 5
  local seconds, amount, need = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local window = look(KEYS[i], seconds)
  local free = left(window, amount)
  windows[#windows + 1] = window
  if free < 1 or (need > free and others == 1) then refused = true end
  taken[KEYS[i]] = math.min(need, free)
  packed[#packed + 1] = {KEYS[i], seconds, window.number, taken[KEYS[i]]}
end
if refused then return told(0, others, windows) end
for _, window in ipairs(windows) do
  window.current = window.current + taken[window.key]
  keep(window)
end
redis.call('HSET', reserved, id, cmsgpack.pack(packed))
redis.call('EXPIRE', reserved, 2764800)
stay()
return told(begins(windows) and 2 or 1, 0, windows, taken)
"""
)

# whether it ended while Redis was away, 2 = and that may have been heard: what is not open any more is settled; then
# seconds, number, what was used, and when, of each rule, the others used nothing; number 0 = of now, when 0 = any time:
# else a counter that has begun later, and does not know what was before, will read it, and one that knows has read of
# what had ended by then
SETTLE: Final = (
    _COMMON
    + """
if ARGV[4] == '2' and not expired and not redis.call('ZSCORE', open, id) then return {1} end
local late, held, packed = ARGV[4] ~= '0', {}, redis.call('HGET', reserved, id)
if packed then
  for _, one in ipairs(cmsgpack.unpack(packed)) do held[one[1]] = one end
end

local function since(key, seconds)
  return late and tonumber(redis.call('HGET', key, 'b')) or look(key, seconds).since
end

for i = 3, #KEYS do
  local at = 4 * i - 7
  local seconds, number, used = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local one, when = held[KEYS[i]], tonumber(ARGV[at + 3])
  if one then
    put(KEYS[i], seconds, one[3], used - one[4])
    held[KEYS[i]] = nil
  elseif used > 0 and (when == 0 or when >= since(KEYS[i], seconds)) then
    put(KEYS[i], seconds, number > 0 and number or place(seconds), used)
  end
end
for key, one in pairs(held) do put(key, one[2], one[3], -one[4]) end
redis.call('HDEL', reserved, id)
redis.call('ZREM', open, id)
return {1}
"""
)

# further ids → how many of them were not there any more; `id` is the first
RENEW: Final = (
    _COMMON
    + """
local added = 0
for i = 4, #ARGV do added = added + redis.call('ZADD', open, now + lease, ARGV[i]) end
redis.call('EXPIRE', open, 2764800)
return {added}
"""
)
