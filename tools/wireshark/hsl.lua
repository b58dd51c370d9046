-- SPDX-License-Identifier: MIT OR Apache-2.0
--
-- Wireshark dissector of HEP links: the records of docs/capture.md, the flits and packets of
-- docs/hep.md section 8. For Wireshark 4.0 (Lua 5.2) and later (Lua 5.4); how to install it is in
-- docs/capture.md.
--
-- A flit means something only after those before it: its number is new or a repetition, its slot 0
-- may continue a packet. Wireshark dissects every record once in order and afterwards again and
-- again in any order. So what depends on order is worked out in the first pass (analyse) and kept
-- per record in `seen`; the tree is built from the bytes and that. Numbers of 64 bits stay in
-- Wireshark's UInt64 or in two halves: Lua 5.2 has none.

local hsl = Proto("hsl", "HSL link (HEP 1.0)")
set_plugin_info({ version = "1.0", author = "hsl", repository = "tools/wireshark" })

local bits = bit32 or bit or load("return { band = function(a, b) return a & b end, " ..
	"bxor = function(a, b) return a ~ b end, rshift = function(a, n) return a >> n end, " ..
	"lshift = function(a, n) return a << n & 0xffffffff end }")()
local band, bxor, rshift, lshift = bits.band, bits.bxor, bits.rshift, bits.lshift

---- formats ----

local HDR, FLIT, SHORT = 16, 256, 16
local SLOTS, SLOT, SLOT0, CRC = 14, 16, 18, 242
local KIND_FLIT, KIND_TS, KIND_STATE = 1, 2, 3
local DATA = 1
local REQ, RSP, SNP, DAT = 0, 1, 2, 3
local EMPTY, START = 15, 8

local kinds = { [KIND_FLIT] = "flit", [KIND_TS] = "training set", [KIND_STATE] = "state" }
local types = { [0] = "idle", "data", "control", "reserved" }
local vcs = { [0] = "REQ", "RSP", "SNP", "DAT", "MGMT" }
local ts_types = { "TS1", "TS2" }
local states = { [0] = "DETECT", "POLLING", "CONFIG", "L0", "L1", "RECOVERY", "DISABLED", "HOT_RESET" }
local forgets = { [0] = true, [6] = true, [7] = true }
local NEW, REPLAYED, GAP, REFUSED = 0, 1, 2, 3
local verdicts = { [0] = "new", "replayed", "gap", "refused" }
local atomics = { [0] = "ADD", "SWAP", "CAS", "AND", "OR", "XOR", "MIN", "MAX", "UMIN", "UMAX" }
local statuses = { [0] = "OK", "OPCODE", "FIELD", "LENGTH", "ALIGN", "SEGMENT", "RANGE", "RIGHTS", "DENIED",
	"UNREACHABLE", "DMA", "ABORTED", "REVOKED", "TIMEOUT", "POISON", "CONTEXT", "QUEUE", "OVERFLOW",
	"INTERNAL", "GONE" }

-- name, channel, slots; flags by name; `last`: the answer that ends a request
local function op(name, vc, slots, masks, more)
	local o = more or {}
	o.name, o.vc, o.slots, o.flags = name, vc, slots, masks or {}
	return o
end
local flags = { "read", "write", "granted", "own", "dirty", "fwd", "keeps", "poison" }
local granted, snooped = { granted = 0x01 }, { fwd = 0x08, keeps = 0x10, poison = 0x80 }
local ops = {
	[0x01] = op("AUTH", REQ, 2, { read = 0x01, write = 0x02 }),
	[0x02] = op("READ", REQ, 1, granted),
	[0x03] = op("WRITE", REQ, 1, granted),
	[0x04] = op("ATOMIC", REQ, 3, granted),
	[0x10] = op("READ_S", REQ, 1, granted),
	[0x11] = op("READ_U", REQ, 1, granted),
	[0x12] = op("UPGRADE", REQ, 1, granted),
	[0x13] = op("WRITE_BACK", REQ, 1, granted),
	[0x20] = op("SNP_S", SNP, 2, nil, { serves = true }),
	[0x21] = op("SNP_U", SNP, 2, nil, { serves = true }),
	[0x22] = op("SNP_I", SNP, 2),
	[0x23] = op("SNP_C", SNP, 2),
	[0x80] = op("RSP", RSP, 1, nil, { answer = true, value = true, status = true }),
	[0x81] = op("RSP_DATA", DAT, 5, { own = 0x02, dirty = 0x04, poison = 0x80 }, { answer = true }),
	[0x82] = op("COMP", RSP, 1, nil, { answer = true }),
	[0x83] = op("GO", RSP, 1, nil, { answer = true, goes_on = true }),
	[0x84] = op("RETRY", RSP, 1, nil, { answer = true, goes_on = true }),
	[0x85] = op("GRANT", RSP, 1, nil, { to_owner = true }),
	[0x86] = op("ACK", RSP, 1),
	[0x87] = op("SNP_RSP", RSP, 1, { dirty = 0x04, fwd = 0x08, keeps = 0x10 }, { answer = true }),
	[0x88] = op("SNP_DATA", DAT, 5, snooped, { answer = true }),
	[0x89] = op("WR_DATA", DAT, 6, { poison = 0x80 }),
}
local op_names = {}
for code, o in pairs(ops) do op_names[code] = o.name end

