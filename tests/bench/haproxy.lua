-- tests/bench/haproxy.lua - a yardstick: what a user could do with HAProxy's own Lua and Redis instead of an agent. Looks up like the
-- agent (memory, then one question to Redis for all prefixes), learns from answers. It cannot send a request again, so it is
-- compared for known routes only. Loaded with lua-load-per-thread; core.tcp is the only way out, a connection for each question: with
-- connections that are kept and lent to other requests HAProxy 2.6.12 stands still under load. REDIS names Redis' socket.
local MOST, LIFETIME, ABSENT = 1000000, 3600, 5
local redis = os.getenv("REDIS")
local routes, count, absent, absent_count = {}, 0, {}, 0

local function connect()
    local link = core.tcp()
    link:settimeout(0.015)
    if not link:connect("unix@" .. redis) then return nil end
    return link
end

local function read_answer(link)
    local line = link:receive("*l")
    if not line then return nil end
    local kind, rest = line:sub(1, 1), line:sub(2):gsub("\r$", "")
    if kind == "*" then
        local found = {}
        for i = 1, tonumber(rest) do
            found[i] = read_answer(link)
            if found[i] == nil then return nil end
        end
        return found
    elseif kind == "$" then
        local n = tonumber(rest)
        if n < 0 then return false end
        local value = link:receive(n + 2)
        return value and value:sub(1, n)
    elseif kind == "-" then
        return nil
    end
    return rest
end

local function command(...)
    local link = connect()
    if not link then return nil end
    local words = {...}
    local text = {"*" .. #words}
    for _, word in ipairs(words) do
        text[#text + 1] = "$" .. #word .. "\r\n" .. word
    end
    local answer
    if link:send(table.concat(text, "\r\n") .. "\r\n") then answer = read_answer(link) end
    link:close()
    return answer
end

local function remember(prefix, cell, now)
    if count >= MOST then routes, count = {}, 0 end
    if not routes[prefix] then count = count + 1 end
    routes[prefix] = {cell, now + LIFETIME}
end

local function not_there(prefix, now)
    if absent_count >= MOST then absent, absent_count = {}, 0 end
    if not absent[prefix] then absent_count = absent_count + 1 end
    absent[prefix] = now + ABSENT
end

local function prefixes(path)
    local found, at, whole = {}, 1, path .. "/"
    for _ = 1, 8 do
        at = whole:find("/", at + 1, true)
        if not at then break end
        found[#found + 1] = whole:sub(1, at)
    end
    return found
end

local function find(path)
    local now, wanted, best = core.now().sec, {}, nil
    for _, prefix in ipairs(prefixes(path)) do
        local route = routes[prefix]
        if route and route[2] > now then
            best, wanted = route[1], {}
        elseif not absent[prefix] or absent[prefix] < now then
            wanted[#wanted + 1] = prefix
        end
    end
    if best or #wanted == 0 then return best end
    local values = command("MGET", table.unpack(wanted))
    if not values then return nil end
    for i = #wanted, 1, -1 do
        if values[i] then
            remember(wanted[i], values[i], now)
            return values[i]
        end
        not_there(wanted[i], now)
    end
end

core.register_action("route", {"http-req"}, function(txn)
    local path = txn.sf:path()
    txn:set_var("txn.path", path)
    if #path > 2048 or path:find("//", 1, true) or path:find("/%.%.?/") then return end
    local cell = find(path)
    if cell then txn:set_var("txn.cell", cell) end
end, 0)

core.register_action("learn", {"http-res"}, function(txn)
    local said, path, cell = txn.sf:res_fhdr("X-Gitlab-Cell-Cache"), txn:get_var("txn.path"), txn.sf:be_name()
    local prefix = said and path and said:match('^{path_prefix:(/[^",}]+/)}$')
    if not prefix or (path .. "/"):sub(1, #prefix) ~= prefix then return end
    local route, now = routes[prefix], core.now().sec
    if not route or route[1] ~= cell or route[2] <= now then
        remember(prefix, cell, now)
        command("SET", prefix, cell, "EX", tostring(LIFETIME))
    end
end, 0)
