-- SPDX-License-Identifier: MIT OR Apache-2.0
--
-- Filter of docs/render.sh. Takes the title from the first heading; makes each requirement (a list item that begins with its id in
-- bold) a block with the id as its anchor; links every other mention of an id there; appends the index of requirements, which is
-- so never written by hand; lets tables find their own widths; leads links between guides to their rendered forms.

local defined, order, section = {}, {}, nil
local id_pattern = "^HEP%-%u+%-%d%d%d$"

local function id_of(item)
	local first = item[1]
	if not first or (first.t ~= "Plain" and first.t ~= "Para") then return nil end
	local strong = first.content[1]
	if not strong or strong.t ~= "Strong" then return nil end
	local id = pandoc.utils.stringify(strong)
	return id:match(id_pattern) and id or nil
end

-- "**ID** LEVEL · SUBJECT · OBSERVABILITY — sentence" -> level, subject, observability, sentence
local function parts(item)
	local text = pandoc.utils.stringify(item[1])
	return text:match("^%S+ (%u+) · (%u+) · ([%u+]+) — (.*)$")
end

local function collect(doc)
	for _, block in ipairs(doc.blocks) do
		if block.t == "Header" then
			section = block
		elseif block.t == "BulletList" then
			for _, item in ipairs(block.content) do
				local id = id_of(item)
				if id then
					local level, subject, seen, sentence = parts(item)
					if not level then error(id .. ": malformed requirement") end
					if defined[id] then error(id .. ": defined twice") end
					defined[id] = { level = level, subject = subject, seen = seen, sentence = sentence,
						section = section.identifier,
						number = pandoc.utils.stringify(section):match("^%d[%d.]*%d") or pandoc.utils.stringify(section):match("^%d") or "" }
					order[#order + 1] = id
				end
			end
		end
	end
end

local function requirement_list(list)
	local out = pandoc.List()
	local plain = pandoc.List()
	local function flush()
		if #plain > 0 then out:insert(pandoc.BulletList(plain)) plain = pandoc.List() end
	end
	for _, item in ipairs(list.content) do
		local id = id_of(item)
		if id then
			flush()
			out:insert(pandoc.Div(item, pandoc.Attr(id, { "requirement", defined[id].level:lower() })))
		else
			plain:insert(item)
		end
	end
	flush()
	return out
end

-- A mention, alone in its word but for punctuation.
local function mention(str)
	local before, id, after = str.text:match("^([%p]*)(HEP%-%u+%-%d%d%d)(.*)$")
	if id and defined[id] then
		return { pandoc.Str(before), pandoc.Link(id, "#" .. id), pandoc.Str(after) }
	end
end

local function cell(inlines)
	return { pandoc.Plain(inlines) }
end

local function index()
	local rows = {}
	for _, id in ipairs(order) do
		local r = defined[id]
		rows[#rows + 1] = { cell({ pandoc.Link(id, "#" .. id) }), cell({ pandoc.Str(r.level) }), cell({ pandoc.Str(r.subject) }),
			cell({ pandoc.Str(r.seen) }), cell({ pandoc.Link(r.number, "#" .. r.section) }), cell({ pandoc.Str(r.sentence) }) }
	end
	table.sort(rows, function(a, b)
		return pandoc.utils.stringify(a[1]) < pandoc.utils.stringify(b[1])
	end)
	local heads = {}
	for i, h in ipairs({ "Requirement", "Level", "Subject", "Seen by", "Section", "Sentence" }) do
		heads[i] = cell({ pandoc.Str(h) })
	end
	local d, aligns, widths = pandoc.AlignDefault, {}, {}
	for i = 1, 6 do aligns[i], widths[i] = d, 0 end
	local t = pandoc.utils.from_simple_table(pandoc.SimpleTable({}, aligns, widths, heads, rows))
	return { pandoc.Header(2, "Index of requirements", pandoc.Attr("requirements-index")),
		pandoc.Para({ pandoc.Str(string.format("%d requirements, in order of their ids, written by docs/render.lua from the text above.", #order)) }),
		pandoc.Div({ t }, pandoc.Attr("", { "index" })) }
end

function Pandoc(doc)
	local first = doc.blocks[1]
	while first and first.t == "RawBlock" do
		doc.blocks:remove(1)
		first = doc.blocks[1]
	end
	if first and first.t == "Header" and first.level == 1 then
		doc.meta.title = pandoc.MetaInlines(first.content)
		doc.blocks:remove(1)
	end
	collect(doc)
	local body = pandoc.walk_block(pandoc.Div(doc.blocks), { Str = mention })
	-- a definition is no mention of itself
	body = pandoc.walk_block(body, {
		Strong = function(s)
			if pandoc.utils.stringify(s):match(id_pattern) then return pandoc.Strong(pandoc.Str(pandoc.utils.stringify(s))) end
		end,
	})
	body = pandoc.walk_block(body, {
		BulletList = requirement_list,
		Table = function(t)
			for i, spec in ipairs(t.colspecs) do t.colspecs[i] = { spec[1], nil } end
			return t
		end,
		Link = function(l)
			l.target = l.target:gsub("^([%w_/.-]+)%.md(#?.*)$", "%1.html%2")
			return l
		end,
	})
	doc.blocks = body.content
	if #order > 0 then doc.blocks:extend(index()) end
	return doc
end