---- fields ----

local f = {}
local function field(name, kind, ...)
	f[name] = ProtoField[kind](...)
end

field("version", "uint8", "hsl.version", "Version of the record")
field("kind", "uint8", "hsl.kind", "Kind", base.DEC, kinds)
field("rx", "bool", "hsl.rx", "As received", 8, { "yes", "no: as sent" }, 0x01)
field("seq_bits", "uint8", "hsl.seq_bits", "Bits of sequence numbers", base.DEC, nil, 0xf0)
field("link", "uint8", "hsl.link", "Link block")
field("src", "uint16", "hsl.src", "Sending node")
field("dst", "uint16", "hsl.dst", "Receiving node")
field("time", "uint64", "hsl.time_ps", "Time, ps")

field("seq", "uint16", "hsl.flit.seq", "Sequence number", base.DEC, nil, 0x0fff)
field("type", "uint16", "hsl.flit.type", "Type", base.DEC, types, 0x3000)
field("hdr_rsvd", "uint16", "hsl.flit.hdr_reserved", "Reserved", base.HEX, nil, 0xc000)
field("ack", "uint16", "hsl.flit.ack", "Next expected", base.DEC, nil, 0x0fff)
field("nak", "uint16", "hsl.flit.nak", "NAK", base.DEC, nil, 0x1000)
field("ack_valid", "uint16", "hsl.flit.ack_valid", "Valid", base.DEC, nil, 0x2000)
field("ack_rsvd", "uint16", "hsl.flit.ack_reserved", "Reserved", base.HEX, nil, 0xc000)
for vc = 0, 4 do
	field("credit" .. vc, "uint8", "hsl.flit.freed." .. vcs[vc]:lower(), "Slots freed, " .. vcs[vc])
end
field("slot_map", "string", "hsl.flit.slot_map", "Slot map")
field("rsvd", "uint16", "hsl.flit.reserved", "Reserved", base.HEX)
field("crc", "uint64", "hsl.flit.crc", "CRC-64", base.HEX)
field("crc_status", "uint8", "hsl.flit.crc.status", "CRC status", base.DEC, { [0] = "Bad", "Good" })
field("fec", "bytes", "hsl.flit.fec", "FEC")
field("verdict", "uint8", "hsl.flit.verdict", "Verdict", base.DEC, verdicts)
field("first", "framenum", "hsl.flit.replay_of", "Seen before in", base.NONE, frametype.RETRANS_PREV)

field("opcode", "uint8", "hsl.pkt.opcode", "Opcode", base.HEX, op_names)
field("vc", "uint8", "hsl.pkt.vc", "Virtual channel", base.DEC, vcs)
field("flags", "uint8", "hsl.pkt.flags", "Flags", base.HEX)
for name, mask in pairs({ read = 1, write = 2, granted = 1, own = 2, dirty = 4, fwd = 8, keeps = 16, poison = 128 }) do
	field(name, "bool", "hsl.pkt.flags." .. name, name:upper(), 8, nil, mask)
end
field("status", "uint8", "hsl.pkt.status", "Status", base.DEC, statuses)
field("tag", "uint16", "hsl.pkt.tag", "Tag")
field("owner", "uint16", "hsl.pkt.tag_owner", "Agent or home whose tag this is", base.HEX_DEC)
field("psrc", "uint16", "hsl.pkt.src", "Source", base.DEC, nil, 0x7fff)
field("psrc_host", "bool", "hsl.pkt.src.host_port", "Its host port", 16, nil, 0x8000)
field("pdst", "uint16", "hsl.pkt.dst", "Destination", base.DEC, nil, 0x7fff)
field("pdst_host", "bool", "hsl.pkt.dst.host_port", "Its host port", 16, nil, 0x8000)
field("addr", "uint64", "hsl.pkt.addr", "Offset in the home", base.HEX)
field("hops", "uint8", "hsl.pkt.hops", "Hops so far")
field("addr_rsvd", "uint8", "hsl.pkt.reserved", "Reserved", base.HEX)
field("value", "uint64", "hsl.pkt.value", "Value", base.HEX)
field("key", "uint64", "hsl.pkt.key", "Context key", base.HEX)
field("segment", "uint16", "hsl.pkt.segment", "Segment handle")
field("context", "uint16", "hsl.pkt.context", "Context index")
field("epoch", "uint32", "hsl.pkt.epoch", "Segment epoch")
field("fwd_agent", "uint16", "hsl.pkt.fwd", "Agent to serve", base.HEX_DEC)
field("fwd_tag", "uint16", "hsl.pkt.fwd_tag", "Tag of its request")
field("subop", "uint8", "hsl.pkt.subop", "Operation", base.DEC, atomics)
field("len", "uint8", "hsl.pkt.len", "Bytes")
field("arg0", "uint64", "hsl.pkt.arg0", "arg0", base.HEX)
field("arg1", "uint64", "hsl.pkt.arg1", "arg1", base.HEX)
field("mask", "uint64", "hsl.pkt.mask", "Bytes written", base.HEX)
field("data", "bytes", "hsl.pkt.data", "Data")
field("begins", "framenum", "hsl.pkt.begins_in", "Begins in")
field("ends", "framenum", "hsl.pkt.ends_in", "Goes on in")
field("request", "framenum", "hsl.pkt.request_in", "Request in", base.NONE, frametype.REQUEST)
field("response", "framenum", "hsl.pkt.response_in", "First answer in", base.NONE, frametype.RESPONSE)
field("latency", "uint64", "hsl.pkt.latency_ps", "Time since the request, ps")

field("ts_type", "uint8", "hsl.ts.type", "Training set", base.DEC, ts_types)
field("ts_disable", "bool", "hsl.ts.disable", "DISABLE", 8, nil, 0x01)
field("ts_reset", "bool", "hsl.ts.hot_reset", "HOT_RESET", 8, nil, 0x02)
field("ts_l1", "bool", "hsl.ts.l1", "L1", 8, nil, 0x04)
field("ts_l0", "bool", "hsl.ts.l0", "L0", 8, nil, 0x08)
field("ts_new", "bool", "hsl.ts.new", "NEW", 8, nil, 0x10)
field("ts_lanes", "uint16", "hsl.ts.lanes", "Lanes", base.HEX_DEC)
field("ts_rate", "uint32", "hsl.ts.rate_mtps", "Rate, MT/s")
field("ts_round", "uint16", "hsl.ts.round", "Round of the sender")
field("ts_echo", "uint16", "hsl.ts.echo", "Round of the receiver, as heard")
field("ts_width", "uint8", "hsl.ts.width", "Width that both use")
field("state", "uint32", "hsl.state", "State entered", base.DEC, states)
field("width", "uint32", "hsl.state.width", "Width")
field("rate", "uint32", "hsl.state.rate_mtps", "Rate, MT/s")
for _, v in pairs(f) do hsl.fields[#hsl.fields + 1] = v end

local e = {}
local function note(name, text, group, severity)
	e[name] = ProtoExpert.new("hsl.expert." .. name, text, expert.group[group], expert.severity[severity])
	return e[name]
end
hsl.experts = {
	note("short", "The record is cut short or not of this format", "MALFORMED", "ERROR"),
	note("crc", "Wrong CRC (HEP-LNK-001)", "CHECKSUM", "ERROR"),
	note("format", "Impossible flit (HEP-LNK-001)", "PROTOCOL", "ERROR"),
	note("replayed", "The sequence number was there before", "SEQUENCE", "NOTE"),
	note("gap", "A flit before this one is missing", "SEQUENCE", "WARN"),
	note("nak", "NAK", "SEQUENCE", "NOTE"),
	note("cut", "A packet ends before its last slot", "PROTOCOL", "ERROR"),
	note("orphan", "The slot continues no packet", "PROTOCOL", "WARN"),
	note("opcode", "Reserved opcode", "PROTOCOL", "ERROR"),
	note("channel", "Not the virtual channel of this opcode (HEP-LNK-002)", "PROTOCOL", "ERROR"),
	note("reserved", "A reserved flag or field is set", "PROTOCOL", "ERROR"),
	note("poison", "Poisoned data", "RESPONSE_CODE", "WARN"),
	note("status", "Not OK", "RESPONSE_CODE", "NOTE"),
	note("fresh", "Both directions begin anew", "SEQUENCE", "CHAT"),
}

---- bytes of a Lua string, offsets from 0 ----

local function u8(s, at) return s:byte(at + 1) end
local function u16(s, at) return s:byte(at + 1) + 256 * s:byte(at + 2) end
local function hex_le(s, at, n) return "0x" .. (s:sub(at + 1, at + n):reverse():gsub(".", function(c)
	return ("%02x"):format(c:byte()) end):gsub("^0*(%x)", "%1")) end
local function zero(s, at, n) return not s:find("[^%z]", at + 1) or s:find("[^%z]", at + 1) > at + n end
local function map_entry(flit, i) return rshift(u8(flit, 9 + rshift(i, 1)), 4 * (i % 2)) % 16 end

local function agent(id)
	return id >= 0x8000 and (id - 0x8000) .. ".host" or tostring(id)
end

---- CRC-64/XZ in halves of 32 bits ----

local crc_lo, crc_hi = {}, {}
for i = 0, 255 do
	local lo, hi = i, 0
	for _ = 1, 8 do
		local odd = band(lo, 1) == 1
		lo = bxor(rshift(lo, 1), lshift(band(hi, 1), 31))
		hi = rshift(hi, 1)
		if odd then
			lo, hi = bxor(lo, 0xd7870f42), bxor(hi, 0xc96c5795)
		end
	end
	crc_lo[i], crc_hi[i] = lo, hi
end

local function crc_ok(flit)
	local lo, hi = 0xffffffff, 0xffffffff
	for at = 1, CRC do
		local i = band(bxor(lo, flit:byte(at)), 255)
		lo = bxor(bxor(rshift(lo, 8), lshift(band(hi, 255), 24)), crc_lo[i])
		hi = bxor(rshift(hi, 8), crc_hi[i])
	end
	for i = 0, 3 do
		if band(rshift(lo, 8 * i), 255) ~= 255 - u8(flit, CRC + i) or
				band(rshift(hi, 8 * i), 255) ~= 255 - u8(flit, CRC + 4 + i) then
			return false
		end
	end
	return true
end

---- order: what follows from the records before ----

local seen, streams, requests	-- by record; by direction of a link; by owner of a tag

function hsl.init()
	seen, streams, requests = {}, {}, {}
end

-- What HEP-LNK-001 refuses besides a wrong CRC: a text or nil.
local function impossible(flit)
	local kind, before = rshift(u16(flit, 0), 12) % 4, EMPTY
	if u16(flit, 0) >= 0x4000 or u16(flit, 2) >= 0x4000 or not zero(flit, 16, 2) or not zero(flit, 250, 6) then
		return "a reserved bit is set"
	elseif kind == 3 then
		return "reserved type"
	end
	for i = 0, SLOTS - 1 do
		local m = map_entry(flit, i)
		if m ~= EMPTY then
			if kind ~= DATA then return "only a data flit has slots" end
			if m % 8 > 4 then return "slot " .. i .. " is of no virtual channel" end
			if m < START and i > 0 and (before == EMPTY or before % 8 ~= m) then
				return "slot " .. i .. " continues nothing"
			end
		end
		before = m
	end
end

local function stream_of(src, dst, rx)
	local key = src .. ">" .. dst .. (rx and " rx" or "")
	streams[key] = streams[key] or { first = {} }
	return streams[key]
end

-- Answers and requests find each other by the tag and by whom it belongs to; snoops also by whom they ask.
local function packet_key(p)
	local o, src, dst = p.op, u16(p.raw, 4), u16(p.raw, 6)
	if o.name:find("^SNP") then
		return o.answer and dst .. "s" .. p.tag .. ">" .. src or src .. "s" .. p.tag .. ">" .. dst
	end
	return p.owner .. "t" .. p.tag
end

local function pair_up(p, number, time)
	local key = packet_key(p)
	local req = requests[key]
	if p.op.vc == REQ or p.op.vc == SNP then
		-- the same request again: on its next link, or after RETRY
		if not req or req.done or req.opcode ~= u8(p.raw, 0) or req.addr ~= p.raw:sub(9, 14) then
			req = { frame = number, time = time, opcode = u8(p.raw, 0), addr = p.raw:sub(9, 14) }
			requests[key] = req
		end
		p.asked = req
	elseif p.op.answer and req then
		p.answers, p.latency = req, time - req.time
		req.response = req.response or number
		req.done = req.done or not p.op.goes_on
	end
end

local function packet_begin(number, slot, vc, bytes)
	local p = { op = ops[u8(bytes, 0)], vc = vc, slot = slot, begins = number, parts = {}, raw = bytes }
	local to_owner = p.op and (p.op.to_owner or p.op.answer)
	p.need = p.op and p.op.slots or 1
	p.tag = u16(bytes, 2)
	p.owner = u16(bytes, to_owner and 6 or 4)
	return p
end

local function packet_end(r, p, number, time)
	p.raw, p.ends = table.concat(p.parts), number
	r.packets[#r.packets + 1] = p
	if p.op then pair_up(p, number, time) end
end

-- The slots of a new flit: packets that end in it into r.packets, one that goes on stays in the stream.
local function take_slots(r, s, flit, number, time)
	for i = 0, SLOTS - 1 do
		local m = map_entry(flit, i)
		local bytes = flit:sub(SLOT0 + SLOT * i + 1, SLOT0 + SLOT * (i + 1))
		local p = s.part
		if p and (m >= START or p.vc ~= m) then
			r.problems[#r.problems + 1] = { e.cut, "A packet ends before its last slot, at slot " .. i }
			s.part, p = nil, nil
		end
		if m ~= EMPTY and m >= START then
			p = packet_begin(number, i, m - START, bytes)
			s.part, s.lost, r.last = p, nil, p
		elseif m ~= EMPTY and not p and not s.lost then
			r.problems[#r.problems + 1] = { e.orphan, "Slot " .. i .. " continues no packet" }
		end
		if m ~= EMPTY and p then
			p.parts[#p.parts + 1] = bytes
			if #p.parts == p.need then
				packet_end(r, p, number, time)
				s.part, s.lost = nil, not p.op	-- nobody knows how long a reserved opcode is
			end
		end
	end
end

-- Half of the numbers are ahead of the expected one, half behind.
local function analyse(flit, h)
	local r = { verdict = NEW, packets = {}, problems = {}, crc_ok = crc_ok(flit) }
	r.impossible = impossible(flit)
	if not r.crc_ok or r.impossible then
		r.verdict = REFUSED
		return r
	end
	local s, seq, modulus = stream_of(h.src, h.dst, h.rx), u16(flit, 0) % 4096, 2 ^ h.seq_bits
	local ahead = s.expect and (seq - s.expect) % modulus or 0
	if rshift(u16(flit, 0), 12) ~= DATA then
		r.verdict = ahead > 0 and ahead < modulus / 2 and GAP or NEW
		return r
	end
	if ahead > 0 then
		local before = ahead >= modulus / 2
		r.verdict, r.first = before and REPLAYED or GAP, before and s.first[seq] or nil
		if before or h.rx then return r end	-- the receiver drops what is ahead
	end
	if not s.expect or ahead > 0 then
		s.part, s.lost = nil, true
	end
	s.expect = (seq + 1) % modulus
	s.first[seq] = h.number
	take_slots(r, s, flit, h.number, h.time)
	return r
end

local function begin_anew(a, b)
	for _, rx in ipairs({ false, true }) do
		for _, s in ipairs({ stream_of(a, b, rx), stream_of(b, a, rx) }) do
			s.expect, s.first, s.part, s.lost = 0, {}, nil, nil
		end
	end
end

---- the tree ----

local function flag_names(p)
	local names = {}
	for _, name in ipairs(flags) do
		if p.op.flags[name] and band(u8(p.raw, 1), p.op.flags[name]) ~= 0 then
			names[#names + 1] = name:upper()
		end
	end
	return table.concat(names, " ")
end

local function packet_text(p, src, dst)
	local psrc, pdst = u16(p.raw, 4), u16(p.raw, 6)
	local t = { p.op and p.op.name or ("opcode 0x%02x"):format(u8(p.raw, 0)) }
	if psrc ~= src or pdst ~= dst then t[#t + 1] = agent(psrc) .. "→" .. agent(pdst) end
	t[#t + 1] = "tag " .. p.tag
	if p.op and p.op.value then
		t[#t + 1] = statuses[u8(p.raw, 1)] or "status " .. u8(p.raw, 1)
		t[#t + 1] = hex_le(p.raw, 8, 8)
	elseif p.op then
		t[#t + 1] = hex_le(p.raw, 8, 6)
		t[#t + 1] = flag_names(p) ~= "" and flag_names(p) or nil
	end
	return table.concat(t, " ")
end

local function reserved_flags(p)
	local known = 0
	for _, mask in pairs(p.op.flags) do known = known + mask end
	return not p.op.status and band(u8(p.raw, 1), 255 - known) ~= 0
end

local function add_flags(t, p, b)
	local sub = t:add_le(f.flags, b(1, 1))
	for _, name in ipairs(flags) do
		if p.op.flags[name] then sub:add(f[name], b(1, 1)) end
	end
	if reserved_flags(p) then sub:add_proto_expert_info(e.reserved) end
	if p.op.flags.poison and u8(p.raw, 1) >= 0x80 then sub:add_proto_expert_info(e.poison) end
end

local function add_reserved(t, p, b, at, n)
	if not zero(p.raw, at, n) then
		t:add_proto_expert_info(e.reserved, "Reserved bytes " .. at .. " to " .. at + n - 1 .. " are not zero")
	end
end

-- What is behind the first slot.
local tails = {
	AUTH = function(t, p, b)
		t:add_le(f.key, b(16, 8))
		t:add_le(f.segment, b(24, 2))
		t:add_le(f.context, b(26, 2))
		t:add_le(f.epoch, b(28, 4))
	end,
	ATOMIC = function(t, p, b)
		t:add_le(f.subop, b(16, 1))
		t:add_le(f.len, b(17, 1))
		t:add_le(f.arg0, b(24, 8))
		t:add_le(f.arg1, b(32, 8))
		add_reserved(t, p, b, 18, 6)
		add_reserved(t, p, b, 40, 8)
	end,
	WR_DATA = function(t, p, b)
		t:add_le(f.mask, b(16, 8))
		add_reserved(t, p, b, 24, 8)
		t:add(f.data, b(32, 64))
	end,
}
local function add_tail(t, p, b)
	local o = p.op
	if tails[o.name] then
		tails[o.name](t, p, b)
	elseif o.vc == DAT then
		t:add(f.data, b(16, 64))
	elseif o.vc == SNP then
		if o.serves then
			t:add_le(f.fwd_agent, b(16, 2))
			t:add_le(f.fwd_tag, b(18, 2))
		end
		add_reserved(t, p, b, o.serves and 20 or 16, o.serves and 12 or 16)
	end
end

local function add_pairing(t, p, number)
	if p.asked and p.asked.response then
		t:add(f.response, p.asked.response):set_generated()
	elseif p.answers then
		t:add(f.request, p.answers.frame):set_generated()
		local item = t:add(f.latency, p.latency):set_generated()
		item:append_text((" (%.3f ns)"):format(p.latency:tonumber() / 1000))
	end
end

local function add_packet(tree, p, tvb, src, dst, number)
	local b
	if p.begins == number then
		b = tvb(HDR + SLOT0 + SLOT * p.slot, SLOT * p.need)
	else
		b = ByteArray.new(p.raw, true):tvb("Packet of two flits"):range()
	end
	local t = tree:add(b, "Packet: " .. packet_text(p, src, dst))
	local item = t:add_le(f.opcode, b(0, 1))
	if not p.op then item:add_proto_expert_info(e.opcode) end
	item = t:add(f.vc, p.vc):set_generated()
	if not p.op then return end
	if p.vc ~= p.op.vc then item:add_proto_expert_info(e.channel) end
	if p.op.status then
		item = t:add_le(f.status, b(1, 1))
		if u8(p.raw, 1) ~= 0 then item:add_proto_expert_info(e.status) end
	else
		add_flags(t, p, b)
	end
	t:add_le(f.tag, b(2, 2))
	t:add(f.owner, p.owner):set_generated()
	t:add_le(f.psrc, b(4, 2))
	t:add_le(f.psrc_host, b(4, 2))
	t:add_le(f.pdst, b(6, 2))
	t:add_le(f.pdst_host, b(6, 2))
	if p.op.value then
		t:add_le(f.value, b(8, 8))
	else
		t:add_le(f.addr, b(8, 6))
	end
	if p.op.vc ~= RSP then
		t:add_le(f.hops, b(14, 1))
		item = t:add_le(f.addr_rsvd, b(15, 1))
		if u8(p.raw, 15) ~= 0 then item:add_proto_expert_info(e.reserved) end
	end
	add_tail(t, p, b)
	if p.begins ~= number then t:add(f.begins, p.begins):set_generated() end
	add_pairing(t, p, number)
end

local function slot_map_text(flit)
	local t = {}
	for i = 0, SLOTS - 1 do
		local m = map_entry(flit, i)
		t[#t + 1] = m == EMPTY and "-" or (m >= START and "*" or "") .. (vcs[m % 8] or m % 8)
	end
	return table.concat(t, " ")
end

local function add_link_layer(tree, flit, tvb, r)
	local h = tvb(HDR, 2)
	local item = tree:add_le(f.seq, h)
	if r.verdict == REPLAYED then item:add_proto_expert_info(e.replayed) end
	if r.verdict == GAP then item:add_proto_expert_info(e.gap) end
	tree:add_le(f.type, h)
	tree:add_le(f.hdr_rsvd, h)
	local control = tree:add(tvb(HDR + 2, 16), "Control slot")
	h = tvb(HDR + 2, 2)
	control:add_le(f.ack, h)
	item = control:add_le(f.nak, h)
	if band(u16(flit, 2), 0x1000) ~= 0 then item:add_proto_expert_info(e.nak) end
	control:add_le(f.ack_valid, h)
	control:add_le(f.ack_rsvd, h)
	for vc = 0, 4 do control:add_le(f["credit" .. vc], tvb(HDR + 4 + vc, 1)) end
	item = control:add(f.slot_map, tvb(HDR + 9, 7), slot_map_text(flit))
	if r.impossible then item:add_proto_expert_info(e.format, "Impossible flit: " .. r.impossible .. " (HEP-LNK-001)") end
	control:add_le(f.rsvd, tvb(HDR + 16, 2))
	item = tree:add_le(f.crc, tvb(HDR + CRC, 8))
	item:append_text(r.crc_ok and " (correct)" or " (wrong)")
	item = tree:add(f.crc_status, r.crc_ok and 1 or 0):set_generated()
	if not r.crc_ok then item:add_proto_expert_info(e.crc) end
	tree:add(f.fec, tvb(HDR + 250, 6))
	item = tree:add(f.verdict, r.verdict):set_generated()
	if r.first then tree:add(f.first, r.first):set_generated() end
	for _, problem in ipairs(r.problems) do
		item:add_proto_expert_info(problem[1], problem[2])
	end
end

local function flit_text(flit, r)
	local seq, ack, kind = u16(flit, 0) % 4096, u16(flit, 2), rshift(u16(flit, 0), 12) % 4
	local t = { kind == DATA and "seq " .. seq or types[kind] }
	if band(ack, 0x2000) ~= 0 then
		t[#t + 1] = (band(ack, 0x1000) ~= 0 and "NAK " or "ack ") .. ack % 4096
	end
	if r.verdict == REFUSED then
		t[#t + 1] = "[" .. (r.crc_ok and r.impossible or "wrong CRC") .. "]"
	elseif r.verdict ~= NEW then
		t[#t + 1] = "[" .. verdicts[r.verdict] .. "]"
	end
	return table.concat(t, "  ")
end

local function packets_text(r, src, dst, number)
	local t = {}
	for _, p in ipairs(r.packets) do
		t[#t + 1] = (p.begins ~= number and "…" or "") .. packet_text(p, src, dst)
	end
	if r.last and r.last.ends ~= number then t[#t + 1] = packet_text(r.last, src, dst) .. "…" end
	return table.concat(t, " | ")
end

---- records ----

local function add_flit(tree, tvb, r, h)
	local flit = tvb:raw(HDR, FLIT)
	if not r.flit then
		r.flit = analyse(flit, h)
	end
	r = r.flit
	local text, packets = flit_text(flit, r), packets_text(r, h.src, h.dst, h.number)
	tree:append_text(", " .. text)
	add_link_layer(tree, flit, tvb, r)
	for _, p in ipairs(r.packets) do add_packet(tree, p, tvb, h.src, h.dst, h.number) end
	local p = r.last
	if p and p.ends ~= h.number then
		local at = HDR + SLOT0 + SLOT * p.slot
		local t = tree:add(tvb(at, HDR + CRC - at), "Beginning of a packet: " .. packet_text(p, h.src, h.dst))
		if p.ends then t:add(f.ends, p.ends):set_generated() end
	end
	return packets ~= "" and text .. "  " .. packets or text
end

local function add_ts(tree, tvb)
	local b = tvb(HDR, SHORT)
	local type, lanes, rate = b(0, 1):uint(), b(2, 2):le_uint(), b(4, 4):le_uint()
	tree:add_le(f.ts_type, b(0, 1))
	local said = ""
	for _, name in ipairs({ "ts_disable", "ts_reset", "ts_l1", "ts_l0", "ts_new" }) do
		tree:add(f[name], b(1, 1))
	end
	for i, name in ipairs({ "DISABLE", "HOT_RESET", "L1", "L0", "NEW" }) do
		if band(rshift(b(1, 1):uint(), i - 1), 1) == 1 then said = said .. "  " .. name end
	end
	local item = tree:add_le(f.ts_lanes, b(2, 2))
	tree:add_le(f.ts_rate, b(4, 4))
	tree:add_le(f.ts_round, b(8, 2))
	tree:add_le(f.ts_echo, b(10, 2))
	tree:add_le(f.ts_width, b(12, 1))
	if b(1, 1):uint() > 31 or not zero(tvb:raw(HDR + 13, 3), 0, 3) then item:add_proto_expert_info(e.reserved) end
	return ("%s  %s  %d MT/s%s"):format(ts_types[type] or "training set " .. type,
		type == 2 and "x" .. b(12, 1):uint() or ("lanes 0x%04x"):format(lanes), rate, said)
end

local function add_state(tree, tvb, r, h)
	local b = tvb(HDR, SHORT)
	local state, width, rate = b(0, 4):le_uint(), b(4, 4):le_uint(), b(8, 4):le_uint()
	local item = tree:add_le(f.state, b(0, 4))
	tree:add_le(f.width, b(4, 4))
	tree:add_le(f.rate, b(8, 4))
	if forgets[state] then
		item:add_proto_expert_info(e.fresh)
		if not r.done then begin_anew(h.src, h.dst) end
	end
	r.done = true
	return "enters " .. (states[state] or state) .. (width > 0 and ("  x%d  %d MT/s"):format(width, rate) or "")
end

local bodies = {
	[KIND_FLIT] = { FLIT, add_flit }, [KIND_TS] = { SHORT, add_ts }, [KIND_STATE] = { SHORT, add_state },
}

local function add_header(tree, tvb)
	tree:add(f.version, tvb(0, 1))
	tree:add(f.kind, tvb(1, 1))
	tree:add(f.rx, tvb(2, 1))
	tree:add(f.seq_bits, tvb(2, 1))
	tree:add(f.link, tvb(3, 1))
	tree:add_le(f.src, tvb(4, 2))
	tree:add_le(f.dst, tvb(6, 2))
	local time = tvb(8, 8):le_uint64()
	tree:add_le(f.time, tvb(8, 8)):append_text((" (%.3f ns)"):format(time:tonumber() / 1000))
	local b = rshift(tvb(2, 1):uint(), 4)
	return {
		src = tvb(4, 2):le_uint(), dst = tvb(6, 2):le_uint(), rx = tvb(2, 1):uint() % 2 == 1, time = time,
		seq_bits = b >= 2 and b <= 12 and b or 12,
	}
end

function hsl.dissector(tvb, pinfo, root)
	pinfo.cols.protocol = "HSL"
	local tree = root:add(hsl, tvb(), "HSL")
	local length = tvb:captured_len()
	if length < HDR or tvb(0, 1):uint() ~= 1 or not bodies[tvb(1, 1):uint()] then
		tree:add_proto_expert_info(e.short)
		pinfo.cols.info = "not a record of this format"
		return length
	end
	local h = add_header(tree, tvb)
	local body = bodies[tvb(1, 1):uint()]
	local path = agent(h.src) .. " → " .. agent(h.dst)
	h.number = pinfo.number
	pinfo.cols.src, pinfo.cols.dst = agent(h.src), agent(h.dst)
	tree:append_text(", " .. path .. (h.rx and ", as received" or ""))
	if length < HDR + body[1] then
		tree:add_proto_expert_info(e.short)
		pinfo.cols.info = path .. "  cut short"
		return length
	end
	seen[h.number] = seen[h.number] or {}
	pinfo.cols.info = path .. "  " .. body[2](tree, tvb, seen[h.number], h)
	return HDR + body[1]
end

DissectorTable.get("wtap_encap"):add(wtap.USER12, hsl)
